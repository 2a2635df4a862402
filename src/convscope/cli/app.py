"""The command `convscope`."""

from typing import Annotated

import typer

from convscope.cli import (
    board,
    brain,
    data,
    look,
    report,
    runs,
    serve,
    servers,
    sweep,
    sweeps,
    tour,
    train,
)
from convscope.cli.commands import Commands, heed_sigterm, own_stderr
from convscope.version import __version__

app = typer.Typer(
    name="convscope",
    cls=Commands,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train families of small CNNs on sound and images, and see where they err.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"convscope {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Its version.")
    ] = False,
) -> None:
    """Options of the command itself."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


tour.add_to(app)
data.add_to(app)
train.add_to(app)
sweep.add_to(app)
sweeps.add_to(app)
board.add_to(app)
runs.add_to(app)
look.add_to(app)
brain.add_to(app)
report.add_to(app)
serve.add_to(app)
servers.add_to(app)


def main() -> None:
    """Run the command line."""
    heed_sigterm()
    own_stderr()
    app()
