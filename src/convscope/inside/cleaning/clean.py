"""Which clips are most likely mislabelled or ambiguous, by what was said of them unseen.

Source: C. Northcutt, L. Jiang and I. Chuang, Confident learning: estimating uncertainty in dataset
labels, J. Artif. Intell. Res. 70, 1373 (2021), as the package cleanlab has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError
from convscope.types import Labels

Probabilities: TypeAlias = NDArray[np.float64]
"""(n_clips, n_classes), each row sums to 1."""

Kind: TypeAlias = Literal["broken", "mislabelled", "ambiguous"]

FOLDS = 5

AMBIGUOUS = 0.75
"""An entropy of so much of the largest possible, that of an even guess, is ambiguous."""


@dataclass(frozen=True)
class Suspect:
    """A clip to look at or listen to.

    Attributes:
        index: its place among the clips.
        kind: what it is suspected of.
        reason: why, in words.
        suggested: the class that is most likely instead; its own of those that are not mislabelled.
        score: how likely its label is right, 0 to 1: the less, the more suspect; 0 of the broken.
    """

    index: int
    kind: Kind
    reason: str
    suggested: int
    score: float


def unseen_probabilities(
    values: NDArray[np.float32], labels: Labels, n_classes: int, folds: int = FOLDS, seed: int = 0
) -> Probabilities:
    """What linear probes say of clips that they were not trained on, by cross-validation.

    The clips are dealt into folds, each class evenly; a logistic regression on the standardised
    features of all other folds gives the probabilities of a fold. Where the features are those of a
    net that was trained on these very labels, they have seen them: then a label that the net has
    learned by heart is not found. Train anew for each fold to be rid of that.

    Args:
        values: (n_clips, n_features).
        labels: (n_clips,).
        n_classes: columns of the result; a class without clips gets 0.
        folds: less where the rarest class has fewer clips.
        seed: of the deal.

    Raises:
        UserError: a class has one clip alone, or there is only one class.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    from convscope.inside.probing.probe import classifier

    found, counts = np.unique(labels, return_counts=True)
    if len(found) < 2 or counts.min() < 2:
        raise UserError(
            f"expected at least two classes of two clips each to judge labels by, got "
            f"{len(found)} classes, the rarest of {counts.min()} clips: give more clips"
        )
    dealt = StratifiedKFold(min(folds, int(counts.min())), shuffle=True, random_state=seed)
    said = cross_val_predict(
        classifier("linear", seed), values, labels, cv=dealt, method="predict_proba"
    )
    probabilities = np.zeros((len(labels), n_classes))
    probabilities[:, found] = said
    return probabilities


def softmax(logits: NDArray[np.floating[Any]]) -> Probabilities:
    """exp z_k / Σ exp z_j of each row."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def label_scores(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """(n_clips,) how likely each label is right: the probability that an unseen look gives it."""
    rank = _cleanlab()[0]
    return np.asarray(rank(labels, probabilities, method="self_confidence"), np.float64)


def mislabelled(labels: Labels, probabilities: Probabilities) -> NDArray[np.bool_]:
    """(n_clips,) whether a label is likely wrong, by confident learning.

    A clip counts for class j if the probability of j is at least the mean probability of j among
    the clips labelled j; from these counts follows how many clips of each class are mislabelled.
    """
    find = _cleanlab()[1]
    n_classes = probabilities.shape[1]
    present = np.unique(labels)
    own = probabilities[:, present] / probabilities[:, present].sum(axis=1, keepdims=True)
    place = np.zeros(n_classes, np.int64)
    place[present] = np.arange(len(present))
    if len(present) < 2:
        return np.zeros(len(labels), np.bool_)
    return np.asarray(find(place[labels], own, n_jobs=1), np.bool_)


def entropy(probabilities: Probabilities) -> NDArray[np.float64]:
    """(n_clips,) - Σ p ln p / ln n_classes: 0 for one class alone, 1 for an even guess."""
    logarithms = np.log(np.maximum(probabilities, 1e-300))
    return np.asarray(
        -(probabilities * logarithms).sum(axis=1) / np.log(max(2, probabilities.shape[1]))
    )


def suspects(
    labels: Labels,
    groups: Sequence[tuple[NDArray[np.int64], Probabilities]],
    bad: Mapping[int, str],
) -> tuple[list[Suspect], NDArray[np.float64]]:
    """Clips to look at, the most suspect first, and the score (n_clips,) of every clip.

    Args:
        labels: (n_clips,).
        groups: places of some clips, and what was said of them unseen; each group by itself, as
            probabilities of two origins are not sure of themselves alike. Every clip in one group.
        bad: why clips are broken, by place.
    """
    scores = np.zeros(len(labels))
    found: list[Suspect] = []
    for places, probabilities in groups:
        own = labels[places]
        scores[places] = label_scores(own, probabilities)
        found += _doubtful(places, own, probabilities, scores[places])
    scores[list(bad)] = 0.0
    found = [each for each in found if each.index not in bad]
    found += [Suspect(i, "broken", why, int(labels[i]), 0.0) for i, why in bad.items()]
    order = {"broken": 0, "mislabelled": 1, "ambiguous": 2}
    return sorted(found, key=lambda each: (order[each.kind], each.score, each.index)), scores


def _doubtful(
    places: NDArray[np.int64],
    labels: Labels,
    probabilities: Probabilities,
    scores: NDArray[np.float64],
) -> list[Suspect]:
    wrong, doubt = mislabelled(labels, probabilities), entropy(probabilities)
    found = []
    for i in np.flatnonzero(wrong | (doubt >= AMBIGUOUS)):
        likely = int(probabilities[i].argmax())
        share = probabilities[i, likely]
        kind: Kind = "mislabelled" if wrong[i] else "ambiguous"
        reason = f"its label has {scores[i]:.1%}, the likeliest {share:.1%}"
        suggested = likely if wrong[i] else int(labels[i])
        found.append(Suspect(int(places[i]), kind, reason, suggested, float(scores[i])))
    return found


def _cleanlab() -> tuple[Any, Any]:
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError as error:
        raise UserError(
            f"clean needs the package {error.name}: pip install 'convscope[clean]'"
        ) from None
    return get_label_quality_scores, find_label_issues
