"""The plan as people read it."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from convscope.sweeps.driving import table
from convscope.sweeps.driving.table import plan_table
from convscope.sweeps.planning.plan import PlannedCell, plan
from convscope.terminal import PlainConsole
from convscope.training.cell import Cell

Cells = Callable[..., tuple[Cell, ...]]


def printed(planned: list[PlannedCell]) -> str:
    text = io.StringIO()
    PlainConsole(width=200, file=text).print(plan_table(planned))
    return text.getvalue()


def test_there_is_a_column_for_each_setting_that_differs(cells: Cells, tmp_path: Path) -> None:
    both = cells(model__kernel=[3, 5], train__seed=[0, 1], model__dropout=[0.5])
    head = printed(list(plan(both, tmp_path, 3))).split("MFLOP")[0].split()
    assert head == ["run", "kernel", "train.seed", "params"]


def test_the_last_line_counts_cells_and_the_time_that_is_left(cells: Cells, tmp_path: Path) -> None:
    one, two, three = plan(cells(model__kernel=[3, 5, 7]), tmp_path, 3)
    done, half = replace(one, seconds=600.0, state="done"), replace(two, seconds=600.0, epochs=5)
    text = printed([done, half, replace(three, seconds=120.0)])
    assert text.strip().splitlines()[-1].strip() == "3 cells, 1 done, about 7 min of computing left"
    assert "5 of 10 epochs" in text


def test_a_time_that_is_not_known_is_no_number(cells: Cells, tmp_path: Path) -> None:
    text = printed(list(plan(cells(), tmp_path, 3)))
    assert "1 cell, 0 done, about ? of computing left" in text


def test_of_very_many_cells_the_first_are_shown(
    cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST_ROWS", 2)
    planned = list(plan(cells(model__kernel=[3, 5, 7]), tmp_path, 3))
    text = printed(planned)
    assert [each.cell.name in text for each in planned] == [True, True, False]
    assert "3 cells, 0 done, about ? of computing left; 2 are shown, --json gives all" in text
