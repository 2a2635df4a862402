"""Who used the GPUs, by person and day, and what of it was in vain."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from convscope.servers.collecting.history import reading
from convscope.servers.servers_file import ServersFile

if TYPE_CHECKING:
    from rich.table import Table

HOUR = 3600.0

SPELLS = """
SELECT holders, booked, SUM(seconds),
       COALESCE(SUM(seconds * (utilisation >= :idle)), 0),
       COALESCE(SUM(seconds * (utilisation < :idle)), 0)
FROM gpus WHERE time >= :start AND time < :end GROUP BY holders, booked
"""


@dataclass(frozen=True)
class Spell:
    """GPU time with the same holders and the same bookings.

    Attributes:
        holders: the logins that held the GPU; None where nobody can say.
        booked: the people who had booked it; None where nobody could say.
        seconds: that it lasted.
        busy, idle: s of it in which the GPU was, or was not, as busy as `collect.idle_utilisation`;
            together less than `seconds` where a GPU does not tell.
    """

    holders: frozenset[str] | None
    booked: frozenset[str] | None
    seconds: float
    busy: float
    idle: float


@dataclass
class Hours:
    """What a person used, GPU hours; a GPU that two hold counts in full for both.

    Attributes:
        held: with memory of theirs on the GPU.
        busy: of those, the GPU at work.
        held_idle: of those, the GPU idle.
        booked: by them.
        booked_idle: of those, without work of theirs.
        unbooked: held, but not booked by them; 0 where nobody knows the bookings.
    """

    held: float = 0.0
    busy: float = 0.0
    held_idle: float = 0.0
    booked: float = 0.0
    booked_idle: float = 0.0
    unbooked: float = 0.0


@dataclass(frozen=True)
class Usage:
    """The hours of a person on a day.

    Attributes:
        day: by the calendar of `time_zone`.
        person: as in the sheet; a login that is nobody's in servers.yaml, as it is.
        known: whether servers.yaml has that person.
        hours: GPU hours.
    """

    day: date
    person: str
    known: bool
    hours: Hours = field(default_factory=Hours)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, hours to a hundredth."""
        hours = {f"{name}_hours": round(value, 2) for name, value in asdict(self.hours).items()}
        return {"day": self.day.isoformat(), "person": self.person, "known": self.known, **hours}


def usage(file: ServersFile, days: int, now: float) -> list[Usage]:
    """The use of the last `days` days, today included: by day, then by hours held.

    Raises:
        UserError: where there is no history.
    """
    zone = ZoneInfo(file.time_zone)
    today = datetime.fromtimestamp(now, zone).date()
    with reading(file.collect) as sql:
        return [
            row
            for back in reversed(range(days))
            for row in _usage_of(sql, file, today - timedelta(days=back), zone)
        ]


def _usage_of(sql: Connection, file: ServersFile, day: date, zone: ZoneInfo) -> list[Usage]:
    start, end = (
        datetime(each.year, each.month, each.day, tzinfo=zone).timestamp()
        for each in (day, day + timedelta(days=1))
    )
    asked = {"start": start, "end": end, "idle": file.collect.idle_utilisation}
    spells = map(_spell, sql.execute(SPELLS, asked))
    hours = by_person(spells, lambda login: file.person_of(login) or login)
    ranked = sorted(hours.items(), key=lambda item: (-item[1].held, -item[1].booked, item[0]))
    return [Usage(day, person, person in file.people, each) for person, each in ranked]


def _spell(row: tuple[Any, ...]) -> Spell:
    holders, booked = (None if text is None else frozenset(json.loads(text)) for text in row[:2])
    return Spell(holders, booked, *row[2:])


def by_person(spells: Iterable[Spell], person_of: Callable[[str], str]) -> dict[str, Hours]:
    """The hours of each person who held or had booked a GPU."""
    hours: dict[str, Hours] = {}
    for spell in spells:
        present = {person_of(login) for login in spell.holders or ()}
        for person in present:
            _add_held(hours.setdefault(person, Hours()), spell, person)
        for person in spell.booked or ():
            absent = spell.holders is not None and person not in present
            each = hours.setdefault(person, Hours())
            each.booked += spell.seconds / HOUR
            each.booked_idle += (spell.seconds if absent else spell.idle) / HOUR
    return hours


def _add_held(hours: Hours, spell: Spell, person: str) -> None:
    hours.held += spell.seconds / HOUR
    hours.busy += spell.busy / HOUR
    hours.held_idle += spell.idle / HOUR
    if spell.booked is not None and person not in spell.booked:
        hours.unbooked += spell.seconds / HOUR


def usage_table(rows: Iterable[Usage]) -> "Table":
    """The same for people."""
    from rich.table import Table

    table = Table("day", "person", *_columns(), box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for row in rows:
        person = row.person + ("" if row.known else " (not in servers.yaml)")
        hours = (f"{value:.1f}" for value in asdict(row.hours).values())
        table.add_row(row.day.isoformat(), person, *hours)
    return table


def _columns() -> Iterator[str]:
    return (f"{name.replace('_', ' but ')} h" for name in asdict(Hours()))
