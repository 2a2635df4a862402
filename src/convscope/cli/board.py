"""convscope board: the table of runs, in the ways in which one looks at it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from convscope.cli.commands import computing
from convscope.cli.show import Json, print_json, print_line, print_table
from convscope.errors import UserError

if TYPE_CHECKING:
    from convscope.scores.plain_table import View
    from convscope.scores.rows import BoardRow

PIVOT = "conv_layers,regulariser"


ONLY_STUDY = "the only one"


class BoardCommand(TyperCommand):
    """Takes `--pivot` alone as well as with its two keys, `--brain` with and without a study."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_defaults(args))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(cls=BoardCommand)(board)


def board(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders, or folders of them.", readable=False)
    ],
    kind: Annotated[
        Literal["size", "accuracy"] | None,
        typer.Option("--board", help="Accuracy and what it costs (the default), or it alone."),
    ] = None,
    sort: Annotated[
        Literal["accuracy", "params", "flops", "seconds", "name"] | None,
        typer.Option("--sort", help="What comes first; default accuracy."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="KEY=VALUE|KEY<N", help="Only these; also !=, <=, >, >=; repeatable."
        ),
    ] = None,
    pareto: Annotated[
        Literal["params", "flops", "seconds"] | None,
        typer.Option("--pareto", help="The cost of the Pareto front; default params."),
    ] = None,
    front: Annotated[bool, typer.Option("--front", help="Only the Pareto front.")] = False,
    seeds: Annotated[
        bool, typer.Option("--by-seed", help="One row for what differs only in the seed.")
    ] = False,
    folds: Annotated[
        bool,
        typer.Option("--by-fold", help="One row for what differs only in the fold, and pooled."),
    ] = False,
    pivot: Annotated[
        str | None,
        typer.Option("--pivot", metavar="[ROWS,COLUMNS]", help=f"A grid; default {PIVOT}."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="CSV", help="Beside the accuracies stated there."),
    ] = None,
    brain: Annotated[
        str | None,
        typer.Option("--brain", metavar="[STUDY]", help="Beside how well the brain is predicted."),
    ] = None,
    mlflow: Annotated[
        str | None, typer.Option("--mlflow", metavar="URI", help="Export the runs to MLflow.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", help="Its name in MLflow; default convscope.")
    ] = None,
    form: Annotated[
        Literal["table", "csv", "md", "latex", "json"],
        typer.Option("--format", help="How it is printed."),
    ] = "table",
    json: Json = False,
) -> None:
    """The table of runs: accuracy, parameters, time, and what is on the Pareto front."""
    views = {"--pivot": pivot, "--against": against, "--brain": brain}
    _refuse_together({"--by-seed": seeds and not brain, "--by-fold": folds, **views})
    boards = {"--board": kind, "--sort": sort, "--pareto": pareto, "--front": front}
    for name in (name for name, given in views.items() if given):
        refuse_idle(boards, name)
    if folds:
        refuse_idle({"--board": kind}, "--by-fold")
    if kind == "accuracy":
        refuse_idle({"--front": front, "--pareto": pareto}, "--board accuracy")
    if mlflow:
        means = {"--by-seed": seeds, "--by-fold": folds}
        refuse_idle({**boards, **means, **views, "--format": form != "table"}, "--mlflow")
        _export(_rows(runs, where or [], False), mlflow, experiment or "convscope", json)
        return
    if experiment:
        raise UserError("--experiment has no effect without --mlflow URI: give both or neither")
    if json and form not in ("table", "json"):
        raise UserError(f"--json is --format json: leave out --format {form}, or --json")
    form = "json" if json else form
    rows = _rows(runs, where or [], form in ("json", "csv") or "flops" in (sort, pareto))
    if pivot:
        view = _pivot(rows, pivot)
    elif against:
        from convscope.scores.against import against_view

        view = against_view(rows, against)
    elif brain:
        view = _brain(rows, brain, seeds)
    elif folds:
        from convscope.scores.folds import by_fold
        from convscope.scores.folds_view import folds_view

        view = folds_view(by_fold(rows), sort or "accuracy", pareto or "params", front)
    else:
        from convscope.scores.board import ranked, with_front
        from convscope.scores.board_table import board_view, seeds_view
        from convscope.scores.seeds import by_seed

        chosen = with_front(by_seed(rows) if seeds else rows, pareto or "params")
        chosen = [row for row in ranked(chosen, sort or "accuracy") if row.pareto or not front]
        view = (seeds_view if seeds else board_view)(chosen, kind or "size", pareto or "params")
    _print(view, form)


def _rows(runs: list[Path], conditions: list[str], flops: bool) -> list["BoardRow"]:
    from convscope.scores.flops import with_flops
    from convscope.scores.rows import find_runs, read_row
    from convscope.scores.where import parse_condition, where

    wanted = [parse_condition(condition) for condition in conditions]
    rows = [read_row(run) for run in find_runs(runs)]
    if flops or any(condition.key == "flops" for condition in wanted):
        rows = with_flops(rows)
    return where(rows, wanted)


def _pivot(rows: list["BoardRow"], keys: str) -> "View":
    from convscope.scores.pivot import pivot_view

    down, comma, across = keys.partition(",")
    if not (down and comma and across) or "," in across or down == across:
        raise UserError(f"--pivot {keys}: expected two keys, ROWS,COLUMNS, such as {PIVOT}")
    return pivot_view(rows, (down, across))


def _brain(rows: list["BoardRow"], study: str, seeds: bool) -> "View":
    from convscope.scores.brain import brain_rows, over_seeds
    from convscope.scores.brain_view import brain_view

    found = brain_rows(rows, None if study == ONLY_STUDY else study)
    return brain_view(over_seeds(found) if seeds else found)


def _print(view: "View", form: str) -> None:
    from convscope.scores.board_text import TEXTS, terminal_table

    if form in TEXTS:
        print(TEXTS[form](view), end="")
        return
    for i, table in enumerate(view.tables):
        if table.title:
            print("\n" if i else "", end="")
            print_line(table.title)
        print_table(terminal_table(table))


def _export(rows: list["BoardRow"], uri: str, experiment: str, json: bool) -> None:
    from convscope.run import Run
    from convscope.track import export_runs

    with computing():
        done = export_runs([Run(row.folder) for row in rows], uri, experiment)
    if json:
        print_json(done.to_dict())
    else:
        print(done)


def _refuse_together(views: dict[str, Any]) -> None:
    given = [name for name, value in views.items() if value]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are different tables: give one of them")


def refuse_idle(options: dict[str, Any], beside: str) -> None:
    """A UserError where one of some options is given that do nothing beside another."""
    idle = [name for name, value in options.items() if value]
    if idle:
        raise UserError(f"{idle[0]} has no effect beside {beside}: leave it out")


def _with_defaults(args: list[str]) -> list[str]:
    """The arguments with what each `--pivot` and `--brain` means that stands alone."""
    filled = []
    for arg, following in zip(args, [*args[1:], ""], strict=False):
        filled.append(arg)
        is_path = Path(following).exists()
        if arg == "--pivot" and (is_path or "," not in following):
            filled.append(PIVOT)
        if arg == "--brain" and (is_path or not following or following.startswith("-")):
            filled.append(ONLY_STUDY)
    return filled
