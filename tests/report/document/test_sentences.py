"""Each kind of sentence both ways: where a difference is shown, and where none is."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from convscope.inside.compare.disagreement import McNemar
from convscope.report.document.catalogue import catalogue
from convscope.report.document.groups import Group, grouped
from convscope.report.document.pairs import ConfusionPair
from convscope.report.document.sentences import (
    best_sentence,
    brain_sentence,
    lead_sentence,
    mcnemar_sentence,
    pair_sentence,
    record_sentence,
    smallest_sentence,
    weakest_class_sentence,
)
from convscope.run import Run
from convscope.scores.brain import BrainRow, BrainScore
from convscope.scores.intervals import Interval

SAY = catalogue()
NOT_SHOWN = "o difference"


def nets(*runs: Run) -> Group:
    return grouped(runs)[0]


def test_the_best_of_one_seed_and_of_several_is_told_as_that(
    report_run: Callable[..., Run],
) -> None:
    one = nets(report_run(18))
    several = nets(report_run(18), report_run(36, seed=1))
    assert "accuracy 0.9000 (95 % interval 0.8475" in best_sentence(SAY, one.nets[0], one.nets)
    assert "one seed" in best_sentence(SAY, one.nets[0], one.nets)
    text = best_sentence(SAY, several.nets[0], several.nets)
    assert "accuracy 0.8500, the mean of 2 seeds" in text


def test_a_lead_is_said_only_where_intervals_are_apart(report_run: Callable[..., Run]) -> None:
    apart = nets(report_run(5), report_run(90, conv_layers=4))
    close = nets(report_run(5), report_run(9, conv_layers=5))
    assert "do not overlap" in lead_sentence(SAY, apart.nets)
    assert NOT_SHOWN not in lead_sentence(SAY, apart.nets)
    assert NOT_SHOWN in lead_sentence(SAY, close.nets)
    assert "no other network" in lead_sentence(SAY, close.nets[:1])


def test_the_smallest_as_good_is_another_net_or_the_best(report_run: Callable[..., Run]) -> None:
    as_good = nets(report_run(5, base_channels=16), report_run(9))
    worse = nets(report_run(5, base_channels=16), report_run(90))
    assert "800 parameters, 50% of the best one's" in smallest_sentence(SAY, as_good.nets)
    assert "No smaller network" in smallest_sentence(SAY, worse.nets)


def test_mcnemar_says_who_is_better_or_that_no_difference_is_shown() -> None:
    # of 10 throws of a fair coin 9 or more fall to one side with 22 / 1024; 6 or more often
    shown = mcnemar_sentence(SAY, McNemar(80, 1, 9, 10, 22 / 1024), "A", "B")
    hidden = mcnemar_sentence(SAY, McNemar(80, 4, 6, 10, 0.754), "A", "B")
    assert "B is right more often" in shown
    assert "p = 0.021" in shown
    assert NOT_SHOWN in hidden
    assert "right more often" not in hidden


@pytest.mark.parametrize(("p", "is_shown"), [(0.01, True), (0.05, False), (0.8, False)])
def test_a_confusion_differs_by_more_than_chance_or_not(p: float, is_shown: bool) -> None:
    text = pair_sentence(SAY, ConfusionPair("three", "two", 269, 40, 12, p), "A", "B", 3)
    assert "Of 269 clips of three, A takes 40 for two and B 12" in text
    assert (NOT_SHOWN in text) is not is_shown
    assert ("more than chance" in text) is is_shown


def test_a_record_is_broken_not_shown_to_be_or_stands() -> None:
    now = Interval(0.90, 0.94)
    assert "is broken" in record_sentence(SAY, 0.92, now, 0.85, (0.82, 0.88))
    higher = record_sentence(SAY, 0.92, now, 0.91, (0.89, 0.93))
    assert NOT_SHOWN in higher
    assert "broken" not in higher
    assert "stands" in record_sentence(SAY, 0.92, now, 0.95, (0.94, 0.96))


def test_the_weakest_class_is_told_from_the_strongest_or_not() -> None:
    few = [{"name": name, "recall": r, "support": 10} for name, r in (("a", 0.7), ("b", 0.9))]
    many = [{**each, "support": 1000} for each in few]
    assert NOT_SHOWN in str(weakest_class_sentence(SAY, few))
    assert "do not overlap" in str(weakest_class_sentence(SAY, many))
    assert weakest_class_sentence(SAY, few[:1]) is None


def test_a_net_is_above_its_control_or_not_shown_to_be(report_run: Callable[..., Run]) -> None:
    row = nets(report_run()).nets[0]
    score = BrainScore("music", "h", 0.5, "conv2", 0.3, "spectral", 0.4, None, (0.45, 0.55))
    assert "that is above spectral" in brain_sentence(SAY, BrainRow(row, score))
    close = replace(score, control_score=0.47)
    assert "not shown to be above" in brain_sentence(SAY, BrainRow(row, close))
