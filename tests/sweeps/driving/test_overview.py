"""Sweeps as they are seen, tried again and cancelled from outside."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.run import Run
from convscope.sweeps.driving.folder import SweepFolder
from convscope.sweeps.driving.overview import cancel, cells_of, overview, retry
from convscope.sweeps.planning.grid import make_sweep
from convscope.training.attempt import held

GRID = {"product": {"model.kernel": [3, 5, 7, 9]}}


@pytest.fixture
def sweep(cells: Callable[..., Any], leave_run: Callable[..., Run], tmp_path: Path) -> SweepFolder:
    """Four cells: one is done, one is half trained, one has failed, one was not begun."""
    config = cells(model__kernel=[3])[0].config
    recipe = make_sweep([{**config, "grid": GRID}], "grid")
    done, half, failed, _ = recipe.cells
    leave_run(done, seconds=[1.0], done=True, state="done")
    leave_run(half, seconds=[1.0], state="interrupted", reason="the power went")
    leave_run(failed, state="failed", reason="too large", failures=3, failed_after=0)
    folder = SweepFolder(tmp_path, recipe.name)
    folder.create(recipe.recipes, [cell.name for cell in recipe.cells], threads=1)
    return folder


def states(sweep: SweepFolder) -> list[str]:
    return [cell.state for cell in cells_of(sweep)]


def test_a_sweep_is_seen_as_its_run_folders_are(sweep: SweepFolder) -> None:
    assert states(sweep) == ["done", "waiting", "failed", "waiting"]
    assert [cell.reason for cell in cells_of(sweep)][1:3] == ["the power went", "too large"]
    [row] = overview(sweep.out)
    assert (row.cells, row.done, row.waiting, row.failed) == (4, 1, 2, 1)
    assert row.driver is None


def test_a_sweep_made_before_a_setting_came_is_still_of_the_cells_it_was_made_of(
    leave_run: Callable[..., Run], tmp_path: Path
) -> None:
    data = {"kind": "words", "words": ["zero", "one"], "rate_hz": 1000}
    product = {"model.family": ["baseline1d", "custom"], "model.conv_layers": [2]}
    recipe = {"data": data, "train": {"epochs": 2}, "grid": {"product": product}}
    product_then = {**product, "model.pool_padding": ["behind"]}
    then = make_sweep([{**recipe, "grid": {"product": product_then}}]).cells
    names = [cell.name for cell in then]
    leave_run(then[0], seconds=[1.0], done=True, state="done")
    folder = SweepFolder(tmp_path, "old")
    folder.create([recipe], names, threads=1)
    assert [cell.cell.name for cell in cells_of(folder)] == names
    assert states(folder) == ["done", "waiting"]
    now = SweepFolder(tmp_path, "now")
    now.create([recipe], [cell.name for cell in make_sweep([recipe]).cells], threads=1)
    assert [cell.cell.name for cell in cells_of(now)] == now.cells != names
    assert states(now) == ["waiting", "waiting"]


def test_a_cell_that_a_process_trains_runs_and_the_driver_is_named(sweep: SweepFolder) -> None:
    run = Run(sweep.out / sweep.cells[1])
    run.write_status(state="running")
    with sweep.held(), held(run):
        [row] = overview(sweep.out)
    assert (row.running, row.waiting) == (1, 1)
    assert str(row.driver).startswith("process ")
    assert states(sweep)[1] == "waiting", "its process is dead"


def test_a_driver_that_has_not_said_yet_who_it_is_breaks_nothing(sweep: SweepFolder) -> None:
    with sweep.held():
        (sweep.path / "driver.json").unlink()
        assert overview(sweep.out)[0].driver is not None


def test_failed_and_cancelled_cells_are_tried_again(sweep: SweepFolder) -> None:
    _, _, failed, last = sweep.cells
    assert cancel(sweep, [last]) == [last]
    assert states(sweep) == ["done", "waiting", "failed", "cancelled"]
    assert retry(sweep, []) == [failed, last]
    assert states(sweep) == ["done", "waiting", "waiting", "waiting"]
    assert retry(sweep, []) == []


def test_one_cell_alone_is_tried_again(sweep: SweepFolder) -> None:
    last = sweep.cells[-1]
    cancel(sweep, [last])
    assert retry(sweep, [last]) == [last]
    assert states(sweep) == ["done", "waiting", "failed", "waiting"]


def test_names_that_make_no_sense_are_refused_in_words(sweep: SweepFolder) -> None:
    done, half, *_ = sweep.cells
    with pytest.raises(UserError, match=f"{done} is done already: leave it out"):
        cancel(sweep, [done])
    with pytest.raises(UserError, match=f"{half} is neither failed nor cancelled: leave it out"):
        retry(sweep, [half])
    with pytest.raises(UserError, match=f"{half[:-1]} is no cell of the sweep .*{half}"):
        cancel(sweep, [half[:-1]])
    assert states(sweep) == ["done", "waiting", "failed", "waiting"]


def test_a_folder_without_sweeps_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no sweep: give another --out"):
        overview(tmp_path)
