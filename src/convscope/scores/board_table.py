"""The board as a view: of single runs, or of means over seeds."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from rich.table import Table

from convscope.scores.board import Cost
from convscope.scores.board_text import terminal_table
from convscope.scores.network import changed_data, data_names, network, other_differences
from convscope.scores.plain_table import Column, PlainTable, View
from convscope.scores.rows import COLUMNS, BoardRow

BoardKind: TypeAlias = Literal["size", "accuracy"]
"""The two boards of the reports: accuracy and number of parameters, or accuracy alone."""

_COSTS = ("params", "flops", "seconds", "pareto")
_SEED_FIELDS = (
    "n_seeds",
    "accuracy_sd",
    "accuracy_min",
    "accuracy_max",
    "interval_kind",
    "n_chance",
)
_CHEAPER = {
    "params": "is smaller and better",
    "flops": "needs fewer FLOPs and is better",
    "seconds": "took less time and is better",
}

_Cell: TypeAlias = tuple[Column, Callable[[BoardRow], str]]


def board_view(rows: Sequence[BoardRow], kind: BoardKind = "size", cost: Cost = "params") -> View:
    """The board of single runs, in their order.

    Args:
        kind: `accuracy` leaves out what costs.
        cost: of the Pareto front that a star marks.
    """
    cells: list[_Cell] = [(Column("run"), lambda row: row.run), _network_cell(rows, named=False)]
    cells += [*_data_cells(rows), *_cost_cells(rows, kind)]
    cells += [(Column("accuracy"), lambda row: _accuracy(row, kind)), _interval_cell()]
    cells += _seconds_cells(kind)
    return _view(rows, cells, kind, cost, COLUMNS)


def seeds_view(rows: Sequence[BoardRow], kind: BoardKind = "size", cost: Cost = "params") -> View:
    """The board of means over seeds, as `by_seed` makes them."""
    cells: list[_Cell] = [_network_cell(rows, named=True), *_data_cells(rows)]
    cells += [(Column("seeds", right=True), lambda row: str(n_seeds(row)))]
    cells += _cost_cells(rows, kind)
    cells += [(Column("accuracy"), lambda row: _accuracy(row, kind))]
    cells += [(Column("min–max"), _range), _interval_cell(), *_seconds_cells(kind)]
    fields = (*(each for each in COLUMNS if each != "seed"), *_SEED_FIELDS)
    note = "95 %: of the mean, by Student's t; of one seed its own, Wilson's"
    return _view(rows, cells, kind, cost, fields, note)


def board_table(rows: Sequence[BoardRow]) -> Table:
    """The board as a table for the terminal, readable from 80 columns on.

    A star marks the Pareto front; a run that is not done shows its state in place of an accuracy.
    """
    return terminal_table(board_view(rows).tables[0])


def mean_and_sd(row: BoardRow) -> str:
    """The accuracy; of several seeds with its standard deviation."""
    if row.accuracy is None:
        return row.state
    sd = row.spread.sd if row.spread else None
    return f"{row.accuracy:.4f}" + ("" if sd is None else f" ± {sd:.4f}")


def n_seeds(row: BoardRow) -> int:
    """How many finished runs a row stands for."""
    return row.spread.n_seeds if row.spread else 1


def has_several_data(rows: Sequence[BoardRow]) -> bool:
    """Whether the rows are of different tasks."""
    return len({row.fingerprint for row in rows if row.fingerprint}) > 1


def _view(
    rows: Sequence[BoardRow],
    cells: Sequence[_Cell],
    kind: BoardKind,
    cost: Cost,
    fields: Sequence[str],
    note: str = "",
) -> View:
    table = PlainTable(
        columns=tuple(column for column, _ in cells),
        rows=tuple(tuple(text(row) for _, text in cells) for row in rows),
        note="; ".join(
            filter(None, (_star(cost) if kind == "size" else "", note, changed_data(rows)))
        ),
    )
    kept = tuple(each for each in fields if kind == "size" or each not in _COSTS)
    plain = [row.to_dict() for row in rows]
    records = tuple({name: each[name] for name in kept} for each in plain)
    return View((table,), records, kept)


def _star(cost: Cost) -> str:
    return f"* no other run on the same data {_CHEAPER[cost]}"


def _network_cell(rows: Sequence[BoardRow], named: bool) -> _Cell:
    """The network; where no name of a run tells rows apart, also what else differs."""
    others = other_differences(rows) if named else [""] * len(rows)
    texts = {
        id(row): " ".join(filter(None, (network(row), other)))
        for row, other in zip(rows, others, strict=True)
    }
    return Column("network", folds=True), lambda row: texts[id(row)]


def _data_cells(rows: Sequence[BoardRow]) -> list[_Cell]:
    names = data_names(rows)
    cell = (Column("data", folds=True), lambda row: names[row.fingerprint])
    return [cell] if has_several_data(rows) else []


def _cost_cells(rows: Sequence[BoardRow], kind: BoardKind) -> list[_Cell]:
    if kind == "accuracy":
        return []
    cells: list[_Cell] = [(Column("params", right=True), lambda row: _count(row.params))]
    if any(row.flops is not None for row in rows):
        cells += [(Column("MFLOP", right=True), lambda row: _millions(row.flops))]
    return cells


def _seconds_cells(kind: BoardKind) -> list[_Cell]:
    return [(Column("s", right=True), lambda row: f"{row.seconds:.0f}")] if kind == "size" else []


def _interval_cell() -> _Cell:
    return Column("95 %", right=True), lambda row: interval_text(row)


def interval_text(row: BoardRow) -> str:
    """The 95 % interval, or nothing."""
    return "" if row.interval is None else "{:.3f}–{:.3f}".format(*row.interval)


def _accuracy(row: BoardRow, kind: BoardKind) -> str:
    return mean_and_sd(row) + ("*" if row.pareto and kind == "size" else "") + marks(row)


def marks(row: BoardRow) -> str:
    """What is to be held against a row: chance (of how many seeds), divided."""
    n_seeds, n_chance = (row.spread.n_seeds, row.spread.n_chance) if row.spread else (1, 0)
    chance = row.chance or n_chance > 0
    share = f" {n_chance}/{n_seeds}" if n_seeds > 1 else ""
    return (f" chance{share}" if chance else "") + (" divided" if row.divided else "")


def _range(row: BoardRow) -> str:
    spread = row.spread
    if spread is None or spread.least is None or spread.n_seeds < 2:
        return ""
    return f"{spread.least:.3f}–{spread.most:.3f}"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _millions(value: int | None) -> str:
    return "" if value is None else f"{value / 1e6:,.1f}"
