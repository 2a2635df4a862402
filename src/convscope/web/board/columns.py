"""The board's columns: usual ones, and every other that tells its rows apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from convscope.scores.board_table import has_several_data
from convscope.scores.network import SEED, data_names, differing, flat, network
from convscope.scores.rows import COLUMNS, BoardRow
from convscope.web.board.question import Question, value_of
from convscope.web.frame.formats import DASH, count, duration, setting, share

_HEADINGS = {
    "params": "parameters",
    "interval": "95 %",
    "seconds": "time",
    "flops": "MFLOP",
    "conv_layers": "layers",
    "base_channels": "channels",
    "batch_norm": "batch norm",
    "fc_hidden": "dense",
    "n_seeds": "seeds",
    "n_classes": "classes",
}

_NOT_OFFERED = ("run", "pareto", "interval", "fingerprint", "chance", "divided")


@dataclass(frozen=True)
class BoardColumn:
    """A column: what it is called in addresses and on the page, and the text of a row in it."""

    key: str
    heading: str
    right: bool
    text: Callable[[BoardRow], str]


def columns_of(rows: Sequence[BoardRow], question: Question) -> list[BoardColumn]:
    """The columns of a board beside the run's name: the chosen ones, or those that are usual."""
    return [_column(key, rows) for key in question.columns or usual_columns(rows, question)]


def usual_columns(rows: Sequence[BoardRow], question: Question) -> tuple[str, ...]:
    """What it is, how good, and what it costs; the data where there are several."""
    data = ("data",) if has_several_data(rows) else ()
    seeds = ("n_seeds",) if question.seeds else ("seed",)
    return ("network", *data, *seeds, "params", "accuracy", "epochs", "seconds", "state")


def offered(rows: Sequence[BoardRow]) -> list[str]:
    """Every column that one may choose: the board's own, and settings in which rows differ."""
    own = ["network", *(key for key in COLUMNS if key not in _NOT_OFFERED), "n_seeds"]
    settings = differing([flat(row.config) for row in rows])
    hidden = {f"model.{key}" for key in COLUMNS} | {"data.folder", SEED}
    return own + sorted(key for key in settings if key not in hidden)


def _column(key: str, rows: Sequence[BoardRow]) -> BoardColumn:
    heading = _HEADINGS.get(key, key)
    if key == "data":
        names = data_names(rows)
        return BoardColumn(key, heading, False, lambda row: names[row.fingerprint])
    text = _TEXTS.get(key) or (lambda row: setting(value_of(row, key)))
    return BoardColumn(key, heading, _is_number(key, rows), text)


def _is_number(key: str, rows: Sequence[BoardRow]) -> bool:
    values = (value_of(row, key) for row in rows)
    first: Any = next((value for value in values if value is not None), None)
    return isinstance(first, int | float) and not isinstance(first, bool)


def _accuracy(row: BoardRow) -> str:
    sd = row.spread.sd if row.spread else None
    return share(row.accuracy, 4) + ("" if sd is None else f" ± {sd:.4f}")


def _millions(row: BoardRow) -> str:
    return DASH if row.flops is None else f"{row.flops / 1e6:,.2f}"


_TEXTS: dict[str, Callable[[BoardRow], str]] = {
    "network": network,
    "accuracy": _accuracy,
    "params": lambda row: count(row.params),
    "flops": _millions,
    "seconds": lambda row: duration(row.seconds),
}
