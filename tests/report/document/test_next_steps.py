"""What to try next: what is missing, at the edge, or too few; and that its commands can be run."""

import shlex
from collections.abc import Callable
from pathlib import Path

from convscope.recipes import read_cell
from convscope.report.document.catalogue import catalogue
from convscope.report.document.groups import Planned, grouped
from convscope.report.document.next_steps import (
    edge_commands,
    edge_of,
    missing_cells,
    seed_commands,
)
from convscope.run import Run
from convscope.sweeps.planning.grid import read_sweep

SAY = catalogue()


def test_the_hole_of_a_grid_is_named_with_a_command_that_trains_it(
    report_run: Callable[..., Run],
) -> None:
    runs = [report_run(conv_layers=3), report_run(conv_layers=4), report_run(dropout=0.5)]
    (found,) = missing_cells(SAY, grouped(runs)[0])
    assert found.why == "No run has model.conv_layers 4, model.dropout 0.5."
    words = shlex.split(found.command)
    cell = read_cell(Path(words[2]), words[3:-2])
    full = report_run(conv_layers=4, dropout=0.5)
    assert cell.name == full.name
    assert missing_cells(SAY, grouped([*runs, full])[0]) == []


def test_runs_that_are_no_grid_miss_nothing(report_run: Callable[..., Run]) -> None:
    runs = [report_run(), report_run(conv_layers=4, dropout=0.5, base_channels=16)]
    assert missing_cells(SAY, grouped(runs)[0]) == []


def test_a_cell_that_a_sweep_waits_for_is_missing(report_run: Callable[..., Run]) -> None:
    run = report_run()
    config = {**run.config, "train": {**run.config["train"], "seed": 7}}
    (found,) = missing_cells(SAY, grouped([run], [Planned("custom-7", config, "failed")])[0])
    assert found.why.startswith("The sweep's cell custom-7 failed: train.seed 7.")
    assert "train.seed=7" in found.command


def test_edges_by_hand() -> None:
    assert edge_of("k", [8, 16, 32], 16) is None
    assert edge_of("k", ["relu", "tanh"], "relu") is None
    assert edge_of("k", [8], 8) is None
    assert edge_of("k", [False, True], True) is None
    doubled, halved = edge_of("k", [8, 16, 32], 32), edge_of("k", [8, 16, 32], 8)
    stepped = edge_of("k", [4, 5], 5)
    assert doubled is not None
    assert (doubled.try_next, doubled.is_largest) == (64, True)
    assert halved is not None
    assert (halved.try_next, halved.is_largest) == (4, False)
    assert stepped is not None
    assert stepped.try_next == 6


def test_a_best_value_at_the_edge_is_followed_and_one_inside_is_not(
    report_run: Callable[..., Run],
) -> None:
    rising = [report_run(n, conv_layers=k) for k, n in ((3, 30), (4, 20), (5, 10))]
    (found,) = edge_commands(SAY, grouped(rising)[0])
    assert "The best model.conv_layers is 5, the largest of 3, 4, 5" in found.why
    assert "model.conv_layers=6" in found.command
    inside = [report_run(n, conv_layers=k) for k, n in ((3, 30), (4, 5), (5, 20))]
    assert edge_commands(SAY, grouped(inside)[0]) == []


def test_seeds_too_few_get_a_sweep_of_new_seeds_and_enough_get_none(
    report_run: Callable[..., Run],
) -> None:
    close = [report_run(10), report_run(12, conv_layers=4)]
    first, _ = seed_commands(SAY, grouped(close)[0])
    words = shlex.split(first.command)
    assert words[3:] == ["train.seed=1,2", "--out", str(close[0].folder.parent)]
    assert [cell.train.seed for cell in read_sweep([Path(words[2])], words[3:4]).cells] == [1, 2]
    apart = [report_run(5), report_run(100, conv_layers=4)]
    assert seed_commands(SAY, grouped(apart)[0]) == []


def test_a_tie_has_no_best_value_at_an_edge(report_run: Callable[..., Run]) -> None:
    tied = [report_run(10, conv_layers=k) for k in (3, 4)]
    assert edge_commands(SAY, grouped(tied)[0]) == []
