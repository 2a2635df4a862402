"""What the commands print: results on standard output, everything else on standard error."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="JSON on one line, for machines.")]
TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code", help="Run the code of a net that comes with its run: read it before."
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Argument(
        help="Settings laid over the recipe's, such as data.folder=DIR.", metavar="KEY=VALUE"
    ),
]


def print_json(value: Any) -> None:
    """One JSON value on one line."""
    print(json.dumps(value, allow_nan=False))


def print_table(table: "Table") -> None:
    """A table for people: as wide as the terminal, or as it needs where there is none."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=Console(width=1000).measure(table).maximum)
    console.print(table)


def warn(message: str) -> None:
    """A line on standard error that ends nothing."""
    print(f"convscope: {message}", file=sys.stderr)


def log_to_stderr() -> None:
    """Warnings of the library as lines on standard error."""
    logging.basicConfig(format="convscope: %(message)s", level=logging.WARNING, stream=sys.stderr)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float, float], None]]:
    """A bar on standard error; it yields the function to tell (done, total), which shows it."""
    with naming_bar() as tell:
        yield lambda done, total: tell(what, done, total)


@contextmanager
def naming_bar() -> Iterator[Callable[[str, float, float], None]]:
    """A progress bar that is also told what is being done: (what, done, total)."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from convscope.cli.bar import Bar

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Bar("", *columns, TimeRemainingColumn()) as bar:
        yield lambda what, done, total: bar.tell(description=what, completed=done, total=total)
