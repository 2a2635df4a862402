r"""How well held-out responses are predicted: r and R², always both.

r forgives a wrong scale and a wrong mean, R² does not: predictions times three have the same r and
an R² far below 0. Each is computed for each target over all held-out samples together.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]


def correlation(predicted: ArrayLike, measured: ArrayLike) -> Scores:
    r"""Pearson's r of each column; nan where one of the two does not vary.

    Args:
        predicted: (n_samples, n_targets) or (n_samples,).
        measured: the same shape; a column with a nan gives nan.

    Examples:
        >>> from convscope.brain.encoding.scores import correlation
        >>> correlation([[1.0], [2.0], [3.0]], [[2.0], [4.0], [9.0]]).round(3)
        array([0.971])
    """
    a, b = (_centred(values) for values in (predicted, measured))
    norms = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    smallest = 1e-12 * np.sqrt(_power(predicted) * _power(measured))
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Scores = np.where(norms > smallest, (a * b).sum(axis=0) / norms, np.nan)
    return r


def explained_variance(predicted: ArrayLike, measured: ArrayLike) -> Scores:
    r"""R² = 1 - Σ (y - ŷ)² / Σ (y - mean y)² of each column; nan where y does not vary.

    Examples:
        >>> from convscope.brain.encoding.scores import explained_variance
        >>> explained_variance([[1.0], [2.0], [3.0]], [[1.0], [2.0], [4.0]]).round(3)
        array([0.786])
    """
    predicted = np.asarray(predicted, dtype=np.float64)
    measured = np.asarray(measured, dtype=np.float64)
    total = (_centred(measured) ** 2).sum(axis=0)
    error = ((measured - predicted) ** 2).sum(axis=0)
    smallest = 1e-24 * _power(measured)
    with np.errstate(invalid="ignore", divide="ignore"):
        r2: Scores = np.where(total > smallest, 1 - error / total, np.nan)
    return r2


def _centred(values: ArrayLike) -> Scores:
    values = np.asarray(values, dtype=np.float64)
    centred: Scores = values - values.mean(axis=0)
    return centred


def _power(values: ArrayLike) -> Scores:
    power: Scores = (np.asarray(values, dtype=np.float64) ** 2).sum(axis=0)
    return power
