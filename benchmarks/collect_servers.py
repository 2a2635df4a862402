"""How long a tick over 100 servers takes, 10 of which hang: through a real sshd on loopback.

    python benchmarks/collect_servers.py             about half a minute

All servers are this machine, which would run 100 sensors at once; so they answer with a recorded
record, as their own processors would have the work. With --sensors they run it here all the same.
The first tick makes the connections, whose other ends cost this machine as much again; the others
use them. A server that hangs is given up after `--answer-seconds`, and its connection is made anew
in the next tick.
"""

import json
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from convscope.cli.show import print_table
from convscope.errors import UserError
from convscope.servers.collect_settings import CollectSettings
from convscope.servers.collecting.collect import collect_once
from convscope.servers.sensing.sensor import read_machine
from convscope.servers.sensing.ssh import Ssh
from convscope.servers.sensing.state import ServerState
from convscope.servers.servers_file import Server, ServersFile
from tests.servers.sshd_lab import Lab, lab, missing

TICK_SECONDS = 5


def main(
    servers: Annotated[int, typer.Option("--servers", min=1)] = 100,
    hung: Annotated[int, typer.Option("--hung", min=0)] = 10,
    ticks: Annotated[int, typer.Option("--ticks", min=2)] = 5,
    answer_seconds: Annotated[float, typer.Option("--answer-seconds")] = 3.0,
    sensors: Annotated[bool, typer.Option("--sensors", help="Run the real sensors.")] = False,
) -> None:
    """Measure each tick, and print it beside what it may take at most."""
    if why := missing():
        raise UserError(f"sshd {why}")
    table = Table("tick", "seconds", "at most", "up or slow", "down", "CPU here, s", box=SIMPLE)
    with TemporaryDirectory() as folder, lab(Path(folder)) as made:
        file = start(made, servers, hung, answer_seconds, sensors)
        ssh, states = Ssh(config=made.config, persist_seconds=60), dict[str, ServerState]()
        for tick in range(1, ticks + 1):
            began, worked = time.perf_counter(), processor_seconds()
            states = collect_once(file, states, ssh.ask)
            seconds = time.perf_counter() - began
            down = sum(state.status == "down" for state in states.values())
            row = tick, f"{seconds:.2f}", TICK_SECONDS, len(states) - down, down
            table.add_row(*map(str, row), f"{processor_seconds() - worked:.1f}")
    print_table(table)


def start(made: Lab, servers: int, hung: int, answer_seconds: float, sensors: bool) -> ServersFile:
    """Servers under names of their own, of which `hung` take connections and hang."""
    (made.folder / "record.json").write_text(json.dumps(read_machine()) + "\n")
    recorded = made.script("recorded", f"#!/bin/sh\nexec cat {made.folder}/record.json\n")
    made.start({"up": None if sensors else recorded, "hung": "exec sleep 30"})
    names = [f"gpu{i:03}" for i in range(servers)]
    for i, name in enumerate(names):
        hangs = i * hung // servers < (i + 1) * hung // servers  # evenly among the others
        made.add_host(name, made.ports["hung" if hangs else "up"])
    return ServersFile(
        servers={name: Server() for name in names},
        collect=CollectSettings(answer_seconds=answer_seconds, down_after=1),
    )


def processor_seconds() -> float:
    """Of this process and of those that it has ended, so that of ssh but not of sshd."""
    kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


if __name__ == "__main__":
    typer.run(main)
