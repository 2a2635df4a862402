"""Recipes and specs from Python, with the checks and the words of the command line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from convscope.errors import UserError
from convscope.models.spec import ModelSpec, make_spec
from convscope.recipes import assign, check_section, read_cell
from convscope.sweeps.planning.grid import SweepRecipe, make_sweep, read_sweep
from convscope.sweeps.planning.overrides import override
from convscope.training.cell import Cell, make_cell

Recipe: TypeAlias = Path | str | Cell
"""A YAML file, or what `recipe` gives."""


def spec(**model: Any) -> ModelSpec:
    """A network, as the section `model` of a recipe describes it.

    Args:
        model: `family`, and any other key of docs/recipes.md.

    Raises:
        UserError: naming the key at fault.

    Examples:
        >>> import convscope as cs
        >>> cs.spec(family="custom", conv_layers=8).base_channels
        64
    """
    return make_spec(model)


def recipe(**sections: Mapping[str, Any]) -> Cell | SweepRecipe:
    """A recipe without a file: one cell, or with `grid` a sweep.

    Args:
        sections: `data`, `model`, `train`, and for a sweep `grid` and `sweep`, as in YAML.

    Raises:
        UserError: naming the key at fault, in the command line's words.

    Examples:
        >>> import convscope as cs
        >>> cell = cs.recipe(data={"kind": "mnist", "folder": "mnist"}, model={"family": "mnist"})
        >>> cell.train.batch_size
        256
    """
    for section in sections:
        check_section(section)
    if "grid" in sections:
        return make_sweep([sections])
    if "sweep" in sections:
        raise UserError("sweep: has no effect without grid: leave it out, or give a grid")
    return make_cell(sections)


def cell_of(recipe: Recipe, assignments: Sequence[str]) -> Cell:
    """The one cell of a recipe, with `section.key=value` assignments laid over it.

    Raises:
        UserError: for a grid, or whatever is wrong in the recipe.
    """
    if isinstance(recipe, SweepRecipe):
        raise UserError("recipe: expected one cell, got a grid: give it to sweep")
    if not isinstance(recipe, Cell):
        return read_cell(recipe, assignments)
    if not assignments:
        return recipe
    sections = {name: dict(values) for name, values in recipe.config.items()}
    for assignment in assignments:
        assign(sections, assignment)
    return make_cell(sections)


def sweep_of(
    recipes: Recipe | SweepRecipe | Sequence[Recipe], assignments: Sequence[str]
) -> SweepRecipe:
    """The sweep of recipes; `section.key=a,b` assignments are axes of its grid.

    Raises:
        UserError: for whatever is wrong in a recipe.
    """
    if isinstance(recipes, SweepRecipe):
        return make_sweep(_overridden(recipes.recipes, assignments)) if assignments else recipes
    several = [recipes] if isinstance(recipes, Path | str | Cell) else list(recipes)
    if not several:
        raise UserError("recipes: expected at least one, got none")
    files = [each for each in several if not isinstance(each, Cell)]
    if len(files) == len(several):
        return read_sweep([Path(each) for each in files], assignments)
    if files:
        raise UserError("recipes: expected all files or all cells, got both: give them separately")
    configs = [each.config for each in several if isinstance(each, Cell)]
    return make_sweep(_overridden(configs, assignments))


def _overridden(
    recipes: Sequence[Mapping[str, Any]], assignments: Sequence[str]
) -> list[dict[str, Any]]:
    changed = [{name: dict(values) for name, values in each.items()} for each in recipes]
    for each in changed:
        for assignment in assignments:
            override(each, assignment)
    return changed
