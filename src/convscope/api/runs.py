"""Several runs, and the board of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from convscope.api.html import table_html
from convscope.api.opened import OpenRun
from convscope.errors import UserError
from convscope.scores.against import against_view
from convscope.scores.board import ranked, with_front
from convscope.scores.board_table import board_view, seeds_view
from convscope.scores.board_text import TEXTS
from convscope.scores.brain import brain_rows
from convscope.scores.brain import over_seeds as brain_over_seeds
from convscope.scores.brain_view import brain_view
from convscope.scores.flops import with_flops
from convscope.scores.folds import by_fold as over_folds
from convscope.scores.folds_view import folds_view
from convscope.scores.pivot import pivot_view
from convscope.scores.plain_table import View
from convscope.scores.rows import find_runs, read_row
from convscope.scores.seeds import by_seed as over_seeds
from convscope.scores.where import parse_condition
from convscope.scores.where import where as those

if TYPE_CHECKING:
    import pandas

Cost = Literal["params", "flops", "seconds"]
Order = Literal["accuracy", "params", "flops", "seconds", "name"]


class Runs(Sequence[OpenRun]):
    """Runs in an order; a notebook shows them as a board."""

    def __init__(self, runs: Iterable[OpenRun]) -> None:
        self._runs = tuple(runs)

    @overload
    def __getitem__(self, index: int) -> OpenRun: ...
    @overload
    def __getitem__(self, index: slice) -> "Runs": ...
    def __getitem__(self, index: int | slice) -> "OpenRun | Runs":
        found = self._runs[index]
        return found if isinstance(found, OpenRun) else Runs(found)

    def __len__(self) -> int:
        return len(self._runs)

    def __repr__(self) -> str:
        return f"<{len(self)} runs>"

    def _repr_html_(self) -> str:
        return board(self)._repr_html_() if self else "no runs"


class Board:
    """A table of runs.

    Attributes:
        records: a mapping for each row: full precision, units in the names, None for what is not
            there.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self.records: tuple[dict[str, Any], ...] = view.records

    def to_pandas(self) -> "pandas.DataFrame":
        """The records as a DataFrame.

        Raises:
            UserError: where pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UserError(
                "to_pandas needs pandas, which is not installed: pip install pandas, or take "
                ".records"
            ) from None
        return pandas.DataFrame(list(self.records), columns=list(self._view.fields))

    def to_text(self, form: Literal["csv", "md", "latex", "json"] = "md") -> str:
        """The board as `convscope board --format` prints it."""
        if form not in TEXTS:
            raise UserError(f"form: expected one of {', '.join(TEXTS)}, got {form!r}")
        return TEXTS[form](self._view)

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        return self.to_text("md")

    def _repr_html_(self) -> str:
        return "".join(
            table_html([c.heading for c in table.columns], table.rows, table.note)
            for table in self._view.tables
        )


def open_runs(*folders: Path | str) -> Runs:
    """All runs in some folders, or run folders.

    Raises:
        UserError: where a folder holds none.

    Examples:
        >>> import convscope as cs
        >>> all(run.is_done for run in cs.open_runs("runs"))
        True
    """
    found = find_runs([Path(folder) for folder in folders or ("runs",)])
    return Runs(OpenRun(run.folder) for run in found)


def board(
    runs: Runs | Sequence[OpenRun | Path | str] | OpenRun | Path | str,
    *,
    where: Sequence[str] = (),
    sort: Order = "accuracy",
    by_seed: bool = False,
    by_fold: bool = False,
    front: bool = False,
    pareto: Cost = "params",
    pivot: tuple[str, str] | None = None,
    against: Path | str | None = None,
    brain: str | bool = False,
) -> Board:
    """The table of runs: accuracy, what it costs, and what is on the Pareto front.

    Args:
        runs: opened ones, or folders.
        where: conditions such as `"conv_layers=8"` or `"params<100000"`.
        sort: what comes first.
        by_seed: one row for what differs only in the seed.
        by_fold: one row for what differs only in the fold, with the pooled confusion matrix.
        front: only the Pareto front.
        pareto: its cost.
        pivot: two keys, of the rows and of the columns, for a grid.
        against: a CSV of stated accuracies to stand beside.
        brain: the name of a study that the runs were held against, or True where there is one
            alone: parameters and accuracy beside how well the brain is predicted.

    Raises:
        UserError: for no runs, a condition that is none, or options that exclude each other.

    Examples:
        >>> import convscope as cs
        >>> "accuracy" in cs.board("runs", by_seed=True).records[0]
        True
    """
    if sum(map(bool, (by_seed and not brain, by_fold, pivot, against, brain))) > 1:
        raise UserError(
            "by_seed, by_fold, pivot, against and brain are different tables: give one of them"
        )
    conditions = [parse_condition(each) for each in where]
    rows = [read_row(run) for run in find_runs(_folders(runs))]
    if "flops" in (sort, pareto) or any(each.key == "flops" for each in conditions):
        rows = with_flops(rows)
    rows = those(rows, conditions)
    if pivot:
        return Board(pivot_view(rows, pivot))
    if against:
        return Board(against_view(rows, Path(against)))
    if brain:
        scored = brain_rows(rows, None if brain is True else brain)
        return Board(brain_view(brain_over_seeds(scored) if by_seed else scored))
    if by_fold:
        return Board(folds_view(over_folds(rows), sort, pareto, front))
    rows = ranked(with_front(over_seeds(rows) if by_seed else rows, pareto), sort)
    chosen = [row for row in rows if row.pareto or not front]
    return Board((seeds_view if by_seed else board_view)(chosen, "size", pareto))


def _folders(runs: Runs | Sequence[OpenRun | Path | str] | OpenRun | Path | str) -> list[Path]:
    several = [runs] if isinstance(runs, OpenRun | Path | str) else list(runs)
    if not several:
        raise UserError("board: expected runs, got none: train one, or name a folder of them")
    return [each.folder if isinstance(each, OpenRun) else Path(each) for each in several]
