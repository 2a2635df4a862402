"""Scores of a classifier from its confusion matrix: arrays in, frozen records out.

What is undefined is None (`null` in JSON), never 0 and never nan: the precision of a class that was
never predicted, the recall of a class without clips, F1 where there is neither. Means are over the
classes for which the score is defined.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError
from convscope.scores.intervals import Interval, wilson
from convscope.types import ConfusionMatrix, Labels


@dataclass(frozen=True)
class ClassScores:
    """The scores of one class.

    With n_ij clips of class i predicted as j, class k has

        precision = n_kk / Σ_i n_ik,    recall = n_kk / Σ_j n_kj,    support = Σ_j n_kj,
        F1 = 2 n_kk / (Σ_i n_ik + Σ_j n_kj), the harmonic mean of the two.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class MeanScores:
    """Precision, recall and F1, averaged over classes."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Scores:
    """All scores of one network on one set of clips.

    Attributes:
        accuracy: share of the clips that are right.
        interval: 95 % Wilson interval of the accuracy.
        n: number of clips.
        classes: the scores of each class, in the order of the matrix.
        macro: mean over classes, each counting alike.
        weighted: mean over classes, each counting by its support.
        confusion: (n_classes, n_classes) counts, rows actual, columns predicted.
    """

    accuracy: float
    interval: Interval
    n: int
    classes: tuple[ClassScores, ...]
    macro: MeanScores
    weighted: MeanScores
    confusion: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers, as `scores.json` keeps them."""
        return {
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "n": self.n,
            "classes": [asdict(each) for each in self.classes],
            "macro": asdict(self.macro),
            "weighted": asdict(self.weighted),
            "confusion": [list(row) for row in self.confusion],
        }


@dataclass(frozen=True)
class Confusion:
    """How often one class was taken for another, and which share of the actual class that is."""

    actual: str
    predicted: str
    count: int
    share: float


def confusion_matrix(actual: Labels, predicted: Labels, n_classes: int) -> ConfusionMatrix:
    """Counts (n_classes, n_classes): row i, column j has the clips of class i predicted as j.

    Raises:
        ValueError: the two differ in length, or a label is not in 0 … n_classes - 1.
    """
    if actual.shape != predicted.shape:
        raise ValueError(
            f"expected as many predictions as labels, {actual.shape}, got {predicted.shape}"
        )
    labels = np.concatenate([actual, predicted])
    if labels.size and (labels.min() < 0 or labels.max() >= n_classes):
        raise ValueError(
            f"expected labels from 0 to {n_classes - 1}, got {labels.min()} to {labels.max()}"
        )
    counts = np.bincount(actual * n_classes + predicted, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def scores(matrix: ConfusionMatrix, classes: Sequence[str]) -> Scores:
    """Accuracy with its interval, the scores of every class, and their means.

    Args:
        matrix: (n_classes, n_classes) counts, rows actual.
        classes: n_classes names.

    Raises:
        UserError: the matrix holds no clip.
    """
    n, n_right = int(matrix.sum()), int(np.trace(matrix))
    if n == 0:
        raise UserError(
            "no clips to score: expected at least one, got 0; "
            "give data that has clips of the split and classes that are scored"
        )
    return Scores(
        accuracy=n_right / n,
        interval=wilson(n_right, n),
        n=n,
        classes=_class_scores(matrix, classes),
        macro=_mean_scores(matrix, "macro"),
        weighted=_mean_scores(matrix, "weighted"),
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
    )


def worst_confusions(matrix: ConfusionMatrix, classes: Sequence[str], n: int) -> list[Confusion]:
    """The `n` commonest confusions of one class with another; of equal counts the larger share."""
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    found = [
        Confusion(classes[i], classes[j], int(matrix[i, j]), float(share[i, j]))
        for i, j in np.argwhere(matrix).tolist()
        if i != j
    ]
    return sorted(found, key=lambda each: (-each.count, -each.share))[:n]


def at_chance(matrix: ConfusionMatrix) -> bool:
    """Whether the network cannot be told from one that answers without looking at the clip.

    Such a network, whichever classes it prefers, has in the mean the chance agreement

        p_e = Σ_k (share of class k among the clips) (share of class k among the answers),

    the same p_e as in Cohen's kappa. The mark is set where the 95 % Wilson interval of the accuracy
    does not lie above p_e: always where one class alone is predicted. The share of the commonest
    class would be a poorer yardstick: a network trained on balanced classes may know all of them
    and still fall below it on a test set of which that class is the larger part.

    Source: J. Cohen, Educ. Psychol. Meas. 20, 37 (1960).
    """
    n = int(matrix.sum())
    chance = float(matrix.sum(axis=0) @ matrix.sum(axis=1)) / max(n, 1) ** 2
    return wilson(int(np.trace(matrix)), n).low <= chance


def _class_scores(matrix: ConfusionMatrix, classes: Sequence[str]) -> tuple[ClassScores, ...]:
    precision, recall, f1 = _precision_recall_f1(matrix, None)
    return tuple(
        ClassScores(name, _defined(precision[k]), _defined(recall[k]), _defined(f1[k]), support)
        for k, (name, support) in enumerate(zip(classes, matrix.sum(axis=1).tolist(), strict=True))
    )


def _mean_scores(matrix: ConfusionMatrix, average: str) -> MeanScores:
    return MeanScores(*map(_defined, _precision_recall_f1(matrix, average)))


def _precision_recall_f1(matrix: ConfusionMatrix, average: str | None) -> list[Any]:
    """From scikit-learn, which takes pairs of labels: one pair a cell, weighing its count."""
    from sklearn import metrics  # 1.5 s of a training's start, where nothing is scored yet

    actual, predicted = np.nonzero(matrix)
    return list(
        metrics.precision_recall_fscore_support(
            actual,
            predicted,
            labels=np.arange(len(matrix)),
            sample_weight=matrix[actual, predicted],
            average=average,
            zero_division=np.nan,
        )[:3]
    )


def _defined(score: float | NDArray[np.float64]) -> float | None:
    return None if np.isnan(score) else float(score)
