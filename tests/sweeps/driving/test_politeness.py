"""What a driver tells the admission of a machine: which limits, what is ours, what is beside."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.servers.admission.limits import Limits
from convscope.sweeps.driving.cells import SweepCell
from convscope.sweeps.driving.messages import Slot
from convscope.sweeps.driving.monitor import Reading
from convscope.sweeps.driving.politeness import Politeness
from convscope.sweeps.planning.plan import plan
from convscope.training.cell import Cell

GIB = 2**30
CPU, GPU = Slot("here", 0), Slot("here", 1, "GPU-a")
BUSY: dict[str, Any] = {"load_1m": 6.0, "cores": 4, "gpus": []}


@pytest.fixture
def two(cells: Callable[..., tuple[Cell, ...]]) -> list[SweepCell]:
    return [SweepCell(each) for each in plan(cells(model__kernel=[3, 5]), Path("none"), 3)]


def politeness(
    machine: dict[str, Any] | None, limits: Limits | None = None, pids: tuple[int, ...] = ()
) -> Politeness:
    reading = None if machine is None else Reading(machine, pids)
    return Politeness(lambda _: limits, lambda _: reading, threads=2, login="me")


def a_gpu(*processes: dict[str, Any]) -> dict[str, Any]:
    gpu = {"uuid": "GPU-a", "index": 0, "memory_free_bytes": 8 * GIB, "processes": processes}
    return {"gpus": [gpu]}


def test_on_the_cpu_nothing_waits_without_thresholds(two: list[SweepCell]) -> None:
    assert politeness(BUSY).why_wait(CPU, two[0], []) is None


def test_nothing_starts_before_its_machine_was_looked_at(two: list[SweepCell]) -> None:
    assert politeness(None, Limits()).why_wait(CPU, two[0], []) == "a first look at here"
    assert politeness(None).why_wait(GPU, two[0], []) == "a first look at here"


def test_the_load_of_our_own_workers_is_not_other_peoples(two: list[SweepCell]) -> None:
    """Load 6 on 4 cores is too much; 2 of it are a worker's of ours, of 2 threads."""
    polite = politeness(BUSY, Limits(load_per_core=1))
    assert str(polite.why_wait(CPU, two[0], [])).startswith("load 6.0 on 4 cores")
    two[1].slot = Slot("there", 0)
    assert polite.why_wait(CPU, two[0], [two[1]]) is not None
    two[1].slot = Slot("here", 5)
    assert polite.why_wait(CPU, two[0], [two[1]]) is None


def test_a_gpu_is_looked_at_even_without_thresholds(two: list[SweepCell]) -> None:
    other = {"pid": 7, "owner": "else", "command": "python", "memory_bytes": GIB}
    reason = "GPU 0 is used by else (python, 1.0 GiB)"
    assert politeness(a_gpu(other)).why_wait(GPU, two[0], []) == reason
    assert politeness(a_gpu(other)).must_pause(GPU) == reason
    assert politeness(a_gpu(other)).must_pause(CPU) is None


def test_our_own_processes_are_nobody_elses(two: list[SweepCell]) -> None:
    process = {"pid": 7, "owner": "else", "command": "python", "memory_bytes": GIB}
    ours = politeness(a_gpu(process), pids=(7,))
    assert ours.why_wait(GPU, two[0], []) is None
    assert ours.must_pause(GPU) is None


def test_a_gpu_is_crowded_by_our_other_cells_and_by_other_people(two: list[SweepCell]) -> None:
    alone = politeness(a_gpu())
    assert not alone.is_crowded(GPU, [])
    two[1].slot = Slot("here", 9, "GPU-a")
    assert alone.is_crowded(GPU, [two[1]])
    two[1].slot = Slot("there", 9, "GPU-a")
    assert not alone.is_crowded(GPU, [two[1]])
