"""Whether each class has units of its own: how much a unit prefers one class to the others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.types import Labels

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Selectivity:
    """What the units of a layer have to do with the classes.

    Attributes:
        classes: (n_classes,) the indices of those that have clips.
        means: (n_units, n_classes) the mean positive response to the clips of a class.
        peaks: (n_units, n_classes) the mean over its clips of the largest response.
        used: (n_units, n_classes) the share of its clips that drive the unit.
        preferred: (n_units,) the class of the largest mean; −1 of a unit that is never positive.
        index: (n_units,) of selectivity, 0 to 1; nan of a unit that is never positive.
        sparseness: (n_units,) over the clips, 0 to 1; nan of a unit that is never positive.
        owner: (n_units,) the class that alone uses the unit; −1 where none does.
    """

    classes: NDArray[np.int64]
    means: Numbers
    peaks: Numbers
    used: Numbers
    preferred: NDArray[np.int64]
    index: Numbers
    sparseness: Numbers
    owner: NDArray[np.int64]


def selectivity(
    means: NDArray[np.floating],
    peaks: NDArray[np.floating],
    labels: Labels,
    uses: float = 0.5,
    shuns: float = 0.1,
) -> Selectivity:
    """How much each unit prefers one class, and whether that class alone uses it.

    With μ the mean positive response to the clips of a class, the index of selectivity is

        (μ_max − μ_others) / (μ_max + μ_others)

    where μ_others is the mean of μ over the other classes: 0 of a unit that answers to all alike,
    1 of one that answers to a single class. The lifetime sparseness of the responses r to n clips
    is

        (1 − a) / (1 − 1/n)   with   a = (Σ r / n)² / (Σ r² / n)

    A clip drives a unit where its peak is among the highest of that unit: above the quantile
    1 − 1/n_classes of the peaks, so that as many clips drive it as one class has, where classes
    are of one size. A class alone uses a unit where more than `uses` of its clips drive it, and
    less than `shuns` of the clips of any other.

    Source: A. Morcos et al., On the importance of single directions for generalization, ICLR
    (2018), Quantifying class selectivity. Sparseness: E. Rolls and M. Tovee, J. Neurophysiol. 73
    (1995), after A. Treves and E. Rolls (1991), in the form of W. Vinje and J. Gallant, Science
    287 (2000).

    Args:
        means: (n_clips, n_units) the mean positive response of each clip.
        peaks: (n_clips, n_units) its largest response.
        labels: (n_clips,) of two classes at least; clips of −1 are left out.
        uses: share of a class's clips.
        shuns: share of the clips of any other class.
    """
    known = labels >= 0
    means, peaks, labels = means[known].astype(np.float64), peaks[known], labels[known]
    classes, place = np.unique(labels, return_inverse=True)
    class_means = _per_class(means, place)
    used = _per_class(peaks > np.quantile(peaks, 1 - 1 / len(classes), axis=0), place)
    best = class_means.argmax(1)
    is_silent = class_means.max(1) <= 0
    return Selectivity(
        classes=classes,
        means=class_means,
        peaks=_per_class(peaks, place),
        used=used,
        preferred=np.where(is_silent, -1, classes[best]),
        index=_index(class_means),
        sparseness=sparseness(means),
        owner=_owner(used, classes, uses, shuns),
    )


def sparseness(responses: NDArray[np.floating]) -> Numbers:
    """Lifetime sparseness (n_units,) of responses (n_clips, n_units), none of them negative."""
    n_clips = len(responses)
    squares = (np.asarray(responses, np.float64) ** 2).mean(0)
    squares[squares == 0] = np.nan
    return np.asarray((1 - responses.mean(0) ** 2 / squares) / (1 - 1 / max(n_clips, 2)))


def _per_class(values: NDArray[np.generic], place: NDArray[np.int64]) -> Numbers:
    """(n_clips, n_units) -> (n_units, n_classes): the mean over the clips of each class."""
    belongs = np.eye(place.max() + 1)[place]
    return np.asarray(values.astype(np.float64).T @ belongs / belongs.sum(0))


def _index(class_means: Numbers) -> Numbers:
    most = class_means.max(1)
    others = (class_means.sum(1) - most) / (class_means.shape[1] - 1)
    total = np.where(most + others > 0, most + others, np.nan)
    return np.asarray((most - others) / total)


def _owner(
    used: Numbers, classes: NDArray[np.int64], uses: float, shuns: float
) -> NDArray[np.int64]:
    best = used.argmax(1)
    others = np.sort(used, axis=1)[:, -2]
    is_own = (used.max(1) > uses) & (others < shuns)
    return np.where(is_own, classes[best], -1)
