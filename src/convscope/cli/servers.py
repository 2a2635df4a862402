"""convscope servers status, collect, sheet, metrics, usage: the lab's shared machines."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convscope.cli import servers_watch
from convscope.cli.commands import Group
from convscope.cli.servers_common import asking, with_servers
from convscope.cli.show import Json, print_json, print_table, warn
from convscope.errors import RunFailed, UserError
from convscope.names import visible_lines

if TYPE_CHECKING:
    from convscope.servers.collecting.collect import States
    from convscope.servers.sensing.state import ServerState
    from convscope.servers.servers_file import ServersFile


Servers = Annotated[
    Path | None,
    typer.Option("--servers", help="Else servers.yaml here or in ~/.config/convscope."),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(cls=Group, help="The state of the lab's shared machines.")
    group.command("status")(status)
    group.command("collect")(collect)
    group.command("sheet")(sheet)
    group.command("metrics")(metrics)
    group.command("usage")(usage)
    group.command("watch")(servers_watch.watch)
    group.command("demo")(servers_watch.demo)
    app.add_typer(group, name="servers")


def status(servers: Servers = None, json: Json = False) -> None:
    """Ask every server once; without a servers file, this machine alone."""
    from convscope.servers.collecting.status import (
        problem_lines,
        status_row,
        status_table,
        unknown_logins,
    )
    from convscope.servers.servers_file import read_servers_file

    file = read_servers_file(servers)
    states = _asked_once(file) if file.servers else {socket.gethostname(): _this_machine(file)}
    now = time.time()
    rows = [status_row(state, now, file.collect) for state in states.values()]
    if json:
        print_json(rows)
    else:
        print_table(status_table(rows, now))
    for line in problem_lines(rows):
        warn(line)
    if unknown := unknown_logins(file, states.values()):
        warn(f"logins of nobody under `people`: {', '.join(unknown)}")


def _asked_once(file: "ServersFile") -> "States":
    """The states after one tick, in which a server without an answer is down at once."""
    from convscope.servers.collecting.collect import collect_once

    settings = file.collect.model_copy(update={"down_after": 1})
    with asking(file) as ssh:
        return collect_once(file.model_copy(update={"collect": settings}), {}, ssh.ask)


def _this_machine(file: "ServersFile") -> "ServerState":
    from convscope.servers.sensing.record import with_clock
    from convscope.servers.sensing.sensor import read_machine
    from convscope.servers.sensing.state import Poll, ServerState, after

    began = time.time()
    record, name = read_machine(), socket.gethostname()
    poll = Poll(name, time.time(), round(time.time() - began, 3), with_clock(record, time.time()))
    return after(ServerState(name), poll, file.collect)


def collect(
    servers: Servers = None,
    once: Annotated[bool, typer.Option("--once", help="One tick, then end.")] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write this file instead of the sheet.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print, once, what would be written.")
    ] = False,
) -> None:
    """Ask all servers in every tick, and keep the sheet and the history up to date."""
    from convscope.servers.collecting.collect import Listeners
    from convscope.servers.collecting.collect import collect as run
    from convscope.servers.collecting.listeners import all_listeners, collector_folder, the_only_one

    file = with_servers(servers)
    with ExitStack() as held:
        if not dry_run:
            held.enter_context(the_only_one(collector_folder()))
        show = _show if dry_run else None
        listeners = Listeners(held.enter_context(all_listeners(file, csv, show, warn)), warn)
        run(file, held.enter_context(asking(file)).ask, listeners, once=once or dry_run)
        if listeners.failing:
            raise RunFailed(f"done, but not by {', '.join(sorted(listeners.failing))}: see above")


def sheet(
    servers: Servers = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="And print what would be written, asking every server."),
    ] = False,
) -> None:
    """Check that the sheet can be found and read as the servers file says; write nothing."""
    from convscope.servers.collecting.listeners import check_sheet

    file = with_servers(servers)
    if file.sheet is None:
        raise UserError("no sheet is named: write its id, credentials and tab under `sheet`")
    found = check_sheet(file, warn)
    if dry_run:
        from convscope.servers.collecting.listeners import shown

        shown(file, _show, found)(time.time(), _asked_once(file), {})
    else:
        print("the sheet is as servers.yaml says")


def metrics(
    servers: Servers = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 9818,
    bind: Annotated[str, typer.Option("--bind", help="The address to listen on.")] = "127.0.0.1",
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Print a dashboard for Grafana instead.")
    ] = False,
) -> None:
    """Ask all servers in every tick, and answer Prometheus at http://BIND:PORT/metrics."""
    from convscope.servers.collecting import metrics as prometheus
    from convscope.servers.collecting.collect import Listeners, Reporter
    from convscope.servers.collecting.collect import collect as run

    if dashboard:
        print(prometheus.dashboard())
        return
    file = with_servers(servers)
    told = prometheus.Metrics(file.collect)
    with prometheus.served(told, bind, port) as listening, asking(file) as ssh:
        print(f"http://{bind}:{listening}/metrics", flush=True)
        run(file, ssh.ask, Listeners({"metrics": told, "the log": Reporter(file, warn)}, warn))


def usage(
    servers: Servers = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="Today included.")] = 7,
    json: Json = False,
) -> None:
    """GPU hours by person and day: held, busy, idle, booked; from the collector's history."""
    from convscope.servers.collecting import usage as hours
    from convscope.servers.servers_file import read_servers_file

    rows = hours.usage(read_servers_file(servers), days, time.time())
    if json:
        print_json([row.to_dict() for row in rows])
    else:
        print_table(hours.usage_table(rows))


def _show(text: str) -> None:
    print(visible_lines(text), flush=True)
