"""convscope demo, convscope doctor."""

from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.commands import resumable
from convscope.cli.show import Json, log_to_stderr, print_json


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
    from convscope.doctor import examine

    findings = examine()
    if json:
        print_json([finding.to_dict() for finding in findings])
        return
    for finding in findings:
        print(f"{'works' if finding.works else 'missing':<9}{finding.what}: {finding.found}")
        if finding.remedy:
            print(f"{'':<9}{finding.remedy}")
