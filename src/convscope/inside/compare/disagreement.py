"""Where two runs' answers to the same clips differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError
from convscope.scores.metrics import confusion_matrix
from convscope.types import ConfusionMatrix, Labels


@dataclass(frozen=True)
class Answers:
    """What two runs say of the same clips.

    Attributes:
        ids: (n_clips,).
        labels: (n_clips,) indices into `classes`.
        one: (n_clips,) what the first run says.
        two: (n_clips,) what the second says; -1 for a class that the first does not know.
        classes: names, those of the first run.
    """

    ids: NDArray[np.str_]
    labels: Labels
    one: Labels
    two: Labels
    classes: tuple[str, ...]

    @property
    def confusions(self) -> tuple[ConfusionMatrix, ConfusionMatrix]:
        """Of both runs, on the clips to which both give a class that both know."""
        n, known = len(self.classes), self.two >= 0
        return (
            confusion_matrix(self.labels[known], self.one[known], n),
            confusion_matrix(self.labels[known], self.two[known], n),
        )


@dataclass(frozen=True)
class McNemar:
    """Which of two classifiers is right more often, by the clips that one of them alone has right.

    Attributes:
        both: clips that both have right.
        only_one: that the first alone has right.
        only_two: that the second alone has right.
        neither: that none has right.
        p: of the exact test, two-sided: of only_one + only_two throws of a fair coin, how often is
            the split as uneven as this. 1 where there are none.

    Source: Q. McNemar, Psychometrika 12, 153 (1947).
    """

    both: int
    only_one: int
    only_two: int
    neither: int
    p: float


def mcnemar(one_right: NDArray[np.bool_], two_right: NDArray[np.bool_]) -> McNemar:
    """McNemar's exact test of two classifiers on the same clips, (n_clips,) each."""
    from scipy.stats import binomtest

    only_one, only_two = int((one_right & ~two_right).sum()), int((two_right & ~one_right).sum())
    n = only_one + only_two
    return McNemar(
        both=int((one_right & two_right).sum()),
        only_one=only_one,
        only_two=only_two,
        neither=int((~one_right & ~two_right).sum()),
        p=float(binomtest(only_one, n).pvalue) if n else 1.0,
    )


def joined(
    one: Mapping[str, NDArray[Any]],
    one_classes: Sequence[str],
    two: Mapping[str, NDArray[Any]],
    two_classes: Sequence[str],
) -> Answers:
    """The clips that both runs were scored on, matched by id and class name.

    Args:
        one: what `predictions.npz` holds of the first run: logits, labels, ids, scored.
        one_classes: its classes.
        two: the same of the second.
        two_classes: its classes.

    Raises:
        UserError: they share no clip.
    """
    first, second = _scored(one, one_classes), _scored(two, two_classes)
    ids = [id for id in first if id in second and first[id][0] == second[id][0]]
    if not ids:
        raise UserError(
            "the two runs were scored on no clip in common: compare runs of the same data"
        )
    number = {name: i for i, name in enumerate(one_classes)}
    return Answers(
        ids=np.array(ids),
        labels=np.array([number[first[id][0]] for id in ids], np.int64),
        one=np.array([number[first[id][1]] for id in ids], np.int64),
        two=np.array([number.get(second[id][1], -1) for id in ids], np.int64),
        classes=tuple(one_classes),
    )


def _scored(
    predictions: Mapping[str, NDArray[Any]], classes: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """From id to the class that a clip has and the one that it was given."""
    kept = predictions.get("scored", np.ones(len(predictions["ids"]), np.bool_))  # once not kept
    said = predictions["logits"].argmax(axis=1)[kept]
    rows = zip(predictions["ids"][kept], predictions["labels"][kept], said, strict=True)
    return {str(id): (classes[label], classes[each]) for id, label, each in rows}


def by_class(answers: Answers) -> list[dict[str, Any]]:
    """McNemar's test over all clips, then for each class: rows of a table."""
    rows = [_row("all", answers, np.ones(len(answers.ids), np.bool_))]
    for label, name in enumerate(answers.classes):
        own = answers.labels == label
        if own.any():
            rows.append(_row(name, answers, own))
    return rows


def _row(name: str, answers: Answers, own: NDArray[np.bool_]) -> dict[str, Any]:
    labels = answers.labels[own]
    one, two = answers.one[own] == labels, answers.two[own] == labels
    test = mcnemar(one, two)
    return {
        "class": name,
        "n": len(labels),
        "accuracy_one": float(one.mean()),
        "accuracy_two": float(two.mean()),
        "both": test.both,
        "only_one": test.only_one,
        "only_two": test.only_two,
        "neither": test.neither,
        "p_mcnemar": test.p,
    }


def differing(answers: Answers) -> list[dict[str, Any]]:
    """The clips to which the two runs give different classes: rows of a table."""
    names = (*answers.classes, "another class")  # -1 is the last
    rows = np.flatnonzero(answers.one != answers.two)
    return [
        {
            "id": str(answers.ids[i]),
            "label": names[answers.labels[i]],
            "one": names[answers.one[i]],
            "two": names[answers.two[i]],
        }
        for i in rows
    ]
