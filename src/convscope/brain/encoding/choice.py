"""The best layer, chosen without a look at what it is tested on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.brain.encoding.encode import Draw, Encoded
from convscope.brain.encoding.ridge import Array


@dataclass(frozen=True)
class Choice:
    """For each target the layer that fits the training samples best.

    Attributes:
        layer: (n_draws, n_folds, n_targets) its index; -1 where a target cannot be predicted.
        chosen: the predictions of the chosen layers, as one more feature space.
        best_on_test: (n_draws, n_targets) r of the layer that does best on the test itself: what a
            choice there would have claimed. Of 18 layers of noise that is 0.10 to 0.16.
    """

    layer: NDArray[np.int64]
    chosen: Encoded
    best_on_test: NDArray[np.float64]


def choose_layer(layers: Sequence[Encoded], responses: Array, draws: Sequence[Draw]) -> Choice:
    """In each fold the layer of least loss within the training samples, target by target.

    Args:
        layers: what each layer predicted of the same draws.
        responses: (n_samples, n_targets).
        draws: as given to `encode`.
    """
    losses = np.stack([each.inner_loss for each in layers])
    known = np.isfinite(losses).all(axis=0)
    layer = np.where(known, np.where(np.isfinite(losses), losses, np.inf).argmin(axis=0), -1)
    predictions = np.full_like(layers[0].predictions, np.nan)
    targets = np.arange(predictions.shape[2])
    for d, draw in enumerate(draws):
        for f, fold in enumerate(draw.folds):
            for i, each in enumerate(layers):
                own = targets[layer[d, f] == i]
                cells = np.ix_(fold.test, own)
                predictions[d][cells] = each.predictions[d][cells]
    chosen = Encoded(
        predictions,
        np.min(losses, axis=0),
        np.full_like(losses[0], np.nan),
        float(np.mean([each.at_ends for each in layers])),
        0,
    )
    r = np.stack([each.r(responses) for each in layers])
    usable = np.isfinite(r).any(axis=0)
    best = np.where(usable, np.nanmax(np.where(usable, r, -np.inf), axis=0), np.nan)
    return Choice(layer, chosen, best)
