"""What chance gives: permutations of stimuli, circular shifts of time, and many tests at once.

Volumes are not shuffled one by one: slow signals would keep nothing of their slowness, and the null
would be too narrow (standard deviation 0.025 in place of 0.039 on a story's responses).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control

from convscope.errors import UserError

Order = NDArray[np.int64]
Scores = NDArray[np.float64]


def stimulus_orders(contents: ArrayLike, n: int, seed: int) -> list[Order]:
    """n random orders of stimuli; those of the same content change places together.

    Args:
        contents: (n_stimuli,) a number or name of each one's content.
        n: orders.
        seed: of them.
    """
    names, group_of = np.unique(np.asarray(contents), return_inverse=True)
    members = [np.flatnonzero(group_of == i) for i in range(len(names))]
    rng = np.random.default_rng(seed)
    orders = []
    for _ in range(n):
        taken = rng.permutation(len(names))
        order = np.empty(len(group_of), dtype=np.int64)
        for place, group in zip(members, (members[i] for i in taken), strict=True):
            order[place] = np.resize(group, len(place))
        orders.append(order)
    return orders


def shifted_orders(runs: ArrayLike, n: int, seed: int, least: int = 10) -> list[Order]:
    """n orders of volumes: each run is turned in a circle, by at least `least` volumes.

    Args:
        runs: (n_samples,) the number of each sample's run; nothing crosses its border.
        n: orders.
        seed: of the shifts.
        least: volumes, more than a haemodynamic response lasts.

    Raises:
        UserError: for a run that is too short to be shifted so far.
    """
    numbers = np.asarray(runs)
    rng = np.random.default_rng(seed)
    stretches = [np.flatnonzero(numbers == run) for run in np.unique(numbers)]
    shortest = min(map(len, stretches))
    if shortest <= 2 * least:
        raise UserError(
            f"encoding.n_permutations: expected runs of more than {2 * least} volumes to shift by "
            f"{least} and more, got one of {shortest}: give encoding.n_permutations: 0"
        )
    orders = []
    for _ in range(n):
        order = np.arange(len(numbers))
        for own in stretches:
            order[own] = np.roll(own, rng.integers(least, len(own) - least + 1))
        orders.append(order)
    return orders


def null_scores(score: Callable[[Order], Scores], orders: list[Order]) -> Scores:
    """(n_orders, …) what `score` gives where the responses come in each order."""
    return np.stack([score(order) for order in orders])


def p_values(scores: ArrayLike, null: ArrayLike) -> Scores:
    """How often chance is at least as good, the score itself counted: (b + 1) / (n + 1).

    After Phipson and Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9: never 0.

    Args:
        scores: (n_targets,).
        null: (n_orders, n_targets).
    """
    scores, null = np.asarray(scores), np.asarray(null)
    p: Scores = (1 + (null >= scores).sum(axis=0)) / (1 + len(null))
    return np.where(np.isfinite(scores), p, np.nan)


def max_p_values(scores: ArrayLike, null: ArrayLike) -> Scores:
    """The same against the greatest of all targets in each order: at most that share of studies has
    any target wrong (Nichols and Holmes 2002, Hum. Brain Mapp. 15)."""
    greatest = np.nanmax(np.asarray(null, dtype=np.float64), axis=1)
    return p_values(scores, greatest[:, None])


def false_discovery(p: ArrayLike) -> Scores:
    """Adjusted p-values: where one takes those below q, at most a share q of them is expected to be
    wrong (Benjamini and Hochberg 1995). nan stays nan.

    Examples:
        >>> from convscope.brain.inference.permutation import false_discovery
        >>> false_discovery([0.01, 0.02, 0.9]).round(3)
        array([0.03, 0.03, 0.9 ])
    """
    p = np.asarray(p, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        adjusted[known] = false_discovery_control(p[known])
    return adjusted
