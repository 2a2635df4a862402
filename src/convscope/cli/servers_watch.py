"""convscope servers watch, demo: the servers as they are now, and a made-up lab to try it on."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from convscope.cli.servers_common import asking, with_servers
from convscope.cli.show import print_table, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from convscope.servers.collecting.collect import States


def watch(
    servers: Annotated[
        Path | None,
        typer.Option("--servers", help="Else servers.yaml here or in ~/.config/convscope."),
    ] = None,
    every: Annotated[
        float | None, typer.Option("--every", min=1, help="Seconds; else as servers.yaml says.")
    ] = None,
) -> None:
    """Show the servers until Ctrl-C, asking all of them in every tick."""
    from rich.live import Live

    from convscope.servers.collecting.collect import collect
    from convscope.servers.collecting.status import status_row, status_table
    from convscope.terminal import PlainConsole

    file = with_servers(servers)
    if every is not None:
        settings = file.collect.model_copy(update={"every_seconds": every})
        file = file.model_copy(update={"collect": settings})

    def table(now: float, states: "States") -> "Table":
        rows = [status_row(state, now, file.collect) for state in states.values()]
        made = status_table(rows, now)
        made.caption = f"{time.strftime('%H:%M:%S')}, every {file.collect.every_seconds:g} s"
        return made

    with asking(file) as ssh, Live("asking all servers …", console=PlainConsole()) as live:
        collect(file, ssh.ask, lambda now, states, _: live.update(table(now, states), refresh=True))


def demo(
    minutes: Annotated[int, typer.Option("--minutes", min=1, max=1440)] = 60,
) -> None:
    """An hour of a made-up lab: servers, bookings, a Google Sheet; no GPU, no network."""
    from convscope.servers.collecting.status import status_row, status_table
    from convscope.servers.collecting.usage import usage, usage_table
    from convscope.servers.demo.lab import lab_hour, without_empty

    with TemporaryDirectory() as folder:
        lab, states = lab_hour(Path(folder), minutes, warn)
        now, file = lab.made_up.now, lab.servers
        rows = [status_row(state, now, file.collect) for state in states.values()]
        print("\nconvscope servers status")
        print_table(status_table(rows, now))
        print("The lab's sheet: the first columns are people's, the others ours")
        print_table(_as_table(without_empty(lab.rows())))
        print("convscope servers usage")
        print_table(usage_table(usage(file, 1, now)))


def _as_table(rows: "Sequence[Sequence[str]]") -> "Table":
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE, show_header=False)
    for row in rows:
        table.add_row(*row)
    return table
