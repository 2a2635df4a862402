"""What the commands print: results on standard output, everything else on standard error."""

import json
import logging
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convscope.names import visible

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
    from convscope.terminal import PlainConsole

    console = PlainConsole()
    if not console.is_terminal:
        console = PlainConsole(width=PlainConsole(width=1000).measure(table).maximum)
    console.print(table)


def print_line(text: str) -> None:
    """A line of a result, with what names of files may hold made visible."""
    print(visible(text))


def warn(message: str) -> None:
    """A line on standard error that ends nothing."""
    print(f"convscope: {visible(' '.join(message.splitlines()))}", file=sys.stderr)


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        warn(record.getMessage())


def log_to_stderr() -> None:
    """Warnings of the library as lines on standard error."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Warnings()])
