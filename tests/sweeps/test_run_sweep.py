"""Whole sweeps in worker processes: each kind of failure ends in a state that says what it was."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from convscope.data.load import load_dataset
from convscope.errors import RunFailed, UserError
from convscope.run import EPOCHS, MODEL, PREDICTIONS, SCORES, STATE, Run
from convscope.sweeps.driving.cells import Standing
from convscope.sweeps.driving.folder import find_sweeps
from convscope.training.attempt import Interrupted
from convscope.training.cell import Cell, make_cell
from convscope.training.fit import Watcher, fit

Recipe = dict[str, Any]
Train = Callable[..., tuple[Standing, list[str]]]

JUMPING_CLOCK = """
import random, time
time.time = lambda: random.uniform(-1e9, 1e10)
"""


def with_model(recipe: Recipe, model: Mapping[str, Any]) -> Recipe:
    return {**recipe, "model": dict(model)}


def a_net(recipe: Recipe, nets: Path, name: str) -> Recipe:
    return with_model(recipe, {"family": f"{nets}:{name}"})


def with_sweep(recipe: Recipe, **sweep: Any) -> Recipe:
    return {**recipe, "sweep": sweep}


class StopAfterAnEpoch(Watcher):
    def epoch(self, row: dict[str, float]) -> None:
        raise Interrupted("for a test")


def half_train(cell: Cell, out: Path) -> Run:
    with pytest.raises(Interrupted):
        fit(cell.model, load_dataset(cell.data), cell.train, out, StopAfterAnEpoch())
    return Run(out / cell.name)


def states(standing: Standing) -> dict[str, str]:
    return {cell.name: cell.state for cell in standing.cells}


def reasons(standing: Standing) -> dict[str, str | None]:
    return {cell.name: cell.reason for cell in standing.cells}


def results(run: Run) -> tuple[Any, ...]:
    rows = [{**row, "seconds": None} for row in run.epochs]
    return (rows, *(run.path(name).read_bytes() for name in (MODEL, PREDICTIONS, SCORES)))


def temporary_files(out: Path) -> list[Path]:
    return [path for path in out.rglob(".*") if path.is_file()]


def test_bad_cells_and_a_clock_that_jumps_harm_no_other_cell(
    small_recipe: Recipe,
    nets: Path,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One sweep of a cell that was half trained, one with a damaged state, and three bad nets."""
    out, calm = tmp_path / "runs", tmp_path / "calm"
    whole = small_recipe
    damaged = with_model(small_recipe, {**small_recipe["model"], "conv_layers": 3})
    bad = [a_net(small_recipe, nets, name) for name in ("dies", "fails", "misses_a_file")]
    cells = [make_cell(each) for each in (whole, damaged, *bad)]
    good_names = [cell.name for cell in cells[:2]]
    for cell in cells[:2]:
        fit(cell.model, load_dataset(cell.data), cell.train, calm)
        half_train(cell, out)
    Run(out / cells[1].name).write(STATE, b"no state")

    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(JUMPING_CLOCK)
    path = os.pathsep.join([str(tmp_path / "clock"), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path.rstrip(os.pathsep))
    jumps = iter(range(10**9, 10**10, 10**5))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    recipes = [with_sweep(each, attempts=2) for each in (whole, damaged, *bad)]
    standing, lines = train(recipes, out)
    monkeypatch.undo()

    assert states(standing) == {
        **dict.fromkeys(good_names, "done"),
        **{cell.name: "failed" for cell in cells[2:]},
    }
    for name in good_names:
        assert results(Run(out / name)) == results(Run(calm / name))
    assert any(f"{good_names[0]} starts after epoch 1" in line for line in lines)
    why = reasons(standing)
    again = f"{cells[2].name} failed and is tried again: its worker was ended by SIGSEGV"
    assert again in lines
    assert why[cells[2].name] == "its worker was ended by SIGKILL (out of memory?)"
    assert "failed in training: ValueError: a layer too many" in str(why[cells[3].name])
    assert "FileNotFoundError: [Errno 2] No such file" in str(why[cells[4].name])
    for cell in cells[2:]:
        tried = [line for line in lines if line.startswith(f"{cell.name} starts")]
        assert len(tried) == 2
        assert Run(out / cell.name).status["failures"] == 2
    assert temporary_files(out) == []
    assert not (find_sweeps(out)[0].path / "driver.json").exists()
    printed = (find_sweeps(out)[0].path / "workers.txt").read_text()
    assert f"{good_names[1]} is trained from its start" in printed


def test_what_is_kept_as_failed_is_not_tried_again(
    small_recipe: Recipe, train: Train, tmp_path: Path
) -> None:
    """Nothing is left to do, so that no worker is started."""
    cell = make_cell(small_recipe)
    run = Run(tmp_path / cell.name)
    run.write_status(state="failed", reason="it was too large", failures=3, failed_after=0)
    standing, lines = train([small_recipe], tmp_path)
    assert reasons(standing) == {cell.name: "it was too large"}
    assert lines == ["1 cell: 1 failed"]


def test_data_that_disappear_in_the_middle_fail_the_cells_that_need_them_until_they_are_back(
    small_recipe: Recipe, recordings: Path, train: Train, tmp_path: Path
) -> None:
    folder, away = tmp_path / "recordings", tmp_path / "away"
    subprocess.run(["cp", "-r", recordings, folder], check=True)
    data = {**small_recipe["data"], "folder": str(folder)}
    grid = {"product": {"data.rate_hz": [2000, 1000]}}
    recipe = {**small_recipe, "data": data, "grid": grid}

    def take_away(line: str) -> None:
        if " is done: " in line:
            folder.rename(away)

    standing, _ = train([recipe], tmp_path / "runs", take_away)
    assert sorted(states(standing).values()) == ["done", "failed"]
    [reason] = [reason for reason in reasons(standing).values() if reason]
    assert f"{folder} does not exist" in reason
    folder_names = [path.name for path in (tmp_path / "runs").glob(f"*/{EPOCHS}")]
    assert len(folder_names) == 1

    away.rename(folder)
    standing, _ = train([recipe], tmp_path / "runs")
    assert set(states(standing).values()) == {"done"}


def test_data_that_were_never_there_fail_every_cell_in_words(
    small_recipe: Recipe, train: Train, tmp_path: Path
) -> None:
    data = {**small_recipe["data"], "folder": str(tmp_path / "nowhere")}
    recipe = {**small_recipe, "data": data, "grid": {"seeds": 3}}
    standing, _ = train([recipe], tmp_path / "runs", workers=2)
    assert set(states(standing).values()) == {"failed"}
    assert all("nowhere does not exist" in str(reason) for reason in reasons(standing).values())


def test_a_file_that_cannot_be_written_ends_the_sweep_and_counts_no_failure(
    small_recipe: Recipe, nets: Path, train: Train, tmp_path: Path
) -> None:
    """A limit on the size of files, which the kernel heeds, stands for a disk's."""
    recipe = a_net(small_recipe, nets, "fills_the_disk")
    out = tmp_path / "runs"
    with pytest.raises((RunFailed, UserError), match=r"cannot be written \(File too large\)"):
        train([recipe], out)
    status = Run(out / make_cell(recipe).name).status
    assert "failures" not in status
    assert temporary_files(out) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, with room for little; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", folder], check=True)


def test_a_disk_that_is_full_or_turns_read_only_ends_the_sweep_and_the_next_goes_on(
    small_recipe: Recipe, train: Train, small_disk: Path
) -> None:
    model = {**small_recipe["model"], "base_channels": 64}
    recipe, out = with_model(small_recipe, model), small_disk / "runs"
    cell = make_cell(recipe)
    with pytest.raises(RunFailed, match=r"the disk of .* is full: free some space"):
        train([recipe], out)
    assert Run(out / cell.name).epochs == []
    assert temporary_files(out) == []

    remount(small_disk, "size=50m,ro")
    with pytest.raises(UserError, match=r"runs cannot be written \(Read-only file system\)"):
        train([recipe], out)

    remount(small_disk, "rw")
    standing, _ = train([recipe], out)
    assert states(standing) == {cell.name: "done"}
    assert Run(out / cell.name).status.get("failures", 0) == 0


def test_what_a_killed_process_left_is_removed_and_the_result_stays(
    small_recipe: Recipe, train: Train, tmp_path: Path
) -> None:
    """It was killed after the manifest, and its driver while it wrote who it is."""
    cell = make_cell(small_recipe)
    run = fit(cell.model, load_dataset(cell.data), cell.train, tmp_path)
    before = run.path("manifest.json").stat()
    run.write(STATE, b"of the last epoch")
    train([small_recipe], tmp_path)
    sweep = find_sweeps(tmp_path)[0]
    (sweep.path / ".driver.json.x").write_text("{")
    run.path(".status.json.x").write_text("{")
    run.write(STATE, b"of the last epoch")
    standing, _ = train([small_recipe], tmp_path)
    assert states(standing) == {cell.name: "done"}
    assert not run.path(STATE).exists()
    assert temporary_files(tmp_path) == []
    assert run.path("manifest.json").stat() == before
