"""How sure an accuracy is: the Wilson score interval of a share."""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple


class Interval(NamedTuple):
    """The two ends of a confidence interval of a share, both in [0, 1]."""

    low: float
    high: float


def wilson(n_right: int, n: int, confidence: float = 0.95) -> Interval:
    r"""The Wilson score interval of the share `n_right / n`.

    Its ends are the two solutions p of

        |p̂ - p| = z √(p (1 - p) / n),    p̂ = n_right / n,

    the shares that a two-sided score test would not reject. Unlike the textbook p̂ ± z √(p̂(1-p̂)/n)
    it stays inside [0, 1] and has a width at p̂ = 0 and p̂ = 1. Nothing is known from n = 0: (0, 1).

    Args:
        n_right: clips that are right, 0 to n.
        n: clips in all.
        confidence: between 0 and 1, ends excluded.

    Raises:
        ValueError: `n_right` is not in 0 … n, or `confidence` not between 0 and 1.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).
    """
    if not 0 <= n_right <= n:
        raise ValueError(f"expected 0 <= n_right <= n, got n_right={n_right}, n={n}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, got {confidence}")
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = n_right / n
    centre = share + z**2 / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return Interval(max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))
