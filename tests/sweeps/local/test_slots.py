"""Slots: how many cells at once, and on what."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convscope.sweeps.driving.messages import Slot
from convscope.sweeps.local.slots import cores, local_slots, visible_gpus
from convscope.sweeps.planning.config import SweepConfig
from convscope.sweeps.planning.plan import PlannedCell, plan
from convscope.training.cell import Cell

GIB = 2**30
GPUS = ["GPU-aa", "GPU-ab", "GPU-b"]
MACHINE: dict[str, Any] = {
    "hostname": "here",
    "memory_available_bytes": 64 * GIB,
    "gpus": [{"uuid": uuid} for uuid in GPUS],
}
CONFIG = SweepConfig()


@pytest.fixture
def planned(
    cells: Callable[..., tuple[Cell, ...]], monkeypatch: pytest.MonkeyPatch
) -> tuple[PlannedCell, ...]:
    """Sixteen cells, on a machine of eight cores."""
    monkeypatch.setattr("convscope.sweeps.local.slots.cores", lambda: 8)
    return plan(cells(train__seed=list(range(16))), Path("none"), 3)


def slots(
    planned: tuple[PlannedCell, ...], machine: Mapping[str, Any] = MACHINE, **options: Any
) -> tuple[Slot, ...]:
    return local_slots(planned, CONFIG, machine, **{"environment": {}, **options})


def test_each_gpu_has_four_slots_and_neighbours_are_on_different_ones(
    planned: tuple[PlannedCell, ...],
) -> None:
    found = slots(planned)
    assert [slot.gpu for slot in found] == GPUS * 4
    assert [slot.index for slot in found] == list(range(12))


def test_a_recipe_says_how_many_slots_a_gpu_has(planned: tuple[PlannedCell, ...]) -> None:
    config = SweepConfig(workers_per_gpu=1)
    assert len(local_slots(planned, config, MACHINE, environment={})) == 3


def test_workers_that_are_asked_for_are_spread_over_the_gpus(
    planned: tuple[PlannedCell, ...],
) -> None:
    assert [slot.gpu for slot in slots(planned, workers=4)] == [*GPUS, "GPU-aa"]


def test_without_cuda_there_is_a_slot_for_each_core(planned: tuple[PlannedCell, ...]) -> None:
    assert slots(planned, has_cuda=False) == tuple(Slot("here", i) for i in range(8))


@pytest.mark.parametrize(
    ("free", "need", "n_slots"),
    [(3 * GIB, None, 3), (3 * GIB, 2 * GIB, 1), (0, None, 1), (None, None, 8)],
)
def test_there_are_no_more_slots_on_the_cpu_than_memory_holds(
    planned: tuple[PlannedCell, ...], free: int | None, need: int | None, n_slots: int
) -> None:
    measured = tuple(replace(each, memory_bytes=need) for each in planned)
    machine = {**MACHINE, "memory_available_bytes": free}
    assert len(slots(measured, machine, has_cuda=False)) == n_slots


def test_there_are_no_more_slots_than_cells(planned: tuple[PlannedCell, ...]) -> None:
    assert len(slots(planned[:2], has_cuda=False)) == 2


def test_cells_that_ask_for_the_cpu_get_slots_of_it_beside_those_of_gpus(
    planned: tuple[PlannedCell, ...],
) -> None:
    first = planned[0]
    train = first.cell.train.model_copy(update={"device": "cpu"})
    on_cpu = replace(first, cell=replace(first.cell, train=train))
    assert [slot.gpu for slot in slots((on_cpu,))] == [None]
    both = slots((on_cpu, *planned[1:]), workers=1)
    assert [(slot.index, slot.gpu) for slot in both] == [(0, "GPU-aa"), (1, None)]


@pytest.mark.parametrize(
    ("visible", "gpus"),
    [
        (None, GPUS),
        ("", []),
        ("-1", []),
        ("2,0", ["GPU-b", "GPU-aa"]),
        ("GPU-b", ["GPU-b"]),
        ("GPU-a, 1", ["GPU-aa", "GPU-ab"]),
        ("7", []),
    ],
)
def test_gpus_that_cuda_visible_devices_leaves_out_are_not_ours(
    visible: str | None, gpus: list[str]
) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert visible_gpus(MACHINE, environment) == gpus


def test_cores_are_those_that_this_process_may_use() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
