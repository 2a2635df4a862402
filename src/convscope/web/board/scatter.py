"""Accuracy against a cost as points, in percent of the plot: it is drawn at any width.

x is the cost on a logarithmic axis, y the accuracy from the least interval's lower end upwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from convscope.scores.board import Cost
from convscope.scores.network import network
from convscope.scores.rows import BoardRow
from convscope.web.frame.formats import count, duration, share

AXES: dict[Cost, str] = {
    "params": "parameters",
    "flops": "FLOPs of one clip, forward",
    "seconds": "seconds of training",
}

MOST_INTERVALS = 150
"""Of more points the intervals would hide the points: those of the front alone are drawn."""


@dataclass(frozen=True)
class Tick:
    """A place on an axis in percent, and what stands there."""

    at: float
    text: str


@dataclass(frozen=True)
class Point:
    """A run: where it stands, and what it says.

    Attributes:
        x, y: in percent from the left and from the top.
        low, high: of its interval, as y.
    """

    row: BoardRow
    x: float
    y: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True)
class Step:
    """A line of the front, in percent."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Scatter:
    """All of the picture; the front's points come last, so that nothing hides them."""

    points: tuple[Point, ...]
    front: tuple[Step, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_label: str


def scatter(rows: Sequence[BoardRow], cost: Cost = "params") -> Scatter | None:
    """The picture of the rows that have both; None where none has."""
    there = [row for row in rows if row.accuracy is not None and getattr(row, cost)]
    if not there:
        return None
    there.sort(key=lambda row: row.pareto)
    across = LogAxis.over([getattr(row, cost) for row in there])
    several = len(there) > MOST_INTERVALS
    ends = [end for row in there if row.interval for end in row.interval]
    up = Axis.over(ends or [row.accuracy or 0.0 for row in there])
    points = tuple(_point(row, cost, across, up, row.pareto or not several) for row in there)
    return Scatter(points, _front(points), across.ticks, up.ticks, AXES[cost])


@dataclass(frozen=True)
class Axis:
    """A linear axis with round ends; its values go up the page."""

    low: float
    high: float
    step: float

    @classmethod
    def over(cls, values: Sequence[float]) -> "Axis":
        """About five steps of 1, 2 or 5 times a power of ten, all values within."""
        low, high = min(values), max(values)
        step = round_step((high - low) / 5 or 0.02)
        return cls(floor(low / step) * step, ceil(high / step + 1e-9) * step, step)

    def at(self, value: float) -> float:
        """In percent from the top."""
        return round(100 * (1 - (value - self.low) / (self.high - self.low)), 2)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """One a step."""
        n = round((self.high - self.low) / self.step)
        digits = max(0, -floor(log10(self.step) + 1e-9))
        values = [self.low + i * self.step for i in range(n + 1)]
        return tuple(Tick(self.at(value), f"{value:.{digits}f}") for value in values)


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis; `low` and `high` are powers of ten."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> "LogAxis":
        """A tenth of a decade of air on either side."""
        return cls(log10(min(values)) - 0.1, log10(max(values)) + 0.1)

    def at(self, value: float) -> float:
        """In percent from the left."""
        return round(100 * (log10(value) - self.low) / (self.high - self.low), 2)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """At 1, 2 and 5 times the powers of ten; of several decades at these alone."""
        factors = (1, 2, 5) if self.high - self.low < 2.2 else (1,)
        decades = range(floor(self.low), ceil(self.high) + 1)
        values = [factor * 10.0**decade for decade in decades for factor in factors]
        return tuple(
            Tick(self.at(value), short(value))
            for value in values
            if self.low <= log10(value) <= self.high
        )


def round_step(step: float) -> float:
    """The next of 1, 2, 5 and 10 times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def short(value: float) -> str:
    """20000 as 20 k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


def _point(row: BoardRow, cost: Cost, across: LogAxis, up: Axis, whole: bool) -> Point:
    assert row.accuracy is not None
    value = getattr(row, cost)
    costs = duration(value) if cost == "seconds" else f"{count(value)} {cost}"
    low, high = (map(up.at, row.interval)) if whole and row.interval else (None, None)
    text = f"{network(row)}: {share(row.accuracy, 4)}, {costs}"
    return Point(row, across.at(value), up.at(row.accuracy), low, high, text)


def _front(points: Sequence[Point]) -> tuple[Step, ...]:
    """A staircase for each data set: the best accuracy for at most this cost."""
    on_front = sorted((p for p in points if p.row.pareto), key=lambda p: (p.x, -p.y))
    of_data: dict[str | None, list[Point]] = {}
    for point in on_front:
        of_data.setdefault(point.row.fingerprint, []).append(point)
    return tuple(
        step
        for stairs in of_data.values()
        for here, there in pairwise(stairs)
        for step in (
            Step(here.x, here.y, there.x, here.y),
            Step(there.x, here.y, there.x, there.y),
        )
    )
