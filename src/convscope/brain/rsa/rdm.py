r"""Representational dissimilarity: how different the answers to each two stimuli are.

A matrix (RDM) is kept as its upper triangle, pair (0, 1) first, then (0, 2): (n_pairs,) with
n_pairs = n (n - 1) / 2. After Kriegeskorte, Mur and Bandettini (2008), Front. Syst. Neurosci. 2;
values as rsatoolbox's.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convscope.errors import UserError

Pairs: TypeAlias = NDArray[np.float64]


def correlation_distance(patterns: ArrayLike) -> Pairs:
    r"""1 - r of each two rows.

    Args:
        patterns: (n_stimuli, n_features), at least two features; a constant row gives nan.
    """
    x = np.asarray(patterns, dtype=np.float64)
    if x.shape[1] < 2:
        raise UserError(
            "rsa.distance: correlation needs at least two features of a stimulus, got one: give "
            "rsa.distance: euclidean"
        )
    x = x - x.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return _upper(1 - x @ x.T)


def euclidean_distance(patterns: ArrayLike) -> Pairs:
    r"""Σ (x - y)² / n_features of each two rows, squared as in rsatoolbox.

    From differences, not from |x|² + |y|² - 2 x·y, which cancels where two rows are nearly the
    same.

    Examples:
        >>> from convscope.brain.rsa.rdm import euclidean_distance
        >>> euclidean_distance([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0]])
        array([ 2.,  8., 10.])
    """
    from scipy.spatial.distance import pdist

    x = np.asarray(patterns, dtype=np.float64)
    distances: Pairs = pdist(x, "sqeuclidean") / x.shape[1]
    return distances


def crossnobis_distance(repeats: ArrayLike) -> Pairs:
    r"""The cross-validated Mahalanobis distance: unbiased, 0 on average where there is no signal.

        d(i, j) = mean over pairs of repeats a ≠ b of (x_ai - x_aj)' Σ⁻¹ (x_bi - x_bj) / n_features

    Σ is the covariance of the noise, see `noise_covariance`. After Walther and others (2016),
    NeuroImage 137.

    Args:
        repeats: (n_repeats, n_stimuli, n_features), at least two repeats.
    """
    x = np.asarray(repeats, dtype=np.float64)
    n_repeats, _, n_features = x.shape
    if n_repeats < 2:
        raise UserError(
            "rsa.distance: crossnobis needs at least two repeats of the responses, got one: give "
            "rsa.distance: correlation"
        )
    whitened = x @ np.linalg.cholesky(np.linalg.inv(noise_covariance(x)))
    total, each = whitened.sum(axis=0), whitened
    products = total @ total.T - sum(one @ one.T for one in each)
    products = products / (n_repeats * (n_repeats - 1) * n_features)
    squares = np.diag(products)
    return _upper(squares[:, None] + squares[None] - products - products.T)


def noise_covariance(repeats: ArrayLike) -> Pairs:
    r"""(n_features, n_features) of what differs between repeats, shrunk to its diagonal.

    After Schäfer and Strimmer (2005), Stat. Appl. Genet. Mol. Biol. 4, as rsatoolbox's
    `shrinkage_diag` with n_stimuli (n_repeats - 1) degrees of freedom.
    """
    x = np.asarray(repeats, dtype=np.float64)
    residuals = (x - x.mean(axis=0)).reshape(-1, x.shape[2])
    n, n_freedom = len(residuals), (len(x) - 1) * x.shape[1]
    products = residuals.T @ residuals
    covariance = products / n_freedom
    variances = np.outer(np.diag(covariance), np.diag(covariance))
    r = products / np.sqrt(variances) / (n - 1)
    squares = (residuals**2).T @ residuals**2 / variances / (n - 1)
    off = ~np.eye(len(r), dtype=bool)
    r_error = n / n_freedom**2 * (squares - r**2)
    shrinkage = np.clip(r_error[off].sum() / (r[off] ** 2).sum(), 0, 1) if off.any() else 0.0
    shrunk: Pairs = np.where(off, (1 - shrinkage) * covariance, covariance)
    return shrunk


DISTANCES: dict[str, Callable[[ArrayLike], Pairs]] = {
    "correlation": correlation_distance,
    "euclidean": euclidean_distance,
}
"""Of (n_stimuli, n_features) patterns; `crossnobis_distance` takes repeats."""


def rdm(patterns: ArrayLike, distance: str = "correlation", scaling: str = "none") -> Pairs:
    """The dissimilarities of each two stimuli.

    Args:
        patterns: (n_stimuli, n_features).
        distance: a name of `DISTANCES`; of one feature it is Euclidean, as there is no other.
        scaling: `z` brings each feature to mean 0 and standard deviation 1 over the stimuli first;
            features that do not vary are left out.

    Examples:
        >>> from convscope.brain.rsa.rdm import rdm
        >>> rdm([[0.0, 1.0, 2.0], [0.0, 2.0, 4.0], [2.0, 1.0, 0.0]]).round(3)
        array([0., 2., 2.])
    """
    x = np.asarray(patterns, dtype=np.float64)
    if scaling == "z":
        sd = x.std(axis=0)
        varies = sd > 1e-6
        x = (x[:, varies] - x[:, varies].mean(axis=0)) / sd[varies]
    return DISTANCES["euclidean" if x.shape[1] < 2 else distance](x)


def square(pairs: Pairs) -> Pairs:
    """(n_stimuli, n_stimuli) of a triangle, zeros on the diagonal."""
    from scipy.spatial.distance import squareform

    matrix: Pairs = squareform(pairs)
    return matrix


def _upper(matrix: Pairs) -> Pairs:
    return matrix[np.triu_indices(len(matrix), 1)]
