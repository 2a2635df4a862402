"""convscope sweep: what it trains, who else may, and what ends it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from convscope.run import Run

Convscope = Callable[..., Any]

GRID = """
data: {kind: words, words: [low, high], rate_hz: 2000, seconds: 0.25}
model: {family: custom, conv_layers: 2, base_channels: 4}
train: {epochs: 2, batch_size: 16, threads: 1, device: cpu}
grid:
  product: {model.dropout: [0, 0.5]}
"""

NETS = """
import ctypes, sys, time
from pathlib import Path
from torch import nn

HERE = Path(__file__).parent


class Net(nn.Module):
    def __init__(self, shape, n_classes):
        super().__init__()
        self.layer = nn.Linear(shape[-1], n_classes)

    def forward(self, clips):
        is_worker = "convscope.sweeps.local.worker" in sys.orig_argv
        if is_worker and self.training and len(clips) > 4:
            while (HERE / "wait").exists():
                (HERE / "waits").touch()
                time.sleep(0.01)
            if (HERE / "hang").exists():
                (HERE / "hangs").touch()
                ctypes.PyDLL(None).sleep(1000)  # which holds the interpreter
        return self.layer(clips.flatten(1))
"""

NET = """
data: {{kind: words, words: [low, high], rate_hz: 2000, seconds: 0.25}}
model: {{family: "{path}:Net"}}
train: {{epochs: 2, batch_size: 16, threads: 1, device: cpu}}
"""


def until(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait for what another process does: here alone is waited by looking again and again."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID)
    return path


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A recipe of one cell, whose net waits or hangs while there is a file that says so."""
    (tmp_path / "nets.py").write_text(NETS)
    path = tmp_path / "net.yaml"
    path.write_text(NET.format(path=tmp_path / "nets.py"))
    return path


Driver = Callable[[], subprocess.Popen[str]]


def _heed_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def driver(net: Path, recordings: Path, tmp_path: Path) -> Iterator[Driver]:
    """Start `convscope sweep` of the net as a process of its own."""
    started = []

    def start() -> subprocess.Popen[str]:
        arguments = ["sweep", net, f"data.folder={recordings}", "--out", tmp_path / "runs"]
        command = [sys.executable, "-m", "convscope", *map(str, arguments)]
        process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            preexec_fn=_heed_ctrl_c,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def the_run(out: Path) -> Run:
    [run] = [Run(path) for path in out.iterdir() if path.name != "sweeps"]
    return run


def the_log(out: Path) -> str:
    [log] = out.glob("sweeps/*/log.txt")
    return log.read_text()


def is_alive(pid: int) -> bool:
    """Whether one of its threads runs; dead ones stay listed until somebody waited for them."""
    stats = Path(f"/proc/{pid}/task").glob("*/stat")
    try:
        return any(stat.read_text().rpartition(")")[2].split()[0] not in "ZX" for stat in stats)
    except OSError:
        return is_alive(pid)  # one of them has just ended


def test_a_dry_run_lists_every_cell_and_writes_nothing(
    convscope: Convscope, grid: Path, tmp_path: Path
) -> None:
    answer = convscope("sweep", grid, "--dry-run", "--json", "--out", tmp_path / "runs")
    cells = [json.loads(line) for line in answer.out.splitlines()]
    assert [cell["dropout"] for cell in cells] == [0, 0.5]
    assert {cell["state"] for cell in cells} == {"waiting"}
    answer = convscope("sweep", grid, "--dry-run", "--out", tmp_path / "runs")
    assert "2 cells, 0 done" in answer.out
    assert not (tmp_path / "runs").exists()


def test_words_that_are_no_recipe_are_refused(convscope: Convscope, tmp_path: Path) -> None:
    answer = convscope("sweep", "train.epochs=5")
    assert (answer.code, answer.out) == (2, "")
    assert "expected at least one recipe, a YAML file" in answer.err
    answer = convscope("sweep", tmp_path / "none.yaml", "--ray", "auto", "--workers", "2")
    assert answer.code == 2
    assert "give --workers or --ray, not both" in answer.err


def test_a_sweep_trains_all_cells_once_and_says_so(
    convscope: Convscope, grid: Path, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    arguments = ("sweep", grid, f"data.folder={recordings}", "--out", out, "--workers", "1")
    answer = convscope(*arguments, "--json")
    assert answer.code == 0, answer.err
    runs = [Run(each["run"]) for each in answer.json["runs"]]
    assert answer.json | {"runs": None} == {
        "out": str(out),
        "cells": 2,
        "done": 2,
        "failed": 0,
        "waiting": 0,
        "cancelled": 0,
        "runs": None,
    }
    assert all(run.is_done for run in runs)
    assert answer.err.count(" is done: test accuracy ") == 2
    before = [run.path("manifest.json").stat() for run in runs]

    answer = convscope(*arguments)
    assert answer.code == 0
    assert answer.out.splitlines() == ["2 cells: 2 done", str(out)]
    assert "starts" not in answer.err
    assert [run.path("manifest.json").stat() for run in runs] == before


def test_a_cell_that_failed_is_told_in_words_and_by_the_exit_code(
    convscope: Convscope, grid: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    answer = convscope("sweep", grid, f"data.folder={tmp_path / 'nowhere'}", "--out", out)
    assert answer.code == 1
    assert answer.err.count("nowhere does not exist") == 2
    assert "2 cells: 2 failed" in answer.out


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux ends a worker that hangs")
def test_one_process_drives_a_sweep_until_it_is_dead_and_its_workers_die_with_it(
    convscope: Convscope, driver: Driver, net: Path, recordings: Path, tmp_path: Path
) -> None:
    """Even a worker that hangs in a library and holds the interpreter meanwhile."""
    out = tmp_path / "runs"
    arguments = ("sweep", net, f"data.folder={recordings}", "--out", out)
    (tmp_path / "hang").touch()
    first = driver()
    until((tmp_path / "hangs").exists)
    run = the_run(out)
    worker = run.status["pid"]

    answer = convscope(*arguments)
    assert answer.code == 2
    assert f"is driven by process {first.pid} on " in answer.err
    assert " since " in answer.err
    [row] = convscope("sweeps", "ls", "--out", out, "--json").json
    assert (row["running"], row["waiting"]) == (1, 0)
    assert is_alive(worker)

    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not is_alive(worker), seconds=2)
    first.wait()
    [row] = convscope("sweeps", "ls", "--out", out, "--json").json
    assert (row["running"], row["waiting"], row["driver"]) == (0, 1, None)

    (tmp_path / "hang").unlink()
    answer = convscope(*arguments)
    assert answer.code == 0, answer.err
    assert f"takes over from process {first.pid} on " in the_log(out)
    assert run.is_done
    assert "failures" not in run.status


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_driver_that_is_interrupted_keeps_all_and_counts_no_attempt(
    driver: Driver, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "wait").touch()
    process = driver()
    until((tmp_path / "waits").exists)
    run = the_run(tmp_path / "runs")
    worker = run.status["pid"]
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert err.splitlines()[-1] == ("convscope: interrupted; the same command goes on from here")
    assert not is_alive(worker)
    assert run.status["state"] == "interrupted"
    assert "failures" not in run.status
    assert list((tmp_path / "runs").glob("sweeps/*/driver.json")) == []
    assert "1 cell: 1 waiting" in the_log(tmp_path / "runs")
