"""What is asked of the board: in an address, so that every view can be linked to."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from convscope.errors import UserError
from convscope.scores.board import Cost, ranked, with_front
from convscope.scores.flops import with_flops
from convscope.scores.network import flat
from convscope.scores.rows import BoardRow
from convscope.scores.seeds import by_seed
from convscope.scores.where import Condition, parse_condition, where

FIRST_DOWN = ("accuracy", "interval", "pareto")
"""Columns of which the largest is wanted first."""


@dataclass(frozen=True)
class Question:
    """Which rows, in which order, and what of them.

    Attributes:
        where: conditions, as after `--where`, with blanks between them.
        sort: a column or a dotted key.
        reverse: against the order in which one wants to read the column.
        seeds: one row for all that differs only in the seed.
        front: only the Pareto front.
        pareto: its cost.
        columns: chosen ones; none: those that are usual.
    """

    where: str = ""
    sort: str = "accuracy"
    reverse: bool = False
    seeds: bool = False
    front: bool = False
    pareto: Cost = "params"
    columns: tuple[str, ...] = ()

    @property
    def conditions(self) -> list[Condition]:
        """What `where` says.

        Raises:
            UserError: for a condition that is none, or a quote without its end.
        """
        try:
            parts = shlex.split(self.where)
        except ValueError:
            raise UserError(f"{self.where}: a quote has no end") from None
        return [parse_condition(part) for part in parts]

    def address(self, **changes: Any) -> str:
        """The query of the same question with some changes; what is usual is left out."""
        asked, usual = replace(self, **changes), Question()
        pairs = [
            (key, _said(value))
            for key, value in vars(asked).items()
            if value != getattr(usual, key)
        ]
        return f"?{urlencode(pairs)}" if pairs else "?"

    def sorted_by(self, key: str) -> str:
        """The query that a column's heading leads to: a second time against the order."""
        return self.address(sort=key, reverse=key == self.sort and not self.reverse)


def question_of(query: QueryParams) -> Question:
    """What an address asks.

    Raises:
        UserError: for a cost that there is not.
    """
    pareto = query.get("pareto", "params")
    if pareto not in get_args(Cost):
        raise UserError(f"pareto: expected one of {', '.join(get_args(Cost))}, got {pareto}")
    columns = [name for given in query.getlist("columns") for name in given.split(",") if name]
    return Question(
        where=query.get("where", "").strip(),
        sort=query.get("sort", "accuracy"),
        reverse=query.get("reverse") == "1",
        seeds=query.get("seeds") == "1",
        front=query.get("front") == "1",
        pareto=cast(Cost, pareto),
        columns=tuple(dict.fromkeys(columns)),
    )


def kept(rows: Sequence[BoardRow], question: Question) -> list[BoardRow]:
    """The rows of which all conditions hold, with FLOPs where they are asked for.

    Raises:
        UserError: as `where` does, without the name of the command's option.
    """
    try:
        conditions = question.conditions
        if "flops" in (question.sort, question.pareto, *question.columns) or any(
            each.key == "flops" for each in conditions
        ):
            rows = with_flops(rows)
        return where(rows, conditions)
    except UserError as error:
        raise UserError(str(error).replace("--where: ", "").replace("--where ", "")) from None


def answered(rows: Sequence[BoardRow], question: Question) -> list[BoardRow]:
    """The rows in their order, the front marked.

    Raises:
        UserError: as `kept` does.
    """
    found = kept(rows, question)
    found = with_front(by_seed(found) if question.seeds else found, question.pareto)
    chosen = [row for row in found if row.pareto or not question.front]
    return in_order(chosen, question.sort, question.reverse)


def in_order(rows: Iterable[BoardRow], key: str, reverse: bool = False) -> list[BoardRow]:
    """The rows by a column or setting: numbers before words, what is missing last either way."""
    best_first = ranked(rows)
    down = reverse != (key in FIRST_DOWN)
    values = [(value_of(row, key), row) for row in best_first]
    there = [(value, row) for value, row in values if value is not None]
    there.sort(key=lambda each: _place(each[0]), reverse=down)
    return [row for _, row in there] + [row for value, row in values if value is None]


def value_of(row: BoardRow, key: str) -> Any:
    """What a row says under a column's name or a dotted key; None for nothing."""
    if key == "n_seeds":
        return row.spread and row.spread.n_seeds
    if "." in key:
        return flat(row.config).get(key)
    return getattr(row, key, None)


def _place(value: Any) -> tuple[bool, float, str]:
    is_number = isinstance(value, int | float)
    return (not is_number, float(value) if is_number else 0.0, "" if is_number else str(value))


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return ",".join(value) if isinstance(value, tuple) else str(value)
