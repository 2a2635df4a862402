"""The recipes of the lab reports are the reports' tables: each of their cells, and no other."""

import csv
import re
from collections import Counter
from pathlib import Path
from typing import TypeAlias

import pytest

from convscope.data.config import WordsConfig
from convscope.models.describe import describe
from convscope.models.rows import n_params
from convscope.models.spec import ConvNetSpec
from convscope.sweeps.planning.grid import read_sweep
from convscope.training.cell import Cell

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes/reports").glob("*.yaml"))
TABLES = [path for path in RECIPES if re.match(r"report\d{3}_", path.name)]
"""Each is one printed table; the other recipes are single cells of them."""

Row: TypeAlias = dict[str, str]
Net: TypeAlias = tuple[str | float | bool, ...]

with (ROOT / "tests/reference/accuracy_tables.csv").open(newline="") as file:
    ROWS: list[Row] = list(csv.DictReader(file))


def net_of_row(row: Row) -> Net:
    """What tells one row's net from another's; what the reports do not say is our choice."""
    numbers = [float(row[key]) for key in ("conv_layers", "kernel", "base_channels", "fc_hidden")]
    activation, initializer = row["activation"] or "relu", row["initializer"] or "glorot_uniform"
    regulariser = (float(row["dropout"]), row["batch_norm"] == "True")
    return (row["family"], *numbers, activation, initializer, *regulariser)


def net_of_cell(cell: Cell) -> Net:
    spec = cell.model
    assert isinstance(spec, ConvNetSpec)
    numbers = (spec.conv_layers, spec.kernel, spec.base_channels, spec.fc_hidden)
    regulariser = (spec.dropout, spec.batch_norm)
    return (spec.family, *numbers, spec.activation, spec.initializer, *regulariser)


def params(cell: Cell) -> int:
    return n_params(describe(cell.model, cell.data.shape, len(cell.data.names or ())))


def cells_of(path: Path) -> tuple[Cell, ...]:
    return tuple(read_sweep([path]).cells)


def rows_of(table: Path) -> list[Row]:
    """The rows of a table's own report that its cells serve."""
    nets = {net_of_cell(cell) for cell in cells_of(table)}
    number = table.name.removeprefix("report")[:3]
    return [row for row in ROWS if row["report"] == number and net_of_row(row) in nets]


def test_the_recipes_are_exactly_the_359_cells_of_the_361_rows() -> None:
    cells = {cell.name: cell for path in RECIPES for cell in cells_of(path)}
    nets = Counter(net_of_cell(cell) for cell in cells.values())
    assert nets == Counter({net_of_row(row) for row in ROWS})
    assert (len(ROWS), len(cells)) == (361, 359)


def test_one_sweep_of_all_recipes_trains_each_of_the_cells_once() -> None:
    names = [cell.name for cell in read_sweep(RECIPES).cells]
    assert len(names) == len(set(names)) == 359


def test_every_row_stands_in_one_table_of_its_report() -> None:
    served = Counter(tuple(row.values()) for table in TABLES for row in rows_of(table))
    assert served == Counter(tuple(row.values()) for row in ROWS)


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_a_table_has_a_cell_for_each_of_its_rows_and_states_their_range(table: Path) -> None:
    rows = rows_of(table)
    assert len(rows) == len(cells_of(table))
    accuracies = [float(row["accuracy"]) for row in rows if row["accuracy"]]
    assert f"accuracy {min(accuracies):.4f} to {max(accuracies):.4f}" in table.read_text("utf-8")


def test_all_stated_parameter_counts_are_exact() -> None:
    stated = {net_of_row(row): int(row["params"]) for row in ROWS if row["params"]}
    cells = {net_of_cell(cell): cell for table in TABLES for cell in cells_of(table)}
    assert {net: params(cells[net]) for net in stated} == stated


def test_words_are_scored_as_in_the_reports_and_images_balanced_as_there() -> None:
    for data in (cell.data for path in RECIPES for cell in cells_of(path)):
        if isinstance(data, WordsConfig):
            assert data.only_full_second
        else:
            assert data.balance == "undersample"
