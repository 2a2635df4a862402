"""convscope demo, convscope doctor."""

from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.commands import resumable
from convscope.cli.show import Json, log_to_stderr, print_json, print_table


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(demo)
    app.command()(doctor)


def demo(
    out: Annotated[Path, typer.Option("--out", help="Where words, runs and page go.")] = Path(
        "demo"
    ),
    real: Annotated[
        Path | None, typer.Option("--real", help="Real recordings to score on: word/file.")
    ] = None,
) -> None:
    """The whole tour without any data: synthesise words, train small nets, make a page."""
    from convscope.demo import run_demo

    log_to_stderr()
    with resumable():
        run_demo(out, real=real)


def doctor(json: Json = False) -> None:
    """What works here, what is missing, how to get it."""
    from rich.table import Table

    from convscope.doctor import examine

    findings = examine()
    if json:
        print_json([finding.to_dict() for finding in findings])
        return
    table = Table("", "what", "found", "how to get it")
    for finding in findings:
        mark = "works" if finding.works else "missing"
        table.add_row(mark, finding.what, finding.found, finding.remedy)
    print_table(table)
