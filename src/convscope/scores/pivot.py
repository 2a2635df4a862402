"""The reports' grid tables: depth down, regulariser across, a table for all else that differs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convscope.errors import UserError
from convscope.scores.board_table import marks, mean_and_sd, n_seeds
from convscope.scores.network import (
    MODEL_COLUMNS,
    SEED,
    changed_data,
    data_names,
    differing,
    identity,
    settings,
)
from convscope.scores.plain_table import Column, PlainTable, View
from convscope.scores.rows import BoardRow
from convscope.scores.seeds import by_seed
from convscope.settings import suggest

DEFAULT_KEYS = ("conv_layers", "regulariser")

_REGULARISER = ("model.dropout", "model.batch_norm")

_FIELDS = ("run", "data", "n_seeds", "accuracy", "accuracy_sd", "params", "best")


@dataclass(frozen=True)
class _Axis:
    """One axis of a pivot: the settings that it is made of, and their values as text."""

    key: str
    of: tuple[str, ...]
    text: Callable[[tuple[Any, ...]], str]

    def values(self, own: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(own.get(key) for key in self.of)


@dataclass(frozen=True)
class Grid:
    """One of the reports' tables: rows that differ in two keys alone, seeds put together.

    Attributes:
        title: all else, in words.
        down, across: the headings of its rows and columns.
        places: by both headings.
        best: the most accurate of them.
    """

    title: str
    down: tuple[str, ...]
    across: tuple[str, ...]
    places: Mapping[tuple[str, str], BoardRow]
    best: BoardRow


def pivot_grids(rows: Sequence[BoardRow], keys: tuple[str, str] = DEFAULT_KEYS) -> tuple[Grid, ...]:
    """The grids of `pivot_view` as rows of the board in their places.

    Raises:
        UserError: as `pivot_view` does.
    """
    done = [row for row in rows if row.accuracy is not None]
    axes = _axis(keys[0], rows), _axis(keys[1], rows)
    grids, told = _grids(done, axes)
    names = data_names(done)
    return tuple(
        _grid(grid, axes, _title(grid[0], told, names[grid[0].fingerprint])) for grid in grids
    )


def pivot_view(rows: Sequence[BoardRow], keys: tuple[str, str] = DEFAULT_KEYS) -> View:
    """Tables of accuracies: one key's values down, the other's across; a star marks each's best.

    Runs that differ in any other setting stand in different tables, seeds in one place: as mean ±
    standard deviation (n). What is not done is left out.

    Args:
        keys: of the rows and of the columns: `regulariser` (dropout and batch norm together), a
            column that says which network it is, such as kernel, or a dotted key of a recipe.

    Raises:
        UserError: a key is none of these.
    """
    done = [row for row in rows if row.accuracy is not None]
    axes = _axis(keys[0], rows), _axis(keys[1], rows)
    grids, told = _grids(done, axes)
    names = data_names(done)
    n_left = len(rows) - len(done)
    left = f"{n_left} not done, left out" if n_left else ""
    note = "; ".join(filter(None, ("* the best of its table", left, changed_data(done))))
    titles = [_title(grid[0], told, names[grid[0].fingerprint]) for grid in grids]
    tables = tuple(
        _table(_grid(grid, axes, title), axes[0].key, note)
        for grid, title in zip(grids, titles, strict=True)
    )
    records = tuple(
        _record(row, axes, told, max(grid, key=_accuracy)) for grid in grids for row in grid
    )
    fields = (*map(_name, told), axes[0].key, axes[1].key, *_FIELDS)
    empty = PlainTable((Column(axes[0].key),), (), note=f"no finished run; {n_left} not done")
    return View(tables or (empty,), records, fields)


def _axis(key: str, rows: Sequence[BoardRow]) -> _Axis:
    if key == "regulariser":
        return _Axis(key, _REGULARISER, lambda values: _regulariser(*values))
    known = dict.fromkeys(each for row in rows for each in settings(row)) | {SEED: None}
    dotted = SEED if key == "seed" else f"model.{key}" if key in MODEL_COLUMNS else key
    if rows and dotted not in known:
        words = ["regulariser", "seed", *dict.fromkeys(_name(each) for each in known)]
        raise UserError(f"--pivot: {key} is no key to pivot by{suggest(key, words)}")
    return _Axis(key, (dotted,), lambda values: "none" if values[0] is None else str(values[0]))


def _regulariser(dropout: float | None, batch_norm: bool | None) -> str:
    """None, DO 0.5, BN or BN+DO 0.5, as the reports name it."""
    parts = [*(["BN"] if batch_norm else []), *([f"DO {dropout:g}"] if dropout else [])]
    return "+".join(parts) or "none"


def _without(row: BoardRow, apart: set[str]) -> dict[str, Any]:
    own = {**settings(row), SEED: row.seed}
    return {key: value for key, value in own.items() if key not in apart and key != SEED}


def _told(several: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings that a title names: which network it is, and what else differs."""
    model = [f"model.{key}" for key in MODEL_COLUMNS]
    there = [key for key in model if any(key in each for each in several)]
    return [*there, *(key for key in differing(several) if key not in there)]


def _title(row: BoardRow, told: Sequence[str], data: str) -> str:
    own = settings(row)
    words = {"model.family": "{}", "model.activation": "{}", "model.initializer": "{}"}
    texts = [words.get(key, f"{_name(key)} {{}}").format(own.get(key)) for key in told]
    return ", ".join(f"data {data}" if "fingerprint" in text else text for text in texts)


def _grids(
    done: Sequence[BoardRow], axes: tuple[_Axis, _Axis]
) -> tuple[list[list[BoardRow]], list[str]]:
    """The rows of each grid, and the settings that its title names."""
    apart = {key for axis in axes for key in axis.of}
    places = done if SEED in apart else by_seed(done)
    grids: dict[str, list[BoardRow]] = {}
    for row in sorted(places, key=lambda row: _order(_without(row, apart).values())):
        grids.setdefault(identity(_without(row, apart)), []).append(row)
    return list(grids.values()), _told([_without(grid[0], apart) for grid in grids.values()])


def _grid(rows: Sequence[BoardRow], axes: tuple[_Axis, _Axis], title: str) -> Grid:
    down, across = axes
    where = {(down.values(_own(row)), across.values(_own(row))): row for row in rows}
    return Grid(
        title,
        tuple(down.text(each) for each in sorted({row for row, _ in where}, key=_order)),
        tuple(
            _heading(across, each)
            for each in sorted({column for _, column in where}, key=_column_order)
        ),
        {(down.text(i), _heading(across, j)): row for (i, j), row in where.items()},
        max(rows, key=_accuracy),
    )


def _table(grid: Grid, key: str, note: str) -> PlainTable:
    texts = {place: _place(row, row is grid.best) for place, row in grid.places.items()}
    return PlainTable(
        columns=(Column(key), *map(Column, grid.across)),
        rows=tuple(
            (row, *(texts.get((row, column), "") for column in grid.across)) for row in grid.down
        ),
        title=grid.title,
        note=note,
    )


def _heading(axis: _Axis, values: tuple[Any, ...]) -> str:
    return axis.text(values) if axis.key == "regulariser" else f"{axis.key} {axis.text(values)}"


def _place(row: BoardRow, is_best: bool) -> str:
    return (
        mean_and_sd(row)
        + (f" ({n_seeds(row)})" if n_seeds(row) > 1 else "")
        + ("*" if is_best else "")
        + marks(row)
    )


def _record(
    row: BoardRow, axes: tuple[_Axis, _Axis], told: Sequence[str], best: BoardRow
) -> dict[str, Any]:
    own = _own(row)
    spread = row.spread
    return {
        **{_name(key): own.get(key) for key in told},
        **{
            axis.key: axis.text(axis.values(own)) if len(axis.of) > 1 else axis.values(own)[0]
            for axis in axes
        },
        "run": row.run,
        "data": row.data,
        "n_seeds": n_seeds(row),
        "accuracy": row.accuracy,
        "accuracy_sd": spread.sd if spread else None,
        "params": row.params,
        "best": row is best,
    }


def _own(row: BoardRow) -> dict[str, Any]:
    return {**settings(row), SEED: row.seed}


def _name(key: str) -> str:
    """`model.kernel` as the board's column kernel; others in full."""
    short = key.removeprefix("model.")
    return short if short in MODEL_COLUMNS else key


def _accuracy(row: BoardRow) -> float:
    return -1.0 if row.accuracy is None else row.accuracy


def _order(values: Any) -> list[tuple[bool, float, str]]:
    """Numbers by size, then texts by the alphabet."""
    return [
        (False, float(each), "") if isinstance(each, int | float) else (True, 0.0, str(each))
        for each in values
    ]


def _column_order(values: tuple[Any, ...]) -> list[tuple[bool, float, str]]:
    """As the reports do: without batch norm first, each by dropout."""
    return _order(reversed(values))
