"""Every recipe that ships is one valid cell with a head that says what to expect of it."""

import re
from pathlib import Path

import pytest

from convscope.models.describe import describe
from convscope.models.families import FAMILIES
from convscope.models.rows import n_params
from convscope.recipe import read_cell

FOLDER = Path(__file__).parents[1] / "recipes"
RECIPES = sorted(FOLDER.rglob("*.yaml"))
HEAD = ("source:", "command:", "minutes:", "expected:")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_its_head_complete(path: Path) -> None:
    cell = read_cell(path)
    rows = describe(cell.model, cell.data.shape, len(cell.data.names or ("one", "other")))
    head = [line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#")]
    assert [key for key in HEAD if not any(line.startswith(key) for line in head)] == []
    assert "@" not in "".join(head), "a placeholder was left"
    stated = re.search(r"([\d,]+) parameters", "\n".join(head))
    if stated:
        assert n_params(rows) == int(stated[1].replace(",", ""))


def test_every_family_has_a_recipe() -> None:
    assert {read_cell(path).model.family for path in RECIPES} == set(FAMILIES)
