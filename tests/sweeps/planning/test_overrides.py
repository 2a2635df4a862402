"""Assignments on the command line of a sweep: axes, and values that take an axis away."""

from typing import Any

import pytest

from convscope.errors import UserError
from convscope.sweeps.planning.overrides import override


def laid(assignment: str, grid: dict[str, Any] | None = None) -> dict[str, Any]:
    recipe: dict[str, Any] = {"model": {"family": "custom"}, "train": {}}
    if grid is not None:
        recipe["grid"] = grid
    override(recipe, assignment)
    return recipe


@pytest.mark.parametrize(
    ("assignment", "key", "values"),
    [
        ("model.dropout=0.25,0.5", "model.dropout", [0.25, 0.5]),
        ("model.batch_norm=true, false", "model.batch_norm", [True, False]),
        ("data.words=[a,b],[b,c]", "data.words", [["a", "b"], ["b", "c"]]),
        ('data.kind="a,b",c', "data.kind", ["a,b", "c"]),
        ("train.augment={noise: 1, mixup: 0},{}", "train.augment", [{"noise": 1, "mixup": 0}, {}]),
        ("train.learning_rate=1e-3,null", "train.learning_rate", [0.001, None]),
    ],
)
def test_a_comma_outside_brackets_and_quotes_makes_an_axis(
    assignment: str, key: str, values: list[Any]
) -> None:
    assert laid(assignment)["grid"] == {"product": {key: values}}


def test_axes_stand_behind_the_recipe_s_in_the_order_given() -> None:
    recipe = laid("model.kernel=3,5", {"product": {"model.dropout": [0]}})
    override(recipe, "model.base_channels=4,8")
    assert list(recipe["grid"]["product"]) == [
        "model.dropout",
        "model.kernel",
        "model.base_channels",
    ]


def test_an_axis_replaces_that_of_the_recipe_wherever_it_stands() -> None:
    zipped = {"model.kernel": [3, 5], "model.dropout": [0, 0.5]}
    grid = laid("model.kernel=7,9", {"zip": zipped, "product": {"model.base_channels": [4]}})[
        "grid"
    ]
    assert grid["zip"] == {"model.dropout": [0, 0.5]}
    assert list(grid["product"]) == ["model.base_channels", "model.kernel"]


def test_a_single_value_takes_the_axis_away() -> None:
    recipe = laid("model.kernel=7", {"product": {"model.kernel": [3, 5]}, "zip": [{}], "seeds": 2})
    assert recipe["model"]["kernel"] == 7
    assert recipe["grid"] == {"seeds": 2}


@pytest.mark.parametrize("assignment", ["train.seed=4", "train.seed=4,5"])
def test_seeds_give_way_to_a_seed_or_an_axis_of_them(assignment: str) -> None:
    assert "seeds" not in laid(assignment, {"seeds": 3})["grid"]


def test_an_entry_of_exclude_goes_with_the_value_that_it_asks_for() -> None:
    kernels = {"product": {"model.kernel": [3, 5, 7]}}
    entries = [{"model.kernel": 3}, {"model.kernel": [5, 7]}, {"model.dropout": 0}]
    grid = laid("model.kernel=7", {**kernels, "exclude": entries})["grid"]
    assert grid == {"exclude": entries[1:]}


def test_keys_of_grid_and_sweep_can_be_set() -> None:
    assert laid("sweep.attempts=5")["sweep"] == {"attempts": 5}
    assert laid("grid.seeds=2", {"product": {}})["grid"] == {"product": {}, "seeds": 2}


def test_laying_leaves_the_values_of_others_alone() -> None:
    grid = {"product": {"model.kernel": [3, 5]}, "exclude": [{"model.kernel": 3}]}
    laid("model.kernel=7", grid)
    assert grid == {"product": {"model.kernel": [3, 5]}, "exclude": [{"model.kernel": 3}]}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("model.kernel=3,", "model.kernel=3,: expected a value before and after each comma"),
        ("sweep.attempts=1,2", r"sweep.attempts is no axis: .*sweep.attempts=\[1,2\]"),
        ("data.folder=/a,b", """data.folder does not .* quotes for .*, data.folder='"/a,b"'"""),
        ("model.kernel=[3,5", "model.kernel=.*: expected a YAML value after ="),
        ("kernel=3,5", "kernel=3,5: expected section.key=value such as train.epochs=5"),
        ("modle.kernel=3,5", r"modle is not a section of a recipe \(did you mean 'model'\?\)"),
    ],
)
def test_a_wrong_assignment_is_named_with_what_to_do(assignment: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        laid(assignment)
