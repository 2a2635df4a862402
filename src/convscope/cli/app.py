"""The command `convscope`, and how it ends."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from convscope import __version__
from convscope.cli import data, runs, tour, train
from convscope.errors import RunFailed, UserError


class Commands(TyperGroup):
    """Turns the errors that a user can mend into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise _ended(error, 2) from None
        except RunFailed as error:
            raise _ended(error, 1) from None
        except KeyboardInterrupt:
            raise _ended("interrupted; the same command goes on from here", 130) from None


def _ended(message: object, code: int) -> typer.Exit:
    print(f"convscope: {message}", file=sys.stderr)
    return typer.Exit(code)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train families of small CNNs on sound and images, and see what they learned.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"convscope {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Its version.")
    ] = False,
) -> None:
    """Options of the command itself."""


tour.add_to(app)
data.add_to(app)
train.add_to(app)
runs.add_to(app)


def main() -> None:
    """Run the command line."""
    app()
