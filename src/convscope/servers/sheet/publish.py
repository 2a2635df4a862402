"""What the sheet says of the servers: states and bookings to texts. Pure."""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from convscope.servers.bookings.booking import Booking
from convscope.servers.bookings.bookings import conflicts, say_time
from convscope.servers.sensing.state import ServerState
from convscope.servers.servers_file import ServersFile

GIB = 2**30
UNKNOWN = "?"
MOST_CHARACTERS = 40_000
"""A cell of a Google Sheet takes 50,000; one that is longer would make it refuse all others."""

OURS = re.compile(
    r"up|slow|down|unknown|stale, was \w+|never"
    r"|\S+ of \S+ (cores|GiB|GiB free)"
    r"|([0-9]+|\?): .*"
    r"|(.* )?[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}",
    re.DOTALL,
)
"""What every text of ours is like, and no heading."""

Texts: TypeAlias = dict[str, dict[str, str]]
"""Of each server, by its name: the text of each column, by the column's name."""


@dataclass(frozen=True)
class View:
    """One server, and all that its row depends on."""

    state: ServerState
    bookings: Sequence[Booking]
    now: float
    servers: ServersFile

    @property
    def record(self) -> Mapping[str, Any]:
        return self.state.record or {}

    def time(self, seconds: float | None) -> str:
        """A unix time as people read it, in the lab's time zone, to the minute."""
        return "" if seconds is None else say_time(seconds, ZoneInfo(self.servers.time_zone))

    def people(self, logins: Iterable[str | None]) -> str:
        """Logins as the people that the sheet knows, each once."""
        names = {login and (self.servers.person_of(login) or login) for login in logins}
        return ", ".join(sorted(name or UNKNOWN for name in names))


def texts(
    states: Mapping[str, ServerState],
    bookings: Sequence[Booking],
    now: float,
    servers: ServersFile,
) -> Texts:
    """The row of every server.

    Args:
        states: by the server's name; one of the servers file that is missing is unknown.
        bookings: past and future ones as well.
        now: unix time, s.
        servers: the names, people and time zone.
    """
    return {
        name: _row(View(states.get(name) or ServerState(name), bookings, now, servers))
        for name in servers.servers
    }


def _row(view: View) -> dict[str, str]:
    return {column: text(view)[:MOST_CHARACTERS] for column, (_, text) in COLUMNS.items()}


def _status(view: View) -> str:
    state = view.state
    if state.status in ("up", "slow") and state.is_stale(view.now, view.servers.collect):
        return f"stale, was {state.status}"
    return state.status


def _since(view: View) -> str:
    return view.time(view.state.since)


def _load(view: View) -> str:
    load, cores = view.record.get("load_1m"), view.record.get("cores")
    return "" if load is None else f"{load:.1f} of {_or_unknown(cores)} cores"


def _memory(view: View) -> str:
    used, total = view.record.get("memory_used_bytes"), view.record.get("memory_total_bytes")
    return _used(used, total)


def _disk(view: View) -> str:
    free, total = view.record.get("disk_free_bytes"), view.record.get("disk_total_bytes")
    return "" if free is None else f"{_gib(free)} of {_gib(total)} GiB free"


def _gpus(view: View) -> str:
    return "\n".join(_gpu(view, gpu) for gpu in view.record.get("gpus") or ())


def _gpu(view: View, gpu: Mapping[str, Any]) -> str:
    """One GPU in a line, such as `0: 30 of 80 GiB, 97 %, 71 °C, Anna`; what is unknown is `?`."""
    busy, heat = gpu.get("utilisation"), gpu.get("temperature_c")
    memory = _used(gpu.get("memory_used_bytes"), gpu.get("memory_total_bytes"))
    processes = gpu.get("processes")
    who = UNKNOWN if processes is None else view.people(one.get("owner") for one in processes)
    said = [
        memory or UNKNOWN,
        UNKNOWN if busy is None else f"{busy:.0%}".replace("%", " %"),
        UNKNOWN if heat is None else f"{heat:.0f} °C",
        who or "nobody",
    ]
    return f"{_or_unknown(gpu.get('index'))}: {', '.join(said)}"


def _logged_in(view: View) -> str:
    logins = view.record.get("logged_in")
    return "" if logins is None else f"{len(logins)}: {view.people(logins) or 'nobody'}"


def _booked(view: View) -> str:
    held = [one for one in _of(view) if one.is_at(view.now)]
    return "\n".join(f"{_who(one)} until {view.time(one.end)}" for one in held)


def _conflicts(view: View) -> str:
    """What two people have booked for now or later."""
    coming = [one for one in _of(view) if one.end > view.now]
    return "\n".join(_conflict(view, *pair) for pair in conflicts(coming))


def _conflict(view: View, one: Booking, other: Booking) -> str:
    start, end = max(one.start, other.start), min(one.end, other.end)
    return f"{_who(one)} and {_who(other)}, {view.time(start)} to {view.time(end)}"


def _of(view: View) -> list[Booking]:
    mine = [one for one in view.bookings if one.is_of(view.state.server, None)]
    return sorted(mine, key=lambda one: (one.start, one.row))


def _who(booking: Booking) -> str:
    return booking.person if booking.gpu is None else f"{booking.person} (GPU {booking.gpu})"


def _seen(view: View) -> str:
    return view.time(view.state.record_time) or "never"


def _used(used: float | None, total: float | None) -> str:
    return "" if used is None and total is None else f"{_gib(used)} of {_gib(total)} GiB"


def _gib(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value / GIB:.0f}"


def _or_unknown(value: Any) -> str:
    return UNKNOWN if value is None else str(value)


COLUMNS: dict[str, tuple[str, Callable[[View], str]]] = {
    "status": ("Status", _status),
    "since": ("Since", _since),
    "load": ("Load", _load),
    "memory": ("Memory", _memory),
    "gpus": ("GPUs", _gpus),
    "disk": ("Disk", _disk),
    "logged_in": ("Logged in", _logged_in),
    "booked": ("Booked now by", _booked),
    "conflicts": ("Conflicts", _conflicts),
    "seen": ("Seen at", _seen),
}
"""Our columns by name, in order: the heading that each is made with, and what it says."""


def as_text(rows: Texts) -> str:
    """What would be written, for people: a paragraph a server."""
    return "\n\n".join(f"{server}\n{_paragraph(row)}" for server, row in rows.items())


def _paragraph(row: Mapping[str, str]) -> str:
    said = [(COLUMNS[column][0], text) for column, text in row.items() if text]
    gap = "\n" + " " * 17
    return "\n".join(f"  {heading + ':':<15}{text.replace(chr(10), gap)}" for heading, text in said)


def write_csv(rows: Texts, path: Path) -> None:
    """Write what would be written to the sheet into a file instead, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["server", *(heading for heading, _ in COLUMNS.values())])
        table.writerows([server, *row.values()] for server, row in rows.items())
    part.replace(path)
