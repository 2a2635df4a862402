"""The state of servers as flat records, and as a table for people. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from convscope.servers.collect_settings import CollectSettings
from convscope.servers.sensing.record import MachineRecord
from convscope.servers.sensing.state import ServerState
from convscope.servers.servers_file import ServersFile

Row = dict[str, Any]

GIB = 2**30
COLOURS = {"up": "green", "slow": "yellow", "down": "red"}
UNKNOWN: Row = {**dict.fromkeys([*MachineRecord.model_fields, "clock_offset_s"]), "gpus": []}


def status_row(state: ServerState, now: float, settings: CollectSettings) -> Row:
    """One flat record: times in unix time, s; the keys of a server that never answered are null."""
    return {
        "server": state.server,
        "status": state.status,
        "since": state.since,
        "seconds": state.seconds,
        "is_stale": state.is_stale(now, settings),
        "problem": state.problem,
        **UNKNOWN,
        **(state.record or {}),
    }


def unknown_logins(servers: ServersFile, states: Iterable[ServerState]) -> list[str]:
    """Logins on servers that the file gives to nobody; none where it names no people at all."""
    seen = {login for state in states for login in _logins(state.record or {})}
    return sorted(login for login in seen if servers.people and servers.person_of(login) is None)


def _logins(record: Mapping[str, Any]) -> set[str]:
    processes = [p for gpu in record.get("gpus") or () for p in gpu["processes"] or ()]
    return {*(record.get("logged_in") or ()), *(p["owner"] for p in processes if p["owner"])}


def status_table(rows: Sequence[Row], now: float) -> Table:
    """A row for each server; GPU by GPU: how busy, memory, whose processes."""
    table = Table(box=SIMPLE)
    for header in ("server", "status", "for"):
        table.add_column(header, no_wrap=True)
    for header in ("load/cores", "memory GiB", "disk free GiB"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("GPUs")
    table.add_column("logged in")
    for row in rows:
        table.add_row(*_cells(row, now))
    return table


def _cells(row: Row, now: float) -> list[str | Text]:
    status = f"{row['status']}, stale" if row["is_stale"] and row["time"] else row["status"]
    used, total = row["memory_used_bytes"], row["memory_total_bytes"]
    return [
        row["server"],
        Text(status, COLOURS.get(row["status"], "")),
        "" if row["since"] is None else span(now - row["since"]),
        f"{_shown(row['load_1m'], '{:.1f}')}/{_shown(row['cores'])}",
        f"{_gib(used)}/{_gib(total)}",
        _gib(row["disk_free_bytes"]),
        "\n".join(map(_gpu, row["gpus"])),
        " ".join(row["logged_in"] or ()),
    ]


def _gpu(gpu: Mapping[str, Any]) -> str:
    owners = sorted({process["owner"] or "?" for process in gpu["processes"] or ()})
    return (
        f"{_shown(gpu['index'])}: {_shown(gpu['utilisation'], '{:.0%}')} "
        f"{_gib(gpu['memory_used_bytes'])}/{_gib(gpu['memory_total_bytes'])} GiB "
        f"{' '.join(owners)}".rstrip()
    )


def _shown(value: Any, form: str = "{}") -> str:
    return "?" if value is None else form.format(value)


def _gib(n_bytes: float | None) -> str:
    return "?" if n_bytes is None else f"{n_bytes / GIB:.1f}"


def span(seconds: float) -> str:
    """A duration for people: 40 s, 12 min, 3 h, 5 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def problem_lines(rows: Iterable[Row]) -> list[str]:
    """What could not be read, a line each: `gpu7 does not answer within 30 s`."""
    lines = []
    for row in rows:
        lines += [f"{row['server']} {row['problem']}"] if row["problem"] else []
        lines += [f"{row['server']}: {problem}" for problem in row["problems"] or ()]
    return lines


def change_lines(
    states: Mapping[str, ServerState], before: Mapping[str, ServerState], zone: ZoneInfo
) -> list[str]:
    """What changed between two ticks, a line each; in the first tick, what is not up."""
    lines = []
    for name, state in states.items():
        was = before[name].status if name in before else "up"
        if state.status != was:
            lines.append(f"{name} is {state.status}{_since(state, zone)}{_because(state)}")
    return lines


def _since(state: ServerState, zone: ZoneInfo) -> str:
    if state.since is None:
        return ""
    return f" since {datetime.fromtimestamp(state.since, zone):%Y-%m-%d %H:%M}"


def _because(state: ServerState) -> str:
    return f": it {state.problem}" if state.problem else ""
