r"""How alike two matrices of dissimilarities are, how sure that is, and how alike they could be.

Rank correlations, since the scale of a dissimilarity means nothing across a net and a brain
(Nili and others 2014, PLoS Comput. Biol. 10; rho-a and tau-a for models that predict ties:
Schütt and others 2023, eLife 12).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from convscope.brain.rsa.rdm import Pairs, square

Scores: TypeAlias = NDArray[np.float64]


def cosine(a: Pairs, b: Pairs) -> float:
    """a·b / |a||b|."""
    return _ratio(float(a @ b), float(np.sqrt((a @ a) * (b @ b))))


def pearson(a: Pairs, b: Pairs) -> float:
    """Pearson's r."""
    return cosine(a - a.mean(), b - b.mean())


def spearman(a: Pairs, b: Pairs) -> float:
    """Pearson's r of the ranks; equal values share the mean of theirs."""
    return pearson(rankdata(a), rankdata(b))


def rho_a(a: Pairs, b: Pairs) -> float:
    """Spearman's, expected over random orders of equal values.

    12 Σ rank(a) rank(b) / (n³ - n) - 3 (n + 1) / (n - 1)
    """
    n = len(a)
    return float(12 * (rankdata(a) @ rankdata(b)) / (n**3 - n) - 3 * (n + 1) / (n - 1))


def tau_a(a: Pairs, b: Pairs) -> float:
    """Kendall's: pairs in the same order less those in the other, over all pairs, ties included."""
    from scipy.stats import kendalltau

    n = len(a)
    tau_b = float(kendalltau(a, b).statistic)
    if not np.isfinite(tau_b):
        return float("nan") if len(set(a)) > 1 and len(set(b)) > 1 else 0.0
    n_pairs = n * (n - 1) / 2
    return tau_b * float(np.sqrt((1 - _tied(a) / n_pairs) * (1 - _tied(b) / n_pairs)))


COMPARISONS: dict[str, Callable[[Pairs, Pairs], float]] = {
    "spearman": spearman,
    "rho-a": rho_a,
    "tau-a": tau_a,
    "cosine": cosine,
}


def compare(a: ArrayLike, b: ArrayLike, comparison: str = "spearman") -> float:
    """How alike two RDMs are; pairs that are nan in one are left out of both.

    Examples:
        >>> from convscope.brain.rsa.compare import compare
        >>> round(compare([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]), 3)
        0.5
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 2:
        return float("nan")
    return COMPARISONS[comparison](x[known], y[known])


@dataclass(frozen=True)
class RsaCeiling:
    """How alike subjects' RDMs are to their mean: with the subject left out, and with it."""

    lower: float
    upper: float


def ceiling(rdms: ArrayLike, comparison: str = "spearman") -> RsaCeiling:
    """Each subject's RDM against the mean of the others' ranks, and of all (Nili and others 2014).

    Args:
        rdms: (n_subjects, n_pairs), at least two subjects.
        comparison: a name of `COMPARISONS`.
    """
    values = np.asarray(rdms, dtype=np.float64)
    ranks = values if comparison == "cosine" else np.stack([rankdata(each) for each in values])
    total = ranks.sum(axis=0)
    lower = [
        compare(each, total - own, comparison) for each, own in zip(values, ranks, strict=True)
    ]
    upper = [compare(each, total, comparison) for each in values]
    return RsaCeiling(float(np.mean(lower)), float(np.mean(upper)))


def bootstrap_stimuli(
    models: Sequence[ArrayLike], brain: ArrayLike, n_draws: int, seed: int, comparison: str
) -> Scores:
    """(n_draws, n_models) scores with other stimuli drawn, less pairs of one with itself.

    Args:
        models: (n_pairs,) of each.
        brain: (n_pairs,).
        n_draws: of stimuli with replacement.
        seed: of the draws.
        comparison: a name of `COMPARISONS`.
    """
    squares = [square(np.asarray(each, dtype=np.float64)) for each in [*models, brain]]
    n = len(squares[0])
    rng = np.random.default_rng(seed)
    upper = np.triu_indices(n, 1)
    drawn = np.empty((n_draws, len(models)))
    for i in range(n_draws):
        picks = np.sort(rng.integers(0, n, n))
        rows, columns = picks[upper[0]], picks[upper[1]]
        differ = rows != columns
        pairs = [each[rows[differ], columns[differ]] for each in squares]
        drawn[i] = [compare(each, pairs[-1], comparison) for each in pairs[:-1]]
    return drawn


def null_of_stimuli(
    models: Sequence[ArrayLike], brain: ArrayLike, n_orders: int, seed: int, comparison: str
) -> Scores:
    """(n_orders, n_models) scores when the brain's stimuli change places at random."""
    matrix = square(np.asarray(brain, dtype=np.float64))
    upper = np.triu_indices(len(matrix), 1)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(matrix)) for _ in range(n_orders)]
    return np.array(
        [
            [compare(each, matrix[order][:, order][upper], comparison) for each in models]
            for order in orders
        ]
    ).reshape(n_orders, len(models))


def _ratio(value: float, norm: float) -> float:
    return value / norm if norm > 0 else float("nan")


def _tied(values: Pairs) -> float:
    """Pairs of equal values."""
    _, counts = np.unique(values, return_counts=True)
    return float((counts * (counts - 1) / 2).sum())
