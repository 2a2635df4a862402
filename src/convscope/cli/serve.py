"""convscope serve: the explorer, pages of runs to look at."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convscope.cli.show import warn
from convscope.errors import UserError

if TYPE_CHECKING:
    from convscope.web.frame.security import Access

PORT = 8471


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(serve)


def serve(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders, or folders of them.", readable=False)
    ],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")
    ] = PORT,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; any but this needs the token.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Another name by which browsers call this machine."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser", help="Open the page in a browser.")] = False,
) -> None:
    """Pages to look at runs: board, curves, confusions with their clips, sweeps."""
    from convscope.scores.rows import find_runs

    find_runs(runs)
    try:
        from convscope.web.serving import serve as answer
    except ModuleNotFoundError as error:
        raise UserError(
            f"serve needs {error.name}, which is not installed: pip install 'convscope[web]'"
        ) from None
    answer(runs, host, port, name or [], lambda url, access: _tell(url, access, browser))


def _tell(url: str, access: "Access", browser: bool) -> None:
    """The address on standard output, the rest beside it."""
    if access.is_public:
        warn("other machines can ask: whoever has the address with its token sees these runs")
    print(url, flush=True)
    warn("Ctrl-C ends it")
    if browser:
        typer.launch(url)
    sys.stdout.flush()
