"""Two nets on the same clips: what each confuses, and whether they differ by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.inside.compare.disagreement import Answers, McNemar, joined, mcnemar
from convscope.run import Run
from convscope.scores.predictions import read_predictions

ALPHA = 0.05
"""A probability below which a difference is called more than chance."""

MOST_PAIRS = 3


@dataclass(frozen=True)
class ConfusionPair:
    """How often two nets take one class for another, on the same clips.

    Attributes:
        actual, predicted: the classes.
        n: clips of the actual class.
        one, two: how many of them each net takes for the predicted class.
        p: of McNemar's exact test on these clips, times the number of pairs that are tested
            (Bonferroni), at most 1.
    """

    actual: str
    predicted: str
    n: int
    one: int
    two: int
    p: float


def answers_of(one: Run, two: Run) -> Answers:
    """What two finished runs say of the clips that both were scored on.

    Raises:
        UserError: they share no clip, or one of them is damaged.
    """
    classes = one.classes, two.classes
    stored = [read_predictions(run, len(own)) for run, own in zip((one, two), classes, strict=True)]
    return joined(stored[0], classes[0], stored[1], classes[1])


def overall(answers: Answers) -> McNemar:
    """Which of the two is right more often, by the clips that one alone has right."""
    return mcnemar(answers.one == answers.labels, answers.two == answers.labels)


def worst_pairs(answers: Answers, n_pairs: int = MOST_PAIRS) -> list[ConfusionPair]:
    """The pairs of classes that both nets together confuse most, each tested on its own clips.

    A pair's test asks whether the clips of one class that only the first net takes for the other
    class are as many as those that only the second does.
    """
    one, two = answers.confusions
    off = (one + two) * (1 - np.eye(len(answers.classes), dtype=np.int64))
    order = np.argsort(-off, axis=None, kind="stable")[:n_pairs]
    places = [divmod(int(i), len(off)) for i in order]
    found = [place for place in places if off[place] > 0]
    return [_pair(answers, actual, predicted, len(found)) for actual, predicted in found]


def _pair(answers: Answers, actual: int, predicted: int, n_tests: int) -> ConfusionPair:
    own = answers.labels == actual
    one, two = answers.one[own] == predicted, answers.two[own] == predicted
    names: Sequence[str] = answers.classes
    return ConfusionPair(
        actual=names[actual],
        predicted=names[predicted],
        n=int(own.sum()),
        one=int(one.sum()),
        two=int(two.sum()),
        p=min(1.0, n_tests * mcnemar(one, two).p),
    )
