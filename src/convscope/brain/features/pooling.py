"""A layer's positions as features of one stimulus: means, greatest values, stretches of time."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def pooled(answer: Array, pooling: str, n_time_bins: int, window: float = 1.0) -> Array:
    """(n_pieces, n_units, …, n_positions) as (n_features,), units along the slowest axis.

    Args:
        answer: of a layer to a stimulus in one piece, or in windows that lie evenly over it.
        pooling: mean: over all positions and pieces; max: the greatest of them; time_bins: means
            of stretches of the stimulus; whole: every position, piece behind piece.
        n_time_bins: of `time_bins`, of equal length; fewer where there are fewer positions.
        window: share of the stimulus that a piece spans.
    """
    if answer.ndim == 2:
        answer = answer[:, :, None]
    units = np.moveaxis(answer, 1, 0)  # (n_units, n_pieces, …, n_positions)
    if pooling == "whole":
        return np.ascontiguousarray(units).reshape(-1)
    if pooling == "max":
        greatest: Array = units.reshape(len(units), -1).max(axis=1)
        return greatest
    if pooling == "time_bins" and units.shape[-1] > 1:
        return _bin_means(units, n_time_bins, window)
    mean: Array = units.reshape(len(units), -1).mean(axis=1)
    return mean


def _bin_means(units: Array, n_bins: int, window: float) -> Array:
    n_pieces, n_positions = units.shape[1], units.shape[-1]
    if units.ndim > 3:  # axes that are not time
        units = units.reshape(len(units), n_pieces, -1, n_positions).mean(axis=2)
    starts = np.linspace(0, 1 - window, n_pieces)[:, None]
    times = starts + window * (np.arange(n_positions) + 0.5) / n_positions  # shares of the stimulus
    bins = np.floor(times * n_bins)
    means = [units[:, bins == each].mean(axis=1) for each in np.unique(bins)]
    return np.stack(means, axis=1).reshape(-1)
