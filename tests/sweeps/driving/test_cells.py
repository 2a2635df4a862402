"""How a sweep stands, in words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.sweeps.driving.cells import Standing, SweepCell, duration
from convscope.sweeps.driving.messages import Slot
from convscope.sweeps.planning.plan import plan
from convscope.training.cell import Cell

Cells = Callable[..., tuple[Cell, ...]]


@pytest.fixture
def six(cells: Cells, tmp_path: Path) -> list[SweepCell]:
    return [SweepCell(each) for each in plan(cells(train__seed=list(range(6))), tmp_path, 3)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_time_is_told_in_the_two_units_that_say_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_line_counts_all_cells_and_says_for_what_they_wait(six: list[SweepCell]) -> None:
    six[0].state = "done"
    six[1].state, six[1].slot = "running", Slot("here", 0)
    six[2].state = "failed"
    six[3].reason = six[4].reason = "GPU 0"
    standing = Standing(six, seconds_left=200)
    assert standing.waiting == {"GPU 0": 2, "no free slot": 1}
    assert standing.line() == (
        "6 cells: 1 done, 1 running, 1 failed, 2 waiting (GPU 0), 1 waiting (no free slot); "
        "3 min 20 s left"
    )
    assert Standing(six, None).line().endswith("1 waiting (no free slot)")


def test_seeds_of_a_net_take_the_same_memory_and_other_nets_another(cells: Cells) -> None:
    one, seed = (SweepCell(each) for each in plan(cells(train__seed=[0, 1]), Path("none"), 3))
    [batch] = (SweepCell(each) for each in plan(cells(train__batch_size=[7]), Path("none"), 3))
    assert one.footprint == seed.footprint != batch.footprint
    assert one.name != seed.name


def test_the_memory_of_cells_whose_classes_only_the_data_know_is_not_compared(
    cells: Cells,
) -> None:
    [cell] = plan(cells(data__words=["all"]), Path("none"), 3)
    assert SweepCell(cell).footprint is None
