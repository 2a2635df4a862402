"""Our runs beside a table of stated accuracies: the difference, and whether it may be chance."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope.errors import UserError
from convscope.scores.board_table import has_several_data, interval_text, mean_and_sd, n_seeds
from convscope.scores.network import MODEL_COLUMNS, data_names, network, other_differences
from convscope.scores.plain_table import Column, PlainTable, View
from convscope.scores.rows import BoardRow
from convscope.scores.seeds import by_seed

NEEDED = (*MODEL_COLUMNS, "accuracy")

_WHERE_EMPTY = {"activation": "relu", "initializer": "glorot_uniform"}
"""What a table means that does not say; so do our recipes."""

_INTEGERS = ("conv_layers", "kernel", "base_channels", "fc_hidden")


@dataclass(frozen=True)
class StatedRow:
    """A line of a table of stated accuracies: which network, and its accuracy if it states one."""

    line: int
    architecture: tuple[Any, ...]
    accuracy: float | None


@dataclass(frozen=True)
class Comparison:
    """One stated accuracy beside ours of the same network (of several seeds their mean)."""

    stated: StatedRow
    ours: BoardRow

    @property
    def difference(self) -> float:
        """Ours less theirs."""
        return float(self.ours.accuracy or 0) - float(self.stated.accuracy or 0)

    @property
    def inside(self) -> bool | None:
        """Whether the stated accuracy lies in our 95 % interval; None where we have none."""
        if self.ours.interval is None or self.stated.accuracy is None:
            return None
        return self.ours.interval.low <= self.stated.accuracy <= self.ours.interval.high

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON and CSV."""
        ours = self.ours
        return {
            "line": self.stated.line,
            **dict(zip(MODEL_COLUMNS, self.stated.architecture, strict=True)),
            "run": ours.run,
            "data": ours.data,
            "n_seeds": n_seeds(ours),
            "accuracy": ours.accuracy,
            "stated_accuracy": self.stated.accuracy,
            "difference": self.difference,
            "interval": ours.interval and list(ours.interval),
            "interval_kind": "t" if n_seeds(ours) > 1 else "wilson",
            "inside": self.inside,
        }


def against_view(rows: Sequence[BoardRow], path: Path) -> View:
    """The stated accuracies of a CSV file beside ours, in the order of the file.

    Raises:
        UserError: the file cannot be read, lacks a column, or has a value that is none.
    """
    stated = read_stated(path)
    comparisons = compare(rows, stated)
    summary = summarise(comparisons, stated)
    records = tuple(each.to_dict() for each in comparisons)
    return View((_table(comparisons, summary),), records, _FIELDS, summary)


def compare(rows: Sequence[BoardRow], stated: Sequence[StatedRow]) -> list[Comparison]:
    """Each stated accuracy beside each of our results of that network.

    Ours are means over seeds; other training or data gives a comparison of its own. A network whose
    head is not the tables' (flattened) is another one.
    """
    ours: dict[tuple[Any, ...], list[BoardRow]] = {}
    for row in by_seed(row for row in rows if row.accuracy is not None and _has_their_head(row)):
        ours.setdefault(tuple(getattr(row, key) for key in MODEL_COLUMNS), []).append(row)
    return [
        Comparison(each, row)
        for each in stated
        if each.accuracy is not None
        for row in ours.get(each.architecture, [])
    ]


def summarise(comparisons: Sequence[Comparison], stated: Sequence[StatedRow]) -> dict[str, int]:
    """How many lines state an accuracy and have runs, and how the comparisons came out."""
    n_stated = sum(each.accuracy is not None for each in stated)
    n_matched = len({each.stated.line for each in comparisons})
    outside = [each for each in comparisons if each.inside is False]
    return {
        "n_lines": n_stated,
        "n_matched": n_matched,
        "n_without_run": n_stated - n_matched,
        "n_compared": len(comparisons),
        "n_inside": sum(each.inside is True for each in comparisons),
        "n_stated_above": sum(each.difference < 0 for each in outside),
        "n_stated_below": sum(each.difference > 0 for each in outside),
    }


def read_stated(path: Path) -> list[StatedRow]:
    """The lines of a CSV file with at least the columns of `NEEDED`.

    Raises:
        UserError: it cannot be read, lacks a column, or has a value that is none.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [key for key in NEEDED if key not in (reader.fieldnames or ())]
            if missing:
                raise UserError(
                    f"--against {path} lacks the columns {', '.join(missing)}: expected a CSV "
                    f"file with {', '.join(NEEDED)}"
                )
            return [_stated(path, reader.line_num, line) for line in reader]
    except OSError as error:
        raise UserError(f"--against {path} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--against {path} is no CSV file in UTF-8 ({error})") from None


def _stated(path: Path, number: int, line: Mapping[str, str | None]) -> StatedRow:
    values = {key: (line[key] or "").strip() for key in NEEDED}
    try:
        parsed = {key: _value(key, values[key]) for key in NEEDED}
    except _Unfit as error:
        raise UserError(f"--against {path}, line {number}: {error}") from None
    return StatedRow(number, tuple(parsed[key] for key in MODEL_COLUMNS), parsed["accuracy"])


class _Unfit(ValueError):
    """A field that is not what its column holds."""


def _value(key: str, text: str) -> Any:
    """A field as the value that a run's settings would have."""
    if key == "accuracy" and not text:
        return None
    try:
        if key in _INTEGERS:
            return int(text)
        if key in ("dropout", "accuracy"):
            return float(text)
        if key == "batch_norm":
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        wanted = "True or False" if key == "batch_norm" else "a number"
        raise _Unfit(f"{key}: expected {wanted}, got {text!r}") from None
    return text or _WHERE_EMPTY.get(key, "")


def _has_their_head(row: BoardRow) -> bool:
    return bool(row.config.get("model", {}).get("head", "flatten") == "flatten")


_FIELDS = (
    "line",
    *MODEL_COLUMNS,
    "run",
    "data",
    "n_seeds",
    "accuracy",
    "stated_accuracy",
    "difference",
    "interval",
    "interval_kind",
    "inside",
)


def _table(comparisons: Sequence[Comparison], summary: Mapping[str, int]) -> PlainTable:
    rows = [each.ours for each in comparisons]
    several = has_several_data(rows)
    columns = [
        Column("network", folds=True),
        *([Column("data", folds=True)] if several else []),
        Column("seeds", right=True),
        Column("ours"),
        Column("stated", right=True),
        Column("difference", right=True),
        Column("95 %", right=True),
        Column("inside"),
    ]
    others, names = other_differences(rows), data_names(rows)
    lines = tuple(
        _line(each, other, [names[each.ours.fingerprint]] if several else [])
        for each, other in zip(comparisons, others, strict=True)
    )
    return PlainTable(tuple(columns), lines, note=_in_words(summary))


def _line(each: Comparison, other: str, data: list[str]) -> tuple[str, ...]:
    row = each.ours
    return (
        " ".join(filter(None, (network(row), other))),
        *data,
        str(n_seeds(row)),
        mean_and_sd(row) + (" chance" if row.chance else "") + (" divided" if row.divided else ""),
        f"{each.stated.accuracy:.4f}",
        f"{each.difference:+.4f}",
        interval_text(row),
        {True: "yes", False: "no", None: ""}[each.inside],
    )


def _in_words(summary: Mapping[str, int]) -> str:
    counted = (
        f"{summary['n_matched']} of {summary['n_lines']} stated accuracies have runs, "
        f"{summary['n_without_run']} have none. Of {summary['n_compared']} comparisons the stated "
        f"accuracy is inside our interval in {summary['n_inside']}, above it in "
        f"{summary['n_stated_above']}, below it in {summary['n_stated_below']}. "
    )
    return counted + "The interval is Wilson's of one seed, Student's t of the mean of several."
