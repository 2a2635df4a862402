r"""Noise ceilings: the highest score that the noise of the responses lets any model reach.

A measured response is signal plus noise, y = s + e. A perfect model of s correlates with y at

    c = √(var s / var y),

and a score r is held against that as r / c. Where c is badly known the ratio passes 1 by noise
alone, so targets with an unreliable ceiling are masked, and nothing is clipped.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]

LOWEST_CEILING = 0.2
"""A target below it is unreliable: its scores divided by so little would be noise."""


@dataclass(frozen=True)
class SubjectCeiling:
    """How alike subjects are, each target apart; every score is a mean over subjects.

    Attributes:
        lower: (n_targets,) r of each subject with the mean of the others: what a model that is the
            same for all should reach.
        upper: (n_targets,) r of each subject with the mean of all, itself included.
        lower_of: (n_subjects, n_targets).
        pairwise: (n_targets,) mean r of two subjects; its root is the r of a perfect model.
    """

    lower: Scores
    upper: Scores
    lower_of: Scores
    pairwise: Scores

    @property
    def of_a_perfect_model(self) -> Scores:
        """(n_targets,) √ of the mean r of two subjects; nan where that is negative."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(self.pairwise)


def explainable_variance(repeats: ArrayLike) -> Scores:
    r"""The share of the variance of one measurement that repeats: (n_targets,), from -1/(n-1) to 1.

        EV = (n · var(mean over repeats) - v) / ((n - 1) · v),   v the mean variance of one repeat,

    which is var s / var y without bias (Sahani and Linden 2003, NIPS 15; Hsu, Borst and Theunissen
    2004, Network 15).

    Args:
        repeats: (n_repeats, n_samples, n_targets), at least two repeats.
    """
    values = np.asarray(repeats, dtype=np.float64)
    n = len(values)
    of_mean = values.mean(axis=0).var(axis=0, ddof=1)
    of_one = values.var(axis=1, ddof=1).mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Scores = (n * of_mean - of_one) / ((n - 1) * of_one)
    return share


def ceiling_of_repeats(repeats: ArrayLike) -> Scores:
    r"""The r of a perfect model with the mean over repeats: (n_targets,), nan where it is not real.

        c = √(n · EV / (1 + (n - 1) · EV)),

    the Spearman-Brown formula on the explainable variance of one repeat.
    """
    n = len(np.asarray(repeats))
    return _root(spearman_brown(explainable_variance(repeats), n))


def split_half(repeats: ArrayLike, n_splits: int = 100, seed: int = 0) -> Scores:
    """The reliability of the mean over repeats: r of two halves, stepped up (Spearman-Brown).

    Args:
        repeats: (n_repeats, n_samples, n_targets), at least two repeats.
        n_splits: random halves; r is their mean.
        seed: of the halves.

    Returns:
        (n_targets,); its root is the r of a perfect model.
    """
    values = np.asarray(repeats, dtype=np.float64)
    n, half = len(values), len(values) // 2
    rng = np.random.default_rng(seed)
    r = []
    for _ in range(n_splits if n > 2 else 1):
        order = rng.permutation(n)
        halves = values[order[:half]].mean(axis=0), values[order[half : 2 * half]].mean(axis=0)
        r.append(_correlation(*halves))
    return spearman_brown(np.mean(r, axis=0), n / half)


def spearman_brown(reliability: ArrayLike, factor: float) -> Scores:
    """The reliability of `factor` times as many measurements: k r / (1 + (k - 1) r).

    Examples:
        >>> from convscope.brain.inference.ceiling import spearman_brown
        >>> float(spearman_brown(0.5, 2).round(3))
        0.667
    """
    r = np.asarray(reliability, dtype=np.float64)
    stepped: Scores = factor * r / (1 + (factor - 1) * r)
    return stepped


def between_subjects(responses: ArrayLike) -> SubjectCeiling:
    """Each subject against the mean of the others, and of all.

    Args:
        responses: (n_subjects, n_samples, n_targets), at least two subjects; each subject's
            responses to a target are brought to mean 0 and standard deviation 1 first.
    """
    values = np.asarray(responses, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    n, n_samples = z.shape[:2]
    total = z.sum(axis=0)
    lower = np.stack([_correlation(each, total - each) for each in z])
    upper = np.stack([_correlation(each, total) for each in z])
    # the sum of all pairs' r is in the square of the sum
    pairs = ((total**2).sum(axis=0) / n_samples - n) / (n * (n - 1))
    return SubjectCeiling(lower.mean(axis=0), upper.mean(axis=0), lower, pairs)


def normalised(r: ArrayLike, ceiling: ArrayLike, lowest: float = LOWEST_CEILING) -> Scores:
    """r / c; nan where the ceiling is unknown or below `lowest`. Above 1 it stays above 1."""
    c = np.asarray(ceiling, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Scores = np.where(c >= lowest, np.asarray(r, dtype=np.float64) / c, np.nan)
    return share


def rank(responses: ArrayLike, tolerance: float = 1e-5) -> int:
    """How many independent patterns there are in (n_samples, n_targets) responses.

    Fewer than samples and targets: they were denoised, as by a decomposition, and what would say
    how much of them is noise is gone.
    """
    values = np.asarray(responses, dtype=np.float64)
    values = values[:, np.isfinite(values).all(axis=0)]
    small = values @ values.T if len(values) <= values.shape[1] else values.T @ values
    if not small.size:
        return 0
    roots = np.sqrt(np.maximum(np.linalg.eigvalsh(small), 0))
    return int((roots > tolerance * roots.max()).sum())


def _root(values: Scores) -> Scores:
    with np.errstate(invalid="ignore"):
        return np.sqrt(values)


def _correlation(a: Scores, b: Scores) -> Scores:
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Scores = (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return r
