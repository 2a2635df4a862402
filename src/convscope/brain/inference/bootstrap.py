r"""Bootstrap intervals: what a score would be with other stimuli, or with other people.

Drawing n of n with replacement is giving each sample a count; sums over a draw are then weighted
sums, so that a thousand draws are a few matrix products. Percentile intervals (Efron and Tibshirani
1993, An Introduction to the Bootstrap, section 13.3). Fits are not drawn again: the interval is of
the score of these predictions.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores: TypeAlias = NDArray[np.float64]


def draw_counts(n: int, n_draws: int, seed: int) -> Scores:
    """(n_draws, n): how often each of n samples was drawn."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), n_draws).astype(np.float64)


def draw_group_counts(groups: ArrayLike, n_draws: int, seed: int) -> Scores:
    """(n_draws, n) as `draw_counts`, samples of one group together: the same stimulus under several
    names, or volumes of one stretch of time.

    Args:
        groups: (n,) the number of each sample's group.
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    return draw_counts(len(names), n_draws, seed)[:, group_of]


def drawn_correlation(counts: Scores, predicted: ArrayLike, measured: ArrayLike) -> Scores:
    """(n_draws, n_targets) Pearson's r in each draw of samples.

    Args:
        counts: (n_draws, n_samples).
        predicted: (n_samples, n_targets).
        measured: the same shape.
    """
    x = _centred(predicted)
    y = _centred(measured)
    weights = counts / counts.sum(axis=1, keepdims=True)
    mean_x, mean_y = weights @ x, weights @ y
    covariance = weights @ (x * y) - mean_x * mean_y
    variance = (weights @ x**2 - mean_x**2) * (weights @ y**2 - mean_y**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Scores = covariance / np.sqrt(np.maximum(variance, 0))
    return r


def drawn_explained_variance(counts: Scores, predicted: ArrayLike, measured: ArrayLike) -> Scores:
    """(n_draws, n_targets) R² in each draw of samples; shapes as `drawn_correlation`."""
    y = _centred(measured)
    error = (np.asarray(measured, np.float64) - np.asarray(predicted, np.float64)) ** 2
    weights = counts / counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        r2: Scores = 1 - (weights @ error) / (weights @ y**2 - (weights @ y) ** 2)
    return r2


def interval(drawn: ArrayLike, confidence: float = 0.95) -> Scores:
    """(2, …) the percentile interval over the first axis; nan where nothing was drawn."""
    values = np.asarray(drawn, dtype=np.float64)
    if not len(values):
        return np.full((2, *values.shape[1:]), np.nan)
    tail = (1 - confidence) / 2
    ends: Scores = np.quantile(values, [tail, 1 - tail], axis=0)
    return ends


def mean_interval(values: ArrayLike, n_draws: int, seed: int, confidence: float = 0.95) -> Scores:
    """(2, …) percentile interval of the mean over the first axis, such as subjects.

    Examples:
        >>> from convscope.brain.inference.bootstrap import mean_interval
        >>> mean_interval([0.1, 0.2, 0.3], 1000, seed=0).round(2)
        array([0.1, 0.3])
    """
    values = np.asarray(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(values), (n_draws, len(values)))
    return interval(values[picks].mean(axis=1), confidence)


def _centred(values: ArrayLike) -> Scores:
    """Less the mean, so that squares do not cancel."""
    values = np.asarray(values, dtype=np.float64)
    centred: Scores = values - values.mean(axis=0)
    return centred
