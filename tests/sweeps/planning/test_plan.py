"""What is done of a sweep and what is left: read from run folders, none of which is changed."""

import csv
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.models.cnn import build
from convscope.models.families import FAMILIES
from convscope.plain_yaml import load
from convscope.run import EPOCHS, STATE, Run
from convscope.sweeps.planning.grid import make_sweep
from convscope.sweeps.planning.plan import PlannedCell, as_json, order, plan
from convscope.training.cell import Cell

Cells = Callable[..., tuple[Cell, ...]]
LeaveRun = Callable[..., Run]

REFERENCE = Path(__file__).parents[2] / "reference" / "accuracy_tables.csv"


def only(cell: Cell, out: Path) -> PlannedCell:
    (planned,) = plan([cell], out, attempts=3)
    return planned


def standing(planned: PlannedCell) -> tuple[str, str | None, int]:
    return planned.state, planned.reason, planned.epochs


def test_without_any_run_all_cells_wait(cells: Cells, tmp_path: Path) -> None:
    planned = plan(cells(model__kernel=[3, 5]), tmp_path / "none", attempts=3)
    assert [standing(each) for each in planned] == [("waiting", None, 0)] * 2


def test_a_cell_is_done_where_its_manifest_is(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    (cell,) = cells()
    leave_run(cell, [1.0], done=True, state="failed", failures=9)
    assert standing(only(cell, tmp_path)) == ("done", None, 0)


def test_a_half_trained_cell_waits_with_the_epochs_that_it_keeps(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    (cell,) = cells()
    leave_run(cell, [1.0, 1.0, 1.0], state="interrupted", reason="interrupted by the user")
    assert standing(only(cell, tmp_path)) == ("waiting", "interrupted by the user", 3)


@pytest.mark.parametrize("lost", [STATE, EPOCHS])
def test_epochs_without_the_state_to_go_on_from_do_not_count(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path, lost: str
) -> None:
    (cell,) = cells()
    leave_run(cell, [1.0, 1.0]).path(lost).unlink()
    assert only(cell, tmp_path).epochs == 0


def test_a_cell_runs_only_while_a_process_holds_its_folder(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    (cell,) = cells()
    run = leave_run(cell, [1.0], state="running")
    descriptor = os.open(run.folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert standing(only(cell, tmp_path)) == ("running", None, 1)
    os.close(descriptor)
    assert standing(only(cell, tmp_path)) == ("waiting", None, 1)


def test_a_look_at_a_plan_holds_no_folder_and_writes_nothing(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path
) -> None:
    (cell,) = cells()
    run = leave_run(cell, [1.0], state="running")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    plan([cell], tmp_path, attempts=3)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    descriptor = os.open(run.folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


@pytest.mark.parametrize(("failures", "state"), [(0, "waiting"), (2, "waiting"), (3, "failed")])
def test_a_cell_has_failed_after_so_many_failures_in_a_row(
    cells: Cells, leave_run: LeaveRun, tmp_path: Path, failures: int, state: str
) -> None:
    (cell,) = cells()
    leave_run(cell, state="failed", reason="the loss exploded", failures=failures)
    assert standing(only(cell, tmp_path)) == (state, "the loss exploded", 0)


def test_a_damaged_status_is_none(cells: Cells, leave_run: LeaveRun, tmp_path: Path) -> None:
    (cell,) = cells()
    leave_run(cell, state="failed", failures=3).write("status.json", "{")
    assert only(cell, tmp_path).state == "waiting"


def test_a_file_in_place_of_the_folder_of_runs_is_named(cells: Cells, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match=r"runs cannot be read \(Not a directory\): expected the f"):
        plan(cells(), tmp_path / "runs", attempts=3)


def test_parameters_are_those_of_the_net_that_is_built(cells: Cells, tmp_path: Path) -> None:
    for each in plan(cells(model__kernel=[3, 5], model__batch_norm=[False, True]), tmp_path, 3):
        net = build(each.cell.model, each.cell.data.shape, 3)
        assert each.params == sum(parameter.numel() for parameter in net.parameters())


def test_what_only_the_folder_knows_is_null(tmp_path: Path) -> None:
    recipe = {"data": {"kind": "words"}, "model": {"family": "custom"}}
    planned = only(make_sweep([recipe]).cells[0], tmp_path)
    assert (planned.params, planned.flops, planned.memory_bytes, planned.seconds) == (None,) * 4


def test_half_trained_cells_go_first_then_the_costliest_and_unknown_ones_last(
    cells: Cells, tmp_path: Path
) -> None:
    small, unknown, large, begun, as_large = plan(
        cells(model__kernel=[3, 9, 5, 7, 11]), tmp_path, attempts=3
    )
    small, large, as_large = (
        replace(each, flops=flops) for each, flops in ((small, 10), (large, 90), (as_large, 90))
    )
    unknown, begun = replace(unknown, flops=None), replace(begun, flops=1, epochs=2)
    given = [small, unknown, large, begun, as_large]
    assert order(given) == [begun, large, as_large, small, unknown]


def test_a_training_of_more_epochs_costs_more(cells: Cells, tmp_path: Path) -> None:
    planned = plan(cells(train__epochs=[5, 50, 20]), tmp_path, attempts=3)
    assert [each.cell.train.epochs for each in order(planned)] == [50, 20, 5]


def test_json_spells_values_as_the_reference_does(tmp_path: Path) -> None:
    """A row of the reference, put into a recipe, comes back as the same text."""
    with REFERENCE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    keys = list(rows[0])[1:10]
    for row in rows[::5]:
        stated = {key: row[key] for key in keys if row[key]}
        came = json.loads(json.dumps(as_json(only(_cell_of(stated), tmp_path))))
        assert {key: str(came[key]) for key in stated} == stated


def _cell_of(stated: dict[str, str]) -> Cell:
    model: dict[str, Any] = {
        key: load(value) if key != "family" else value for key, value in stated.items()
    }
    data: dict[str, Any] = {"kind": "words", "words": ["one", "two"]}
    if FAMILIES[stated["family"]].n_dims == 2:
        data["spectrogram"] = "reports"
    return make_sweep([{"data": data, "model": model}]).cells[0]


def test_json_names_all_that_tells_cells_apart(cells: Cells, tmp_path: Path) -> None:
    all_cells = cells(
        data__rate_hz=[1000, 2000],
        train__seed=[0, 1],
        train__learning_rate=[0.1, 1],
        model__pool=[
            "after",
            "before",
        ],
    )
    told = {json.dumps({**as_json(each), "run": ""}) for each in plan(all_cells, tmp_path, 3)}
    assert len(told) == len(all_cells) == 16


def test_json_of_a_user_s_own_net_has_null_for_the_keys_of_families(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "from torch import nn\n"
        "def make_net(shape, n): return nn.Sequential(nn.Flatten(), nn.Linear(100, n))\n"
    )
    data = {"kind": "words", "words": ["a", "b"], "rate_hz": 100}
    (cell,) = make_sweep([{"data": data, "model": {"family": f"{file}:make_net"}}]).cells
    came = as_json(only(cell, tmp_path))
    assert (came["family"], came["params"], came["flops"]) == (f"{file}:make_net", 202, 400)
    assert [came[key] for key in ("conv_layers", "kernel", "dropout", "batch_norm")] == [None] * 4
