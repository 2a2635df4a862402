"""The time that is left, by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from convscope.sweeps.driving.cells import SweepCell
from convscope.sweeps.driving.pace import Pace
from convscope.sweeps.planning.plan import plan
from convscope.training.cell import Cell


@pytest.fixture
def two(cells: Callable[..., tuple[Cell, ...]]) -> list[SweepCell]:
    """Two cells of 10 epochs; the second needs twice the work of the first."""
    planned = plan(cells(train__seed=[0, 1]), Path("none"), 3)
    return [
        SweepCell(replace(each, flops=flops))
        for each, flops in zip(planned, (100, 200), strict=True)
    ]


def test_nothing_is_known_before_an_epoch_was_measured(two: list[SweepCell]) -> None:
    assert Pace().seconds_left(two, 1) is None


def test_time_left_is_the_work_left_at_the_measured_pace_over_the_slots(
    two: list[SweepCell],
) -> None:
    """3 s for 100 FLOPs; 9 epochs of 100 and 10 of 200 are left: 2900 FLOPs, 87 s."""
    pace = Pace()
    pace.add(two[0], 3.0)
    two[0].epoch = 1
    assert pace.seconds_left(two, 1) == pytest.approx(87)
    assert pace.seconds_left(two, 2) == pytest.approx(43.5)
    two[0].step = 0.5
    assert pace.seconds_left(two, 1) == pytest.approx(85.5)


def test_cells_that_are_over_take_no_more_time(two: list[SweepCell]) -> None:
    pace = Pace()
    pace.add(two[0], 3.0)
    two[0].state, two[1].state = "done", "failed"
    assert pace.seconds_left(two, 1) == 0


def test_a_net_that_cannot_be_described_counts_as_any_other_like_it(two: list[SweepCell]) -> None:
    unknown = [SweepCell(replace(cell.planned, flops=None)) for cell in two]
    pace = Pace()
    pace.add(unknown[0], 2.0)
    assert pace.seconds_left(unknown, 1) == pytest.approx(40)
