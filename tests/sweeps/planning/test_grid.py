"""A grid's cells against a slow, obvious enumeration; and every mistake in it by its words."""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import UserError
from convscope.sweeps.planning.grid import expand, make_sweep, read_sweep

Recipe = dict[str, Any]
Combination = dict[str, Any]


def recipe(**grid: Any) -> Recipe:
    return {
        "data": {"kind": "words", "words": ["zero", "one", "two"]},
        "model": {"family": "custom", "conv_layers": 2, "base_channels": 4},
        "train": {"epochs": 3},
        "grid": grid,
    }


def kernels_and_rates(*recipes: Recipe) -> list[tuple[Any, ...]]:
    cells = make_sweep(recipes).cells
    return [(c.model.kernel, c.model.dropout, c.train.seed) for c in cells]  # type: ignore[union-attr]


KEYS = [f"{section}.{key}" for section in ("data", "model", "train.deep") for key in "abc"]
VALUES = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)


@st.composite
def grids(draw: st.DrawFn) -> Recipe:
    """Keys shared out among zips and the product, seeds or none, and entries to exclude."""
    keys = draw(st.permutations(KEYS))
    zips = [draw(_zips(keys[:2])), draw(_zips(keys[2:4]))][: draw(st.integers(0, 2))]
    chosen = keys[4 : 4 + draw(st.integers(0, 3))]
    entry = st.dictionaries(
        st.sampled_from(keys), st.integers(0, 3) | VALUES, min_size=1, max_size=2
    )
    return {
        "zip": zips,
        "product": {key: draw(VALUES) for key in chosen},
        "seeds": draw(st.none() | st.integers(1, 3) | VALUES),
        "exclude": draw(st.lists(entry, max_size=2)),
    }


def _zips(keys: list[str]) -> st.SearchStrategy[Recipe]:
    def equally_long(n: int) -> st.SearchStrategy[Recipe]:
        values = st.lists(st.integers(0, 3), min_size=n, max_size=n, unique=True)
        return st.fixed_dictionaries(dict.fromkeys(keys, values))

    return st.integers(1, 3).flatmap(equally_long)


def slow_expand(grid: Mapping[str, Any]) -> list[Combination]:
    """Every value of every key with every other; then those go that are not side by side."""
    seeds = grid["seeds"]
    axes = {key: values for zipped in grid["zip"] for key, values in zipped.items()}
    axes |= grid["product"]
    if seeds is not None:
        axes["train.seed"] = list(range(seeds)) if isinstance(seeds, int) else seeds
    everything = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    return [
        combination
        for combination in everything
        if all(_side_by_side(combination, zipped) for zipped in grid["zip"])
        and not any(_is_excluded(combination, entry) for entry in grid["exclude"])
    ]


def _side_by_side(combination: Combination, zipped: Mapping[str, list[int]]) -> bool:
    return len({values.index(combination[key]) for key, values in zipped.items()}) == 1


def _is_excluded(combination: Combination, entry: Mapping[str, Any]) -> bool:
    for key, wanted in entry.items():
        any_of = wanted if isinstance(wanted, list) else [wanted]
        if combination.get(key) not in any_of:
            return False
    return True


def _get(sections: Any, key: str) -> Any:
    for part in key.split("."):
        sections = sections[part]
    return sections


@given(grids())
def test_the_cells_are_those_of_the_slow_enumeration_in_its_order(grid: Recipe) -> None:
    expected = slow_expand(grid)
    used = [
        any(_is_excluded(each, entry) for each in slow_expand({**grid, "exclude": []}))
        for entry in grid["exclude"]
    ]
    base = {"data": {}, "model": {}, "train": {"epochs": 5}, "grid": grid}
    if not all(used) or not expected:
        with pytest.raises(UserError, match=r"^grid\.exclude"):
            list(expand(base))
        return
    came = list(expand(base))
    assert [{key: _get(cell, key) for key in each} for cell, each in _pairs(came, expected)] == (
        expected
    )
    assert all(cell["train"]["epochs"] == 5 for cell in came)


def _pairs(came: list[Any], expected: list[Combination]) -> list[tuple[Any, Combination]]:
    return list(zip(came, expected, strict=True))


@given(grids())
def test_expanding_changes_no_recipe(grid: Recipe) -> None:
    base = {"data": {}, "model": {"a": 1}, "train": {}, "grid": {**grid, "exclude": []}}
    before = json.dumps(base)
    list(expand(base))
    assert json.dumps(base) == before


def test_seeds_are_fastest_then_the_last_key_of_product_and_zip_slowest() -> None:
    grid = recipe(
        product={"model.dropout": [0, 0.5]},
        zip={"model.kernel": [3, 5], "model.base_channels": [4, 8]},
        seeds=[7, 1],
    )
    assert kernels_and_rates(grid) == [
        (3, 0, 7),
        (3, 0, 1),
        (3, 0.5, 7),
        (3, 0.5, 1),
        (5, 0, 7),
        (5, 0, 1),
        (5, 0.5, 7),
        (5, 0.5, 1),
    ]


def test_a_recipe_without_a_grid_is_one_cell() -> None:
    assert len(make_sweep([{**recipe(), "grid": {}}]).cells) == 1


def test_a_cell_of_two_recipes_is_one_and_stands_where_it_came_first() -> None:
    one, other = recipe(product={"model.kernel": [3, 5]}), recipe(product={"model.kernel": [7, 3]})
    assert [kernel for kernel, *_ in kernels_and_rates(one, other)] == [3, 5, 7]


def test_of_two_places_for_one_cell_the_first_stands() -> None:
    places = [{**recipe(), "train": {"epochs": 3, "device": each}} for each in ("cpu", "cuda")]
    assert [cell.train.device for cell in make_sweep(places).cells] == ["cpu"]


def test_an_axis_may_hold_lists() -> None:
    words = [["zero", "one"], ["one", "two", "three"]]
    grid = recipe(product={"data.words": words}, exclude=[{"data.words": ["zero", "one"]}])
    assert [cell.data.names for cell in make_sweep([grid]).cells] == [("one", "two", "three")]


def test_an_entry_of_exclude_is_compared_with_the_recipe_as_well() -> None:
    one = recipe(product={"model.kernel": [3, 5]}, exclude={"train.epochs": 3, "model.kernel": 5})
    assert [kernel for kernel, *_ in kernels_and_rates(one)] == [3]


def test_families_keep_their_own_presets_and_what_is_no_network_can_be_excluded() -> None:
    grid = {"model.family": ["custom", "vgg"], "model.conv_layers": [2, 3]}
    excluded = recipe(product=grid, exclude={"model.family": "vgg", "model.conv_layers": 3})
    models = [cell.model.model_dump() for cell in make_sweep([excluded]).cells]
    assert [(m["family"], m["conv_layers"], m["kernel"]) for m in models] == [
        ("custom", 2, 5),
        ("custom", 3, 5),
        ("vgg", 2, 3),
    ]


def test_the_mappings_of_a_sweep_make_the_same_sweep_again(tmp_path: Path) -> None:
    path = tmp_path / "depth.yaml"
    path.write_text(json.dumps(recipe(product={"model.kernel": [3, 5]}, seeds=2)))
    sweep = read_sweep([path], ["model.dropout=0,0.5", "sweep.attempts=5"])
    kept = json.loads(json.dumps(sweep.recipes))
    assert make_sweep(kept, "depth") == sweep


def test_the_name_is_the_first_recipe_s_and_does_not_depend_on_the_order() -> None:
    one, other = recipe(product={"model.kernel": [3, 5]}), recipe(product={"model.kernel": [5, 3]})
    assert make_sweep([one], "depth").name == make_sweep([other], "depth").name
    assert make_sweep([one], "depth").name.startswith("depth-")
    assert make_sweep([one], "depth").name != make_sweep([recipe()], "depth").name


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"prodct": {}}, r"grid.prodct is not a known key \(did you mean 'product'\?\)"),
        ({"product": 3}, "grid.product: expected keys and values, got 3"),
        ({"zip": 3}, "grid.zip: expected keys and values, or a list of such, got 3"),
        ({"product": {"model.kernel": 3}}, "grid.product.model.kernel: expected a list .*, got 3"),
        ({"product": {"model.kernel": []}}, "kernel: expected at least one value, got an empty li"),
        ({"product": {"model.kernel": [3, 5, 3]}}, "the value 3 stands there twice: keep one"),
        ({"product": {"model.dropout": [0, 0.0]}}, "the value 0.0 stands there twice: keep one"),
        (
            {"zip": {"model.kernel": [3, 5], "model.dropout": [0]}},
            "grid.zip: expected lists of one length, but model.kernel has 2, model.dropout has 1",
        ),
        (
            {"product": {"model.kernel": [3]}, "zip": {"model.kernel": [3]}},
            "grid.zip.model.kernel and grid.product.model.kernel set the same key: keep one of",
        ),
        (
            {"product": {"train.augment": [{}], "train.augment.noise": [0.1]}},
            "train.augment.noise and grid.product.train.augment set the same key",
        ),
        (
            {"product": {"train.seed": [0]}, "seeds": 2},
            "grid.seeds and grid.product.train.seed set the same key: keep one of them",
        ),
        ({"seeds": 0}, "grid.seeds: expected a number of seeds or a list of them, got 0"),
        ({"seeds": [True]}, r"grid.seeds: expected a number of seeds .*, got \[True\]"),
        ({"seeds": [1, 1]}, "grid.seeds: the value 1 stands there twice"),
        ({"product": {"modl.kernel": [3]}}, r"modl.kernel: expected section.key .*'model'\?"),
        ({"product": {"model": {"kernel": [3]}}}, "grid.product.model: expected a list of values"),
        ({"product": {"data.folder": ["a", "b"]}}, "data.folder does not decide a result"),
        ({"exclude": [{"model.kernel": 4}]}, "grid.exclude: no cell has model.kernel=4: expected"),
        ({"exclude": [{}]}, "grid.exclude: expected keys and values, got an empty entry"),
        (
            {"product": {"model.kernel": [3, 5]}, "exclude": {"model.kernel": [3, 5]}},
            "grid.exclude leaves no cell: expected at least one, remove an entry",
        ),
        (
            {"product": {"model.family": ["custom", "vgg"], "model.conv_layers": [3]}},
            r"conv_layers: .* got 3: take 2 or 4 \(in model.family=vgg, model.conv_layers=3, which",
        ),
        (
            {"product": {"model.conv_layers": [2, 40]}},
            r"model.conv_layers=40: pool9 would shrink .* \(in model.conv_layers=40, which grid.ex",
        ),
    ],
)
def test_a_mistake_in_a_grid_is_named_with_what_to_do(grid: Recipe, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        make_sweep([recipe(**grid)])
    assert "\n" not in str(error.value)


def test_of_several_recipes_the_one_at_fault_is_named(tmp_path: Path) -> None:
    paths = [tmp_path / "good.yaml", tmp_path / "bad.yaml"]
    paths[0].write_text(json.dumps(recipe()))
    paths[1].write_text(json.dumps(recipe(seeds=0)))
    with pytest.raises(UserError, match=r"bad\.yaml: grid\.seeds"):
        read_sweep(paths)


def test_the_sections_sweep_of_several_recipes_are_one() -> None:
    one, other = {**recipe(), "sweep": {"attempts": 5}}, {**recipe(), "sweep": {"cell_seconds": 60}}
    config = make_sweep([one, other, recipe()]).config
    assert (config.attempts, config.cell_seconds, config.silence_seconds) == (5, 60, 1800)


def test_recipes_that_disagree_on_how_to_sweep_are_refused() -> None:
    one, other = {**recipe(), "sweep": {"attempts": 5}}, {**recipe(), "sweep": {"attempts": 4}}
    with pytest.raises(UserError, match=r"sweep\.attempts: the recipes disagree, 5 and 4: make"):
        make_sweep([one, other])
