"""Rows that differ in the seed alone, as one: their mean and how they spread."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import sqrt
from statistics import fmean, stdev

from scipy.special import stdtrit

from convscope.scores.intervals import Interval
from convscope.scores.network import identity, settings
from convscope.scores.rows import BoardRow, Spread


def by_seed(rows: Iterable[BoardRow]) -> list[BoardRow]:
    """One row for all that differ only in `train.seed`, on the same data, in the order they come.

    Accuracy, its interval (by t; of one seed its own, Wilson's), epochs and seconds are of the
    seeds that are done; a seed that stands there twice counts once.
    """
    groups: dict[str, list[BoardRow]] = {}
    for row in rows:
        groups.setdefault(identity(settings(row)), []).append(row)
    return [_mean(group) for group in groups.values()]


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval | None:
    r"""Student's interval of the mean of accuracies; None for fewer than two.

    With the mean m and the standard deviation s of n values,

        m ± t s / √n,    t the (1 + confidence) / 2 quantile of Student's t with n - 1 degrees,

    cut off at 0 and 1. It says how sure the mean over seeds is, on these test clips.
    """
    n = len(values)
    if n < 2:
        return None
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * stdev(values) / sqrt(n)
    return Interval(max(0.0, fmean(values) - half), min(1.0, fmean(values) + half))


def _mean(group: Sequence[BoardRow]) -> BoardRow:
    done = list({row.seed: row for row in group if row.accuracy is not None}.values())
    accuracies = [row.accuracy for row in done if row.accuracy is not None]
    first = (done or list(group))[0]
    if not done:
        return replace(first, seed=None, spread=Spread(0, None, None, None, 0))
    return replace(
        first,
        seed=None,
        accuracy=fmean(accuracies),
        interval=mean_interval(accuracies) or first.interval,
        epochs=round(fmean(row.epochs for row in done)),
        seconds=fmean(row.seconds for row in done),
        chance=all(row.chance for row in done),
        divided=any(row.divided for row in done),
        spread=Spread(
            n_seeds=len(done),
            sd=stdev(accuracies) if len(done) > 1 else None,
            least=min(accuracies),
            most=max(accuracies),
            n_chance=sum(row.chance for row in done),
        ),
    )
