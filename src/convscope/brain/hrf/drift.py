r"""Slow drifts of a scanner, and how they are taken out.

A discrete cosine basis of all periods longer than T (SPM's high-pass filter):

    c_k(t) = √(2/n) cos(π k (t + ½) / n),   k = 1 … ⌊2 n TR / T⌋
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def drift(n_volumes: int, tr_seconds: float, period_seconds: float | None) -> Array:
    """(n_volumes, n_columns): cosines of periods longer than that, and a constant, the last.

    Args:
        n_volumes: of one run.
        tr_seconds: from volume to volume.
        period_seconds: None: the constant alone.
    """
    n = 0 if period_seconds is None else int(np.floor(2 * n_volumes * tr_seconds / period_seconds))
    times = np.arange(n_volumes)[:, None] + 0.5
    waves = np.arange(1, min(n, n_volumes - 1) + 1)
    cosines = np.sqrt(2 / n_volumes) * np.cos(np.pi * waves * times / n_volumes)
    return np.hstack([cosines, np.ones((n_volumes, 1))])


def without(values: ArrayLike, columns: Array) -> Array:
    """What is left of (n_volumes, n) values when columns are explained away by least squares."""
    values = np.asarray(values, dtype=np.float64)
    fitted: Array = columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    return values - fitted


def without_drift(
    values: ArrayLike, runs: ArrayLike, tr_seconds: float, period_seconds: float | None
) -> Array:
    """Each run less its own drifts and mean: (n_samples, n)."""
    values = np.asarray(values, dtype=np.float64)
    numbers = np.asarray(runs)
    left = np.empty_like(values)
    for run in np.unique(numbers):
        own = numbers == run
        left[own] = without(values[own], drift(int(own.sum()), tr_seconds, period_seconds))
    return left


def partial_correlation(x: ArrayLike, y: ArrayLike, columns: Array) -> Array:
    """r of each column of x with that of y when `columns` are explained away from both.

    Args:
        x, y: (n_volumes, n).
        columns: (n_volumes, n_columns), the constant among them.
    """
    x, y = without(x, columns), without(y, columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Array = (x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return r
