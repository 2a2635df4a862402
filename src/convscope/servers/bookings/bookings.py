"""The lab's bookings: from the cells of a tab to who has which GPU, and when."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from convscope.errors import UserError
from convscope.servers.bookings.booking import Booking
from convscope.servers.bookings.times import parse_moment
from convscope.servers.collect_settings import BookingsSettings
from convscope.servers.servers_file import ServersFile
from convscope.servers.sheet_interface import Rows, Sheet, printable
from convscope.settings import suggest

MOST_GPUS = 64
"""No server has so many: a larger number is none of a GPU."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Found:
    """What a tab of bookings says.

    Attributes:
        bookings: those that can be read, one a GPU or a whole server.
        problems: what cannot be, a line each that names the cell.
    """

    bookings: tuple[Booking, ...]
    problems: tuple[str, ...]


def parse_bookings(rows: Rows, settings: BookingsSettings, file: ServersFile) -> Found:
    """The bookings in a tab's rows, the first of which names the columns.

    A row in which any cell cannot be read is no booking, with one exception: a person who is not in
    servers.yaml may be anybody, so what they booked is booked. Rows without any of the cells are
    left out.

    Raises:
        UserError: where a column is missing or there twice.
    """
    columns = _columns(rows[0] if rows else [], settings)
    found: list[Booking] = []
    problems: list[str] = []
    for number, row in enumerate(rows[1:], start=2):
        cells = {key: row[at] if at < len(row) else "" for key, at in columns.items()}
        if any(_text(cell) for cell in cells.values()):
            reader = _Row(number, cells, columns, settings)
            found.extend(reader.bookings(file))
            problems.extend(reader.problems)
    return Found(tuple(found), tuple(problems))


def read_bookings(sheet: Sheet, file: ServersFile) -> Found:
    """The bookings in the sheet that the servers file names; none where it names no tab of them.

    Raises:
        UserError: where the tab or a column of it is missing; `sheet.read_tab` has more.
    """
    settings = file.sheet.bookings if file.sheet else None
    if settings is None:
        return Found((), ())
    return parse_bookings(sheet.read_tab(settings.tab), settings, file)


def without_past(found: Found, now: float) -> Found:
    """The same without the bookings that are over."""
    return replace(found, bookings=tuple(each for each in found.bookings if each.end > now))


def conflicts(bookings: Iterable[Booking]) -> list[tuple[Booking, Booking]]:
    """The pairs of rows by which two people have the same GPU at the same time, each pair once."""
    pairs: dict[tuple[int, int], tuple[Booking, Booking]] = {}
    open_ones: list[Booking] = []
    for booking in sorted(bookings, key=lambda each: (each.start, each.row)):
        open_ones = [each for each in open_ones if each.end > booking.start]
        for each in open_ones:
            if each.person != booking.person and booking.is_of(each.server, each.gpu):
                first, second = sorted((each, booking), key=lambda one: one.row)
                pairs.setdefault((first.row, second.row), (first, second))
        open_ones.append(booking)
    return [pairs[rows] for rows in sorted(pairs)]


def say_conflict(one: Booking, other: Booking, zone: ZoneInfo) -> str:
    """A conflict in a line."""
    start, end = max(one.start, other.start), min(one.end, other.end)
    gpu = one.gpu if other.gpu is None else other.gpu
    what = one.server if gpu is None else f"{one.server}, GPU {gpu}"
    return (
        f"rows {one.row} and {other.row}: {one.person} and {other.person} have both booked {what} "
        f"from {say_time(start, zone)} to {say_time(end, zone)}"
    )


def say_time(time: float, zone: ZoneInfo) -> str:
    """A time by the clocks of the lab."""
    return datetime.fromtimestamp(time, zone).strftime("%Y-%m-%d %H:%M")


def parse_gpus(cell: str) -> tuple[int | None, ...]:
    """The indices in "0", "GPU 1", "0, 2" or "0-3"; (None,), the whole server, for "" and "all".

    Raises:
        ValueError: for anything else.
    """
    text = _text(cell).casefold().replace("–", "-")
    if text in ("", "all", "all gpus"):
        return (None,)
    gpus: set[int] = set()
    for part in re.split(r"[,;]", text):
        match = re.fullmatch(r"(?:gpus?)? ?([0-9]{1,9})(?: ?- ?([0-9]{1,9}))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if not first <= last < MOST_GPUS:
            raise ValueError(f"expected GPUs such as 0, 0-3 or all, got {cell!r:.60}")
        gpus.update(range(first, last + 1))
    return tuple(sorted(gpus))


def _columns(header: Sequence[str], settings: BookingsSettings) -> dict[str, int]:
    """Where the columns are that servers.yaml names."""
    titles = [_text(cell).casefold() for cell in header]
    keys = ("person", "server", "gpu", "start", "end")
    named = {key: getattr(settings, key) for key in keys if getattr(settings, key) is not None}
    for key, name in named.items():
        there = titles.count(_text(name).casefold())
        if there != 1:
            known = ", ".join(_text(cell) for cell in header if _text(cell)) or "nothing"
            often = f"{there} times" if there else "not there"
            raise UserError(
                f"sheet.bookings.{key}: the column {name!r} is {often} in the first row of the tab "
                f"{settings.tab!r}, which has: {known}"
            )
    return {key: titles.index(_text(name).casefold()) for key, name in named.items()}


def _text(cell: str) -> str:
    return printable(cell)


@dataclass
class _Row:
    """One row that is read: its number from 1, its cells by what they mean."""

    number: int
    cells: Mapping[str, str]
    columns: Mapping[str, int]
    settings: BookingsSettings
    problems: list[str] = field(default_factory=list)

    def bookings(self, file: ServersFile) -> list[Booking]:
        zone = ZoneInfo(file.time_zone)
        person = self._read("person", lambda cell: _person(cell, file.people))
        server = self._read("server", lambda cell: _named(cell, file.servers, "server"))
        gpus = self._read("gpu", parse_gpus) if "gpu" in self.cells else (None,)
        start = self._read("start", lambda cell: parse_moment(cell).start(zone))
        end = self._read("end", lambda cell: parse_moment(cell).end(zone))
        if person is None or server is None or gpus is None or start is None or end is None:
            return []
        if end <= start:
            self._tell("end", f"{_text(self.cells['end'])} is not after the start")
            return []
        if file.people and person not in file.people:
            hint = suggest(person, list(file.people))
            self._tell("person", f"{person!r:.60} is nobody's name in servers.yaml{hint}")
        return [Booking(self.number, person, server, gpu, start, end) for gpu in gpus]

    def _read(self, key: str, read: Callable[[str], Value]) -> Value | None:
        try:
            return read(self.cells[key])
        except ValueError as error:
            self._tell(key, str(error))
            return None

    def _tell(self, key: str, problem: str) -> None:
        cell = f"{_letters(self.columns[key])}{self.number}"
        name = getattr(self.settings, key)
        self.problems.append(f"{self.settings.tab}, row {self.number}, {cell} ({name}): {problem}")


def _person(cell: str, people: Collection[str]) -> str:
    """A name of servers.yaml, otherwise what stands there."""
    name = _text(cell)
    if not name:
        raise ValueError("expected a name, got nothing")
    return _same(name, people) or name


def _named(cell: str, known: Collection[str], what: str) -> str:
    name = _text(cell)
    found = _same(name, known)
    if found is None:
        raise ValueError(f"{name!r:.60} is no {what} in servers.yaml{suggest(name, list(known))}")
    return found


def _same(name: str, known: Collection[str]) -> str | None:
    """The one known name that is this, capitals and blanks aside."""
    if name in known:
        return name
    same = [each for each in known if _text(each).casefold() == name.casefold()]
    return same[0] if len(same) == 1 else None


def _letters(column: int) -> str:
    """The letters of a column, from 0: A, …, Z, AA."""
    before, last = divmod(column, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)
