"""Assignments laid over a recipe with a grid: `key=a,b` is an axis of it."""

from collections.abc import Callable, Mapping
from typing import Any

from convscope.errors import UserError
from convscope.recipes import parse_value, put, split_assignment, split_at_commas
from convscope.sweeps.planning.config import SEED, check_axis_key, matches


def override(recipe: dict[str, Any], assignment: str) -> None:
    """Lay one assignment over a recipe.

    An axis that the recipe has for the key gives way to it, and so does an entry of `grid.exclude`
    that asks for a value which is no longer there.

    Raises:
        UserError: for an assignment that cannot be read, naming it.
    """
    path, text = split_assignment(assignment)
    values = [parse_value(assignment, part) for part in split_at_commas(text)]
    key = ".".join(path)
    if len(values) > 1:
        _check(assignment, key, text)
    if path[0] not in ("grid", "sweep"):
        _make_room(recipe, key, values)
    if len(values) > 1:
        put(recipe, ["grid", "product", key], values)
    else:
        put(recipe, path, values[0])


def _check(assignment: str, key: str, text: str) -> None:
    if not all(part.strip() for part in split_at_commas(text)):
        raise UserError(f"{assignment}: expected a value before and after each comma")
    if key.startswith(("grid.", "sweep.")):
        raise UserError(f"{assignment}: {key} is no axis: write a list in brackets, {key}=[{text}]")
    try:
        check_axis_key(key)
    except ValueError as error:
        raise UserError(
            f"{error} (a comma outside brackets makes a grid: use brackets for a list, or quotes "
            f"for text with a comma, {key}='\"{text}\"')"
        ) from None


def _make_room(recipe: dict[str, Any], key: str, values: list[Any]) -> None:
    """Take out of the grid what an assignment of `values` to `key` replaces."""
    grid = recipe.get("grid")
    if not isinstance(grid, Mapping):
        return
    grid = recipe["grid"] = dict(grid)
    for place in ("product", "zip"):
        grid[place] = _each_mapping(grid.get(place), lambda axes: _without(axes, key))
    grid["exclude"] = _each_mapping(
        grid.get("exclude"), lambda entry: entry if _can_match(entry, key, values) else {}
    )
    if key == SEED:
        grid.pop("seeds", None)
    for place in ("product", "zip", "exclude"):
        if not grid[place]:
            del grid[place]


def _each_mapping(value: Any, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
    """A mapping, or those in a list, changed; those that are left empty go."""
    if isinstance(value, Mapping):
        return change(value)
    if not isinstance(value, list):
        return value
    changed = [change(each) if isinstance(each, Mapping) else each for each in value]
    return [each for each in changed if each]


def _without(axes: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The axes but for the key's own, and those of keys below it."""
    return {name: axis for name, axis in axes.items() if not f"{name}.".startswith(f"{key}.")}


def _can_match(entry: Mapping[str, Any], key: str, values: list[Any]) -> bool:
    return key not in entry or any(matches(value, entry[key]) for value in values)
