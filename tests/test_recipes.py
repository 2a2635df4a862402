"""Every recipe that ships is valid, all cells of it, and its head says what to expect of it."""

import re
from pathlib import Path

import pytest

from convscope.models.describe import describe
from convscope.models.families import FAMILIES
from convscope.models.rows import n_params
from convscope.recipes import read_recipe
from convscope.sweeps.planning.grid import read_sweep
from convscope.training.cell import Cell

FOLDER = Path(__file__).parents[1] / "recipes"
RECIPES = sorted(FOLDER.rglob("*.yaml"))
HEAD = ("source:", "command:", "minutes:", "expected:")


def head(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line[1:].strip() for line in lines if line.startswith("#"))


def params(cell: Cell) -> int:
    """Parameters of a cell's net; it is built layer by layer, which a net too deep refuses."""
    return n_params(describe(cell.model, cell.data.shape, len(cell.data.names or ("one", "other"))))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_all_cells_of_a_recipe_are_valid_and_its_head_is_complete(path: Path) -> None:
    counts = [params(cell) for cell in read_sweep([path]).cells]
    said = head(path)
    assert [key for key in HEAD if not re.search(f"^{key}", said, re.MULTILINE)] == []
    assert "@" not in said, "a placeholder was left"
    for stated in re.findall(r"([\d,]+) parameters", said):
        assert int(stated.replace(",", "")) in counts
    for stated in re.findall(r"([\d,]+) (?:cells|nets)", said):
        assert int(stated) == len(counts)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_command_in_a_head_is_the_one_that_takes_the_recipe(path: Path) -> None:
    command = "sweep" if "grid" in read_recipe(path) else "train"
    assert f"convscope {command} recipes/{path.relative_to(FOLDER).as_posix()} data" in head(path)


def test_every_family_has_a_recipe() -> None:
    cells = [cell for path in RECIPES for cell in read_sweep([path]).cells]
    assert {cell.model.family for cell in cells} == set(FAMILIES)
