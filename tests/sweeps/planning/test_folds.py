"""All folds as an axis of a grid."""

from pathlib import Path
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.sweeps.planning.folds import with_all_folds
from convscope.sweeps.planning.grid import make_sweep


def recipe(**data: Any) -> dict[str, Any]:
    values = {"kind": "sounds", "classes": ["a", "b"], "fold": "all", **data}
    return {"data": values, "model": {"family": "custom"}}


def test_all_folds_are_a_cell_each() -> None:
    sweep = make_sweep([recipe(folds={"n": 4})])
    assert [cell.config["data"]["fold"] for cell in sweep.cells] == [1, 2, 3, 4]
    assert len({cell.name for cell in sweep.cells}) == 4


def test_folds_stand_beside_the_other_axes() -> None:
    crossed = {
        **recipe(folds={"n": 3}),
        "grid": {"product": {"model.dropout": [0, 0.5]}, "seeds": 2},
    }
    assert len(make_sweep([crossed]).cells) == 3 * 2 * 2


def test_the_recipes_that_a_sweep_keeps_make_the_same_cells_without_data(tmp_path: Path) -> None:
    for label in "ab":
        for session in ("x", "y", "z"):
            (tmp_path / f"{label}_{session}.wav").touch()
    published = recipe(folder=str(tmp_path), pattern="{label}_{session}", folds={"by": "session"})
    sweep = make_sweep([published])
    assert [cell.config["data"]["fold"] for cell in sweep.cells] == [1, 2, 3]
    for file in tmp_path.iterdir():
        file.unlink()
    again = make_sweep(sweep.recipes)
    assert [cell.name for cell in again.cells] == [cell.name for cell in sweep.cells]


def test_other_recipes_are_left_as_they_are() -> None:
    for plain in (recipe(fold=2, folds={"n": 3}), {"data": {"kind": "mnist"}}, {}):
        assert with_all_folds(plain) == plain


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, r"data\.fold=all has no effect without data\.folds"),
        ({"folds": {"n": 2}}, r"data\.folds\.n: expected greater than or equal to 3"),
        (
            {"folds": {"by": "who"}, "pattern": "{label}_{who}", "folder": "/none/there"},
            r"the folds by who cannot be counted \(data\.folder: .*name them, data\.fold=1,2,3",
        ),
    ],
)
def test_folds_that_are_not_there_are_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_sweep([recipe(**data)])
