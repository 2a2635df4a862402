"""A plan for people: a row for each cell, with the settings in which the cells differ."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from rich import box
from rich.table import Table

from convscope.scores.network import flat, with_presets
from convscope.sweeps.driving.cells import duration
from convscope.sweeps.planning.plan import PlannedCell

UNKNOWN = "?"

MOST_ROWS = 200
"""More are left to --json: nobody reads them in a terminal."""


def plan_table(planned: Sequence[PlannedCell]) -> Table:
    """The cells, how large they are and how far; below them, how many there are and the time left.

    Time and memory are estimates; `?` stands for what is not known.
    """
    table = Table(box=box.SIMPLE, caption=_summary(planned), caption_justify="left")
    keys, settings = settings_apart(planned)
    for heading in ("run", *keys):
        table.add_column(heading)
    for heading in ("params", "MFLOP", "memory", "time"):
        table.add_column(heading, justify="right")
    table.add_column("state")
    for each, own in islice(zip(planned, settings, strict=True), MOST_ROWS):
        table.add_row(each.cell.name, *own, *_sizes(each), _state(each))
    return table


def settings_apart(planned: Sequence[PlannedCell]) -> tuple[list[str], list[tuple[str, ...]]]:
    """The settings in which cells differ, and of each cell their values in words."""
    settings = [flat(with_presets(each.cell.identity)) for each in planned]
    keys = _varying(settings)
    words = [tuple(_spelled(values.get(key)) for key in keys) for values in settings]
    return [key.removeprefix("model.") for key in keys], words


def _summary(planned: Sequence[PlannedCell]) -> str:
    n_done = sum(each.state == "done" for each in planned)
    left = [each.seconds_left for each in planned]
    known = [seconds for seconds in left if seconds is not None]
    time = duration(sum(known)) if len(known) == len(left) else UNKNOWN
    cells = "1 cell" if len(planned) == 1 else f"{len(planned):,} cells"
    more = "" if len(planned) <= MOST_ROWS else f"; {MOST_ROWS} are shown, --json gives all"
    return f"{cells}, {n_done:,} done, about {time} of computing left{more}"


def _varying(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values differ, as first met; of a single cell, its family."""
    keys = dict.fromkeys(key for values in settings for key in values)
    varying = [key for key in keys if len({repr(values.get(key)) for values in settings}) > 1]
    return varying or ["model.family"]


def _spelled(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sizes(each: PlannedCell) -> tuple[str, ...]:
    return (
        UNKNOWN if each.params is None else f"{each.params:,}",
        UNKNOWN if each.flops is None else f"{each.flops / 1e6:,.2f}",
        UNKNOWN if each.memory_bytes is None else f"{each.memory_bytes / 2**20:,.0f} MiB",
        UNKNOWN if each.seconds is None else duration(each.seconds),
    )


def _state(each: PlannedCell) -> str:
    kept = f", {each.epochs} of {each.cell.train.epochs} epochs" if each.epochs else ""
    reason = f": {each.reason}" if each.reason else ""
    return f"{each.state}{kept}{reason}"
