"""From recipes with grids to the distinct cells of a sweep. No clip is opened here."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from convscope.errors import UserError
from convscope.recipes import put, read_recipe
from convscope.settings import validated
from convscope.sweeps.planning.config import AXIS_SECTIONS, GridConfig, SweepConfig, matches, same
from convscope.sweeps.planning.folds import with_all_folds
from convscope.sweeps.planning.overrides import override
from convscope.sweeps.planning.size import size_of
from convscope.training.cell import Cell, make_cell

Combination = dict[str, Any]
"""A value for each key of a grid's axes."""


@dataclass(frozen=True)
class SweepRecipe:
    """What a sweep trains.

    Attributes:
        name: stem of the first recipe, and a hash of the cells' names.
        recipes: with all assignments laid over them: plain data, from which `make_sweep` makes the
            same cells again.
        cells: distinct by name, in the order of the recipes.
        config: how they are trained.
    """

    name: str
    recipes: tuple[dict[str, Any], ...]
    cells: tuple[Cell, ...]
    config: SweepConfig


def read_sweep(paths: Sequence[Path], assignments: Sequence[str] = ()) -> SweepRecipe:
    """The cells of some recipes; a recipe without a grid is one cell.

    Args:
        paths: of the recipes.
        assignments: `key=value` for all of them; `key=a,b` is an axis of the grid.

    Raises:
        UserError: for whatever is wrong in a recipe or an assignment, naming the key; for a
            combination that is no network, naming its values.
    """
    recipes = []
    for path in paths:
        recipe = read_recipe(path)
        for assignment in assignments:
            override(recipe, assignment)
        recipes.append(recipe)
    names = [str(path) for path in paths] if len(paths) > 1 else None
    return make_sweep(recipes, Path(paths[0]).stem, names)


def make_sweep(
    recipes: Sequence[Mapping[str, Any]],
    stem: str = "sweep",
    sources: Sequence[str] | None = None,
    runs_code: bool = True,
) -> SweepRecipe:
    """The sweep of some recipes that are read already.

    Args:
        recipes: sections and their values.
        stem: what the sweep's name begins with.
        sources: where each recipe comes from, to be named in errors.
        runs_code: whether users' own networks are tried, which runs their files: not where the
            recipes are read back and nobody has named those files.

    Raises:
        UserError: as `read_sweep` does.
    """
    cells: dict[str, Cell] = {}
    expanded = []
    for i, recipe in enumerate(recipes):
        try:
            recipe = with_all_folds(recipe)
            expanded.append(recipe)
            for cell in _cells(recipe, runs_code):
                cells.setdefault(cell.name, cell)
        except UserError as error:
            raise UserError(f"{sources[i]}: {error}") if sources else error from None
    return SweepRecipe(
        name=f"{stem}-{_hash(cells)}",
        recipes=tuple(expanded),
        cells=tuple(cells.values()),
        config=_config(recipes),
    )


def expand(recipe: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The sections data, model and train of every cell of a recipe, in its order.

    The cells are the combinations of one point of each axis: those of `zip` are the slowest, then
    those of `product` as they stand there, and the seeds are the fastest.

    Raises:
        UserError: for what is wrong in the grid, naming the key.
    """
    for _, sections in _combinations(recipe):
        yield sections


def _combinations(recipe: Mapping[str, Any]) -> Iterator[tuple[Combination, dict[str, Any]]]:
    grid = validated(GridConfig, recipe.get("grid") or {}, "grid")
    used = [False] * len(grid.exclude)
    n_left = 0
    for points in product(*grid.axes()):
        combination = {key: value for point in points for key, value in point.items()}
        sections = {name: recipe[name] for name in AXIS_SECTIONS if name in recipe}
        for key, value in combination.items():
            put(sections, key.split("."), value)
        excluded = [agrees(sections, entry) for entry in grid.exclude]
        used = [a or b for a, b in zip(used, excluded, strict=True)]
        if not any(excluded):
            n_left += 1
            yield combination, sections
    _check_excludes(grid, used, n_left)


def agrees(sections: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether sections have all values that an entry of `grid.exclude` states."""
    return all(matches(_value_at(sections, key), wanted) for key, wanted in entry.items())


def _value_at(sections: Mapping[str, Any], key: str) -> Any:
    """What a recipe says for a key; None where it says nothing."""
    value: Any = sections
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _check_excludes(grid: GridConfig, used: Sequence[bool], n_left: int) -> None:
    for entry, hit in zip(grid.exclude, used, strict=True):
        if not hit:
            raise UserError(
                f"grid.exclude: no cell has {_told(entry)}: expected values that the recipe states "
                "or its grid has; correct the entry or remove it"
            )
    if not n_left:
        raise UserError("grid.exclude leaves no cell: expected at least one, remove an entry")


def _cells(recipe: Mapping[str, Any], runs_code: bool) -> Iterator[Cell]:
    """The valid cells of one recipe."""
    for combination, sections in _combinations(recipe):
        try:
            cell = make_cell(sections)
            size_of(cell, runs_code)  # refuses a network that cannot be built
        except UserError as error:
            if not combination:
                raise
            raise UserError(
                f"{error} (in {_told(combination)}, which grid.exclude can leave out)"
            ) from None
        yield cell


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_spelled(value)}" for key, value in values.items())


def _spelled(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _hash(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:8]


def _config(recipes: Sequence[Mapping[str, Any]]) -> SweepConfig:
    """The settings of all recipes' sections sweep, which may not contradict each other."""
    merged: dict[str, Any] = {}
    for recipe in recipes:
        for key, value in (recipe.get("sweep") or {}).items():
            if key in merged and not same(merged[key], value):
                raise UserError(
                    f"sweep.{key}: the recipes disagree, {_spelled(merged[key])} and "
                    f"{_spelled(value)}: make them equal, or give it as sweep.{key}=VALUE"
                )
            merged[key] = value
    return validated(SweepConfig, merged, "sweep")
