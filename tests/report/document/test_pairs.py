"""What two nets confuse, counted by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from convscope.inside.compare.disagreement import Answers
from convscope.report.document.pairs import answers_of, overall, worst_pairs
from convscope.run import Run


def test_pairs_by_hand() -> None:
    labels = np.array([0] * 10 + [1] * 10)
    one, two = labels.copy(), labels.copy()
    one[:6], two[10] = 1, 0
    answers = Answers(np.array([str(i) for i in range(20)]), labels, one, two, ("tree", "three"))
    first, second = worst_pairs(answers)
    assert (first.actual, first.predicted, first.n, first.one, first.two) == (
        "tree",
        "three",
        10,
        6,
        0,
    )
    assert first.p == pytest.approx(2 * 2 / 2**6)  # six throws, all on one side, two pairs
    assert (second.one, second.two, second.p) == (0, 1, 1.0)


def test_runs_are_matched_clip_by_clip(report_run: Callable[..., Run]) -> None:
    answers = answers_of(report_run(30), report_run(30, first_wrong=20, conv_layers=4))
    test = overall(answers)
    assert (test.only_one, test.only_two, test.neither) == (20, 20, 10)
