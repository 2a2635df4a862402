"""Classes of unequal size: as many clips of each, or a loss that weighs them alike."""

import numpy as np
from numpy.typing import NDArray

from convscope.data.config import Balance
from convscope.types import Labels


def balanced_indices(
    labels: Labels, balance: Balance, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Which training clips to train on, as positions in `labels`, ascending.

    Drawn once for a training: the reports, too, cut their data set down before they trained.

    - undersample: as many clips of each class as of the rarest, drawn without replacement;
    - oversample: as many as of the commonest: every clip of a class equally often, but for a
      remainder that is drawn without replacement;
    - none, weights: every clip once.

    Args:
        labels: (n_clips,) of the training clips alone.
        balance: see above.
        rng: decides the draw.
    """
    if balance in ("none", "weights"):
        return np.arange(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    wanted = int(counts.min() if balance == "undersample" else counts.max())
    drawn = [_draw(np.flatnonzero(labels == label), wanted, rng) for label in classes]
    return np.sort(np.concatenate(drawn))


def _draw(indices: NDArray[np.int64], wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`wanted` of the indices, each as often as the others but for a random remainder."""
    times, remainder = divmod(wanted, len(indices))
    rest = rng.choice(indices, remainder, replace=False)
    return np.concatenate([np.tile(indices, times), rest])


def class_weights(labels: Labels, n_classes: int) -> NDArray[np.float32]:
    """(n_classes,) loss weights n / (n_classes · n_class), whose mean over the clips is 1.

    A class without a clip gets 0. Source: G. King and L. Zeng, Logistic Regression in Rare Events
    Data (2001); scikit-learn's `balanced`.
    """
    counts = np.bincount(labels, minlength=n_classes)
    weights = np.divide(len(labels), n_classes * counts, out=np.zeros(n_classes), where=counts > 0)
    return weights.astype(np.float32)
