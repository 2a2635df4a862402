"""Sweeps on a page, and what its buttons do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.run import Run
from convscope.sweeps.driving.folder import SweepFolder
from convscope.sweeps.planning.grid import make_sweep
from tests.web.conftest import Explorer

RECIPE = {
    "data": {"kind": "words", "folder": "nowhere", "words": ["bed", "bird"], "rate_hz": 2000},
    "model": {"family": "custom", "conv_layers": 2},
    "train": {"epochs": 4},
    "grid": {"product": {"model.base_channels": [2, 4]}},
}


@pytest.fixture
def sweep(tmp_path: Path) -> SweepFolder:
    """Two cells, one of which has failed as often as it may."""
    cells = [cell.name for cell in make_sweep([RECIPE], "demo").cells]
    made = SweepFolder(tmp_path / "runs", "demo")
    made.create([RECIPE], cells, threads=1)
    run = Run(made.out / cells[0])
    run.write_status(state="failed", reason="out of <memory>", attempts=3, failures=3)
    return made


def test_cells_stand_with_their_reasons(
    explore: Callable[..., Explorer], sweep: SweepFolder
) -> None:
    explorer = explore(sweep.out)
    assert "1 failed" in explorer.ask("/sweeps").text
    page = explorer.ask("/sweep/demo").text
    assert "out of &lt;memory&gt;" in page
    assert "base_channels" in page
    found = json.loads(explorer.ask("/sweep/demo?format=json").text)
    assert [cell["state"] for cell in found["cells"]] == ["waiting", "failed"]


def test_only_who_has_the_token_sees_buttons(
    explore: Callable[..., Explorer], sweep: SweepFolder
) -> None:
    explorer = explore(sweep.out)
    assert "<button name" not in explorer.ask("/sweep/demo").text
    assert "that <code>convscope serve</code> printed" in explorer.ask("/sweep/demo").text
    cookie = f"{explorer.access.cookie}={explorer.access.token}"
    assert "<button name" in explorer.ask("/sweep/demo", Cookie=cookie).text


def test_a_failed_cell_is_tried_again_and_a_waiting_one_left_out(
    explore: Callable[..., Explorer], sweep: SweepFolder
) -> None:
    explorer = explore(sweep.out)
    assert explorer.post("/sweep/demo/retry").status == 303
    waiting = sweep.cells[1]
    assert explorer.post("/sweep/demo/cancel", f"cell={waiting}".encode()).status == 303
    found = json.loads(explorer.ask("/sweep/demo?format=json").text)
    states = {cell["name"]: cell["state"] for cell in found["cells"]}
    assert states == {sweep.cells[0]: "waiting", waiting: "cancelled"}


def test_a_cell_of_no_sweep_is_a_mistake(
    explore: Callable[..., Explorer], sweep: SweepFolder
) -> None:
    answer = explore(sweep.out).post("/sweep/demo/cancel", b"cell=..%2Fetc")
    assert answer.status == 422
    assert "is no cell of the sweep demo" in answer.text


def test_a_damaged_sweep_says_so(explore: Callable[..., Explorer], sweep: SweepFolder) -> None:
    (sweep.path / "sweep.json").write_text("{")
    explorer = explore(sweep.out)
    assert "is damaged" in explorer.ask("/sweeps").text
    assert "is damaged" in explorer.ask("/sweep/demo").text
