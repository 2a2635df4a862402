"""Runs in groups of the same data, and what their networks are called."""

from collections.abc import Callable
from dataclasses import replace

from convscope.report.document.groups import Planned, grouped, named
from convscope.run import MANIFEST, Run


def test_other_data_are_another_group_that_of_most_runs_first(
    report_run: Callable[..., Run],
) -> None:
    runs = [report_run(classes=("up", "down")), report_run(), report_run(seed=1)]
    assert [(group.name, len(group.done)) for group in grouped(runs)] == [
        ("words 3", 2),
        ("words 2", 1),
    ]


def test_seeds_are_one_network(report_run: Callable[..., Run]) -> None:
    (group,) = grouped([report_run(10), report_run(20, seed=1), report_run(30, conv_layers=4)])
    assert [net.accuracy for net in group.nets] == [(170 + 160) / 360, 150 / 180]
    assert [row.seed for row in group.of_net(group.nets[0])] == [0, 1]


def test_an_unfinished_run_stands_with_its_data_and_alone_makes_no_group(
    report_run: Callable[..., Run],
) -> None:
    done, half, other = report_run(), report_run(seed=1), report_run(classes=("up", "down"))
    for run in (half, other):
        (run.folder / MANIFEST).unlink()
    (group,) = grouped([done, half, other], [Planned("x", other.config, "waiting")])
    assert [row.run for row in group.rows] == [done.name, half.name]
    assert group.planned == ()


def test_networks_that_read_alike_are_told_apart(report_run: Callable[..., Run]) -> None:
    (row,) = grouped([report_run()])[0].nets
    longer = replace(row, config={**row.config, "train": {**row.config["train"], "epochs": 99}})
    assert named(row, [row]) == "custom 3×5 ch8"
    assert named(longer, [row, longer]) == "custom 3×5 ch8 epochs=99"
    many = {**row.config["train"], "epochs": 9, "patience": 9, "batch_size": 9, "momentum": 0.1}
    other = replace(row, config={**row.config, "train": many})
    assert named(other, [row, other]) == f"custom 3×5 ch8 ({row.run})"
