"""The sweeps that there are, as other processes than their drivers see them."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from convscope.errors import UserError
from convscope.run import Run, with_what_was_before
from convscope.settings import suggest
from convscope.sweeps.driving.folder import SweepFolder, find_sweeps
from convscope.sweeps.planning.grid import SweepRecipe, make_sweep
from convscope.sweeps.planning.plan import PlannedCell, plan
from convscope.training.attempt import Held, held


@dataclass(frozen=True)
class SweepRow:
    """A sweep: how many of its cells stand how, and its driver, None where there is none."""

    name: str
    cells: int
    done: int
    running: int
    waiting: int
    failed: int
    cancelled: int
    driver: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def overview(out: Path) -> list[SweepRow]:
    """The sweeps whose runs are in `out`.

    Raises:
        UserError: where there is none.
    """
    sweeps = find_sweeps(out)
    if not sweeps:
        raise UserError(f"{out} holds no sweep: give another --out, or make one: convscope sweep")
    return [_row(sweep) for sweep in sweeps]


def overview_table(rows: Sequence[SweepRow]) -> Table:
    """A sweep a row."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("sweep", no_wrap=True)
    for heading in ("cells", "done", "running", "waiting", "failed", "cancelled"):
        table.add_column(heading, justify="right")
    table.add_column("driver", overflow="fold")
    for row in rows:
        counts = (row.cells, row.done, row.running, row.waiting, row.failed, row.cancelled)
        table.add_row(row.name, *map(str, counts), row.driver or "nobody")
    return table


def cells_of(sweep: SweepFolder) -> tuple[PlannedCell, ...]:
    """The cells of a sweep, cancelled ones said to be so; no user's own network is built for it."""
    try:
        recipe = _recipe(sweep)
    except UserError as error:
        raise UserError(f"{sweep.path}: {error}") from None
    cancelled = sweep.cancelled
    return tuple(
        replace(cell, state="cancelled")
        if cell.cell.name in cancelled and cell.state != "done"
        else cell
        for cell in plan(recipe.cells, sweep.out, recipe.config.attempts, runs_code=False)
    )


def _recipe(sweep: SweepFolder) -> SweepRecipe:
    """Its recipes, read as they were when it was made: the names of its cells tell."""
    recipe = make_sweep(sweep.recipes, sweep.name, runs_code=False)
    if _names(recipe) != sweep.cells:
        with suppress(UserError):
            older = [with_what_was_before({"model": {}, **each}) for each in sweep.recipes]
            before = make_sweep(older, sweep.name, runs_code=False)
            return before if _names(before) == sweep.cells else recipe
    return recipe


def _names(recipe: SweepRecipe) -> list[str]:
    return [cell.name for cell in recipe.cells]


def retry(sweep: SweepFolder, names: Sequence[str]) -> list[str]:
    """Forget that cells have failed or were cancelled; the names of those that it concerned.

    Args:
        sweep: of which.
        names: which; none: all that have failed or were cancelled.

    Raises:
        UserError: for a name that is no cell of it, or a cell that neither failed nor is cancelled.
    """
    over = [cell.cell.name for cell in cells_of(sweep) if cell.state in ("failed", "cancelled")]
    _require(names, over, sweep, "neither failed nor cancelled")
    chosen = list(names) or over
    sweep.uncancel(chosen)
    for name in chosen:
        run = Run(sweep.out / name)
        if run.folder.is_dir():
            with suppress(Held), held(run):
                run.write_status(failures=0)
    return chosen


def cancel(sweep: SweepFolder, names: Sequence[str]) -> list[str]:
    """Leave cells out from now on; one that runs is ended after its epoch.

    Raises:
        UserError: for a name that is no cell of it, or a cell that is done.
    """
    left = [cell.cell.name for cell in cells_of(sweep) if cell.state != "done"]
    _require(names, left, sweep, "done already")
    sweep.cancel(names)
    return list(names)


def _require(
    names: Sequence[str], allowed: Sequence[str], sweep: SweepFolder, otherwise: str
) -> None:
    for name in names:
        if name not in sweep.cells:
            hint = suggest(name, allowed[:20])
            raise UserError(f"{name} is no cell of the sweep {sweep.name}{hint}")
        if name not in allowed:
            raise UserError(f"{name} is {otherwise}: leave it out")


def _row(sweep: SweepFolder) -> SweepRow:
    cells = cells_of(sweep)
    counts = Counter(cell.state for cell in cells)
    driver = sweep.driver
    return SweepRow(
        name=sweep.name,
        cells=len(cells),
        done=counts["done"],
        running=counts["running"],
        waiting=counts["waiting"],
        failed=counts["failed"],
        cancelled=counts["cancelled"],
        driver=f"process {driver.get('pid')} on {driver.get('host')}" if sweep.is_driven else None,
    )
