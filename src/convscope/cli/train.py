"""convscope describe, convscope train."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convscope.cli.commands import computing, resumable
from convscope.cli.show import Assignments, Json, log_to_stderr, print_json, print_table

if TYPE_CHECKING:
    from convscope.run import Run
    from convscope.training.cell import Cell

Recipe = Annotated[
    Path, typer.Argument(help="A recipe: a YAML file.", metavar="RECIPE", readable=False)
]
Out = Annotated[Path, typer.Option("--out", help="The folder that holds the run folders.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(describe)
    app.command()(train)


def describe(recipe: Recipe, assignments: Assignments = None, json: Json = False) -> None:
    """The layer table of a recipe's net: shape, receptive field, parameters, FLOPs, bytes."""
    from convscope.data.load import class_names
    from convscope.models.describe import describe as rows_of
    from convscope.models.table import layer_table, layers_as_json
    from convscope.recipes import read_cell
    from convscope.training.cell import check_network

    with computing():
        cell = read_cell(recipe, assignments or [])
        check_network(cell)
        rows = rows_of(cell.model, cell.data.shape, len(class_names(cell.data)))
    rate_hz = getattr(cell.data, "rate_hz", None)
    if json:
        print_json(layers_as_json(rows, rate_hz))
    else:
        print_table(layer_table(rows, rate_hz))


def train(
    recipe: Recipe,
    assignments: Assignments = None,
    out: Out = Path("runs"),
    json: Json = False,
) -> None:
    """Train one cell; the same command again goes on where it stopped."""
    from convscope.recipes import read_cell

    log_to_stderr()
    with computing():
        run = _fit(read_cell(recipe, assignments or []), out)
    summary = _summary(run)
    if json:
        print_json(summary)
    else:
        _print_summary(run, summary)


def _fit(cell: "Cell", out: Path) -> "Run":
    """Train a cell; an interruption says whether there is something to go on from."""
    from convscope.api.training import train_cell
    from convscope.run import STATE

    with resumable((out / cell.name / STATE).is_file):
        return train_cell(cell, out, progress=True)


def _summary(run: "Run") -> dict[str, Any]:
    scores = run.scores
    return {
        "run": str(run.folder),
        "params": scores["params"],
        "test_accuracy": scores["accuracy"],
        "interval": scores["interval"],
        "epochs": scores["epochs"],
        "best_epoch": scores["best_epoch"],
        "validation_accuracy": scores["validation_accuracy"],
        "chance": scores["chance"],
        "seconds": round(sum(row["seconds"] for row in run.epochs), 3),
    }


def _print_summary(run: "Run", summary: dict[str, Any]) -> None:
    low, high = summary["interval"]
    print(
        f"test accuracy {summary['test_accuracy']:.4f} (95 % interval {low:.4f} to {high:.4f}), "
        f"{summary['params']:,} parameters, weights of epoch {summary['best_epoch']} of "
        f"{summary['epochs']}, trained in {summary['seconds']:.0f} s"
    )
    if summary["chance"]:
        n = run.scores["n"]
        print(
            f"on {n:,} test clips this cannot be told from guessing: train longer, or on more data"
        )
    print(run.folder)
