"""convscope sweep: a grid."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convscope.cli.commands import computing, resumable
from convscope.cli.show import Json, log_to_stderr, print_json, print_line, print_table, warn

if TYPE_CHECKING:
    from convscope.sweeps.driving.cells import Standing
    from convscope.sweeps.planning.grid import SweepRecipe
    from convscope.sweeps.run_sweep import Where


STOPPED = 130
"""Exit code of a sweep that was stopped, by Ctrl-C or from elsewhere."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(sweep)


def sweep(
    recipes: Annotated[
        list[str],
        typer.Argument(
            help="Recipes; KEY=VALUE lays a setting over all of them, KEY=A,B makes a grid of it.",
            metavar="RECIPE... [KEY=VALUE...]",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="The folder that holds the run folders.")
    ] = Path("runs"),
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Cells that are trained at once on this machine."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", help="Train on a Ray cluster: its address, or auto.", metavar="ADDRESS"
        ),
    ] = None,
    together: Annotated[
        str,
        typer.Option(
            "--together",
            help="Cells of one architecture at once in one process; auto: on a GPU where it pays.",
            metavar="K|auto",
        ),
    ] = "auto",
    servers: Annotated[
        Path | None,
        typer.Option(
            "--servers", help="Thresholds; else servers.yaml here or in ~/.config/convscope."
        ),
    ] = None,
    new_data: Annotated[
        bool,
        typer.Option(
            "--new-data", help="Train anew what was trained on data that have changed since."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the cells; writes nothing, needs no data.")
    ] = False,
    json: Json = False,
) -> None:
    """Train all cells of a grid; the same command again goes on where it stopped."""
    from convscope.sweeps.planning.grid import read_sweep

    log_to_stderr()
    if ray is not None and workers is not None:
        raise typer.BadParameter("give --workers or --ray, not both")
    where = _where(workers, ray, servers, together)
    paths, assignments = _told_apart(recipes)
    with computing():
        recipe = read_sweep(paths, assignments)
    if dry_run:
        _print_plan(recipe, out, json)
        return
    standing = _train(recipe, out, where, new_data)
    summary = _summary(standing, out)
    if json:
        print_json(summary)
    else:
        print_line(standing.line())
        print(out)
    if summary["waiting"]:
        warn("stopped by convscope sweeps cancel: the same command goes on from here")
        raise typer.Exit(STOPPED)
    if summary["failed"]:
        raise typer.Exit(1)


def _where(workers: int | None, ray: str | None, servers: Path | None, together: str) -> "Where":
    from convscope.sweeps.run_sweep import Where

    if together == "auto":
        return Where(workers, ray, servers)
    if not together.isdecimal() or int(together) < 1:
        raise typer.BadParameter(f"--together: expected a number of cells or auto, got {together}")
    if ray is not None:
        raise typer.BadParameter("give --together or --ray, not both: a cluster trains cells alone")
    return Where(workers, None, servers, int(together))


def _told_apart(words: list[str]) -> tuple[list[Path], list[str]]:
    """Recipes, and the settings that stand among or behind them."""
    paths = [Path(word) for word in words if "=" not in word or Path(word).is_file()]
    if not paths:
        raise typer.BadParameter("expected at least one recipe, a YAML file")
    return paths, [word for word in words if Path(word) not in paths]


def _print_plan(recipe: "SweepRecipe", out: Path, json: bool) -> None:
    from convscope.sweeps.driving.table import plan_table
    from convscope.sweeps.planning.plan import as_json, plan

    with computing():
        planned = plan(recipe.cells, out, recipe.config.attempts)
    if json:
        for cell in planned:
            print_json(as_json(cell))
    else:
        print_table(plan_table(planned))


def _train(recipe: "SweepRecipe", out: Path, where: "Where", new_data: bool) -> "Standing":
    from convscope.progress.sweep_view import sweep_view
    from convscope.sweeps.run_sweep import run_sweep

    with resumable(), computing(), sweep_view() as view:
        return run_sweep(recipe, out, where, view, new_data)


def _summary(standing: "Standing", out: Path) -> dict[str, Any]:
    return {
        "out": str(out),
        "cells": len(standing.cells),
        **{state: standing.count(state) for state in ("done", "failed", "waiting", "cancelled")},
        "runs": [
            {"run": str(out / cell.name), "state": cell.state, "reason": cell.reason}
            for cell in standing.cells
        ],
    }
