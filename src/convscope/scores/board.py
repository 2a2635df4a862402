"""The board: runs in, rows in order out, with the front of accuracy against a cost marked."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convscope.run import Run
from convscope.scores.rows import BoardRow, read_row

Cost: TypeAlias = Literal["params", "flops", "seconds"]
Order: TypeAlias = Literal["accuracy", "params", "flops", "seconds", "name"]


def board_rows(runs: Iterable[Run]) -> list[BoardRow]:
    """The rows of a board: the most accurate first, of equals the smaller; then the unfinished."""
    return ranked(with_front([read_row(run) for run in runs]))


def ranked(rows: Iterable[BoardRow], order: Order = "accuracy") -> list[BoardRow]:
    """The rows in an order: the most accurate, the least costly or the first name comes first.

    Of equals the more accurate comes first, then the smaller. What is not done, or has no value,
    comes last; among names it stands in its place.
    """
    if order == "name":
        return sorted(rows, key=lambda row: row.run)
    return sorted(rows, key=lambda row: _rank(row, order))


def with_front(rows: Sequence[BoardRow], cost: Cost = "params") -> list[BoardRow]:
    """The rows with those marked that are on the Pareto front of accuracy against a cost."""
    front = np.zeros(len(rows), dtype=np.bool_)
    costs = np.array([getattr(row, cost) for row in rows], dtype=np.float64)  # None: nan
    accuracies = np.array([row.accuracy for row in rows], dtype=np.float64)
    chance = np.array([row.chance for row in rows], dtype=np.bool_)
    fingerprints = np.array([row.fingerprint or "" for row in rows])
    for fingerprint in np.unique(fingerprints):  # other data is another task
        same = (fingerprints == fingerprint) & ~chance
        front[same] = pareto_front(costs[same], accuracies[same])
    return [replace(row, pareto=is_on) for row, is_on in zip(rows, front.tolist(), strict=True)]


def pareto_front(costs: ArrayLike, values: ArrayLike) -> NDArray[np.bool_]:
    """Which points no other point dominates.

    Point j dominates point i where cost_j <= cost_i and value_j >= value_i, and one of the two
    differs. Of points that agree in both, all or none are on the front. A nan keeps a point off it.

    Args:
        costs: (n,) the smaller the better.
        values: (n,) the larger the better.
    """
    costs, values = np.asarray(costs, dtype=np.float64), np.asarray(values, dtype=np.float64)
    on_front = np.zeros(len(costs), dtype=np.bool_)
    cost, best = np.nan, -np.inf
    for i in np.lexsort((-values, costs)):
        if values[i] > best:
            cost, best = costs[i], values[i]
        on_front[i] = costs[i] == cost and values[i] == best
    return on_front


def _rank(row: BoardRow, order: Order) -> tuple[Any, ...]:
    accuracy = -1.0 if row.accuracy is None else row.accuracy
    cost = 0 if order == "accuracy" else getattr(row, order)
    is_last = row.accuracy is None or cost is None
    return (is_last, cost or 0, -accuracy, row.params or 0, row.run)
