"""Parallel coordinates: a line for each run across the settings in which the runs differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from convscope.scores.network import SEED, differing, flat
from convscope.scores.rows import COLUMNS, BoardRow
from convscope.web.board.question import value_of
from convscope.web.frame.formats import count, setting, share

MOST_AXES = 12

MOST_TEXTS = 12
"""An axis names so many of its values at most."""

ENDS = ("params", "accuracy")

_SECTIONS = ("model", "train", "data")

LEAST_APART = 0.045
"""Between two ticks with their texts, of an axis of length 1."""

_TEXTS: dict[str, Callable[[Any], str]] = {"accuracy": share, "params": count}

_LOG = ("params", "flops", "seconds", "train.learning_rate", "train.weight_decay")


@dataclass(frozen=True)
class ParallelAxis:
    """One axis.

    Attributes:
        key: what it shows.
        ticks: places from 0 (bottom) to 1 and what stands there.
        values: of each row, from 0 to 1; None where it has none.
    """

    key: str
    ticks: tuple[tuple[float, str], ...]
    values: tuple[float | None, ...]


def parallel_axes(rows: Sequence[BoardRow]) -> list[ParallelAxis]:
    """The axes of rows that are done: the settings that differ, parameters, accuracy last."""
    own = {f"model.{key}": key for key in COLUMNS}
    several = [flat(row.config) for row in rows]
    settings = [key for key in differing(several) if _has_two_values(key, several)]
    settings.sort(key=lambda key: _SECTIONS.index(key.partition(".")[0]))
    hidden = {"data.folder"} | ({SEED} if any(row.spread for row in rows) else set())
    keys = [own.get(key, key) for key in settings if key not in hidden]
    chosen = [key for key in keys if key not in ENDS][: MOST_AXES - len(ENDS)]
    return [_axis(key, [value_of(row, key) for row in rows]) for key in (*chosen, *ENDS)]


def _axis(key: str, values: Sequence[Any]) -> ParallelAxis:
    there = [value for value in values if value is not None]
    if there and all(isinstance(v, int | float) and not isinstance(v, bool) for v in there):
        return _numbers(key, values)
    words = sorted({setting(value) for value in values})
    at = {word: _evenly(i, len(words)) for i, word in enumerate(words)}
    every = max(1, -(-len(words) // MOST_TEXTS))
    ticks = tuple((at[word], word) for word in words[::every])
    return ParallelAxis(key, ticks, tuple(at[setting(value)] for value in values))


def _numbers(key: str, values: Sequence[float | None]) -> ParallelAxis:
    there = sorted({value for value in values if value is not None})
    is_log = key in _LOG and there[0] > 0
    low, high = (log10(v) if is_log else v for v in (there[0], there[-1]))

    def at(value: float) -> float:
        here = log10(value) if is_log else value
        return 0.5 if high == low else round((here - low) / (high - low), 4)

    text = _TEXTS.get(key, setting)
    ticks = _apart([(at(value), text(value)) for value in there])
    return ParallelAxis(key, ticks, tuple(None if v is None else at(v) for v in values))


def _apart(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """The least and the greatest, and of the others those whose texts do not meet."""
    kept = [*ticks[:1], *ticks[:0:-1][:1]]
    for tick in ticks[1:-1]:
        if all(abs(tick[0] - each[0]) >= LEAST_APART for each in kept):
            kept.append(tick)
    return tuple(sorted(kept))


def _has_two_values(key: str, several: Sequence[Mapping[str, Any]]) -> bool:
    """Not only that some runs have the setting and others do not."""
    return len({setting(each[key]) for each in several if each.get(key) is not None}) > 1


def _evenly(i: int, n: int) -> float:
    return 0.5 if n == 1 else round(i / (n - 1), 4)
