"""What the servers said, tick by tick: one SQLite file that does not grow for ever.

A table a question: `servers` (status and load), `gpus` (who held which GPU, who had booked it, how
busy it was, and for how many seconds that stands), `told` (servers that a webhook said are down).
What is older than `collect.keep_days` is deleted at each tick and its pages are used again, so the
file stays as large as so many days are.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from filelock import FileLock, Timeout

from convscope.errors import UserError
from convscope.servers.bookings.booking import Booking
from convscope.servers.collect_settings import CollectSettings
from convscope.servers.sensing.state import ServerState

States: TypeAlias = Mapping[str, ServerState]
Bookings: TypeAlias = Callable[[], Sequence[Booking] | None]
"""The bookings as they are known now; None while nobody knows them."""

VERSION = 1
DAY = 86400.0
HELD_BYTES = 2**28
"""Who holds more memory than this on a GPU holds the GPU: a desktop's helpers hold less."""
SPARE_PAGES = 256
"""So many empty pages of 4 KiB wait for the next ticks; more are given back to the disk."""

TABLES = """
CREATE TABLE IF NOT EXISTS servers (
    time INTEGER, server TEXT, status TEXT, answer_seconds REAL, load_1m REAL,
    memory_used_bytes INTEGER, disk_free_bytes INTEGER,
    PRIMARY KEY (time, server)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gpus (
    time INTEGER, server TEXT, gpu INTEGER, seconds REAL, utilisation REAL,
    memory_used_bytes INTEGER, holders TEXT, booked TEXT,
    PRIMARY KEY (time, server, gpu)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told (server TEXT PRIMARY KEY) WITHOUT ROWID;
"""


def history_path(settings: CollectSettings) -> Path:
    """Where the history is: `collect.history`, else `history.sqlite` in the user's state folder."""
    if settings.history is not None:
        return settings.history.expanduser()
    return state_folder() / "history.sqlite"


def state_folder() -> Path:
    """Where the collector keeps what is its own: $XDG_STATE_HOME, else ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state, "convscope")


class History:
    """Writes the history; a listener of the collector. One at a time writes a file.

    Args:
        settings: where it is, and how long things are kept.
        bookings: those that are known now.

    Raises:
        UserError: where another collector writes it, or it is no history.
    """

    def __init__(self, settings: CollectSettings, bookings: Bookings = lambda: None) -> None:
        self._settings = settings
        self._bookings = bookings
        path = history_path(settings)
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(f"{path}.lock")
            self._lock.acquire(blocking=False)
            path.touch(mode=0o600)  # who works when is nobody else's business
            self._sql = _opened(path)

    def __call__(self, now: float, states: States, before: States) -> None:
        """Keep a tick, and forget what is too old."""
        servers = [_server_row(now, state) for state in states.values()]
        gpus = list(self._gpu_rows(now, states, before))
        with self._sql:
            self._sql.executemany("REPLACE INTO servers VALUES (?, ?, ?, ?, ?, ?, ?)", servers)
            self._sql.executemany("REPLACE INTO gpus VALUES (?, ?, ?, ?, ?, ?, ?, ?)", gpus)
            self._forget(now)
        if self._sql.execute("PRAGMA freelist_count").fetchone()[0] > SPARE_PAGES:
            self._sql.executescript("PRAGMA incremental_vacuum")  # execute frees one page

    def down_told(self) -> set[str]:
        """The servers of which was told that they are down, and not yet that they are back."""
        return {server for (server,) in self._sql.execute("SELECT server FROM told")}

    def tell_down(self, servers: Iterable[str]) -> None:
        """Keep of which servers that was told."""
        with self._sql:
            self._sql.execute("DELETE FROM told")
            self._sql.executemany("INSERT INTO told VALUES (?)", [(each,) for each in servers])

    def close(self) -> None:
        """Let go of the file."""
        self._sql.close()
        self._lock.release()

    def _gpu_rows(self, now: float, states: States, before: States) -> Iterator[tuple[Any, ...]]:
        """A row for each GPU of the servers that have answered since the last tick."""
        bookings = self._bookings()
        held_now = None if bookings is None else [each for each in bookings if each.is_at(now)]
        for server, state in states.items():
            last = before[server].record_time if server in before else None
            if state.record is None or state.record_time is None or state.record_time == last:
                continue
            seconds = self._seconds(state.record_time, last)
            for gpu in state.record["gpus"]:
                if gpu["index"] is not None:
                    booked = None if held_now is None else _who_booked(held_now, server, gpu)
                    yield (round(now), server, gpu["index"], seconds, *_of_gpu(gpu), booked)

    def _seconds(self, time: float, last: float | None) -> float:
        """For how long a record stands: since the last one, unless that is too long ago to know."""
        gap = None if last is None else time - last
        known = gap is not None and 0 < gap <= self._settings.stale_seconds
        return round(gap, 1) if gap and known else self._settings.every_seconds

    def _forget(self, now: float) -> None:
        """Delete what is too old, at most a day of it, so that no tick takes long."""
        oldest = self._sql.execute("SELECT MIN(time) FROM servers").fetchone()[0]
        if oldest is not None:
            limit = min(now - self._settings.keep_days * DAY, oldest + DAY)
            self._sql.execute("DELETE FROM servers WHERE time < ?", (limit,))
            self._sql.execute("DELETE FROM gpus WHERE time < ?", (limit,))


@contextmanager
def reading(settings: CollectSettings) -> Iterator[sqlite3.Connection]:
    """The history, to be read only, also while a collector writes it.

    Raises:
        UserError: where there is none yet, or it cannot be read.
    """
    path = history_path(settings)
    if not path.exists():
        raise UserError(f"{path}: no history yet: convscope servers collect keeps one")
    with (
        _told(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as sql,
    ):
        _require_version(sql, {VERSION})
        yield sql


def _opened(path: Path) -> sqlite3.Connection:
    sql = sqlite3.connect(path, check_same_thread=False)
    _require_version(sql, {0, VERSION})
    sql.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before there is a table
    sql.execute("PRAGMA journal_mode = WAL")
    sql.execute("PRAGMA synchronous = NORMAL")
    sql.execute("PRAGMA journal_size_limit = 16777216")
    sql.executescript(f"{TABLES} PRAGMA user_version = {VERSION};")
    return sql


def _require_version(sql: sqlite3.Connection, known: set[int]) -> None:
    version = sql.execute("PRAGMA user_version").fetchone()[0]
    if version not in known:
        raise sqlite3.DatabaseError(f"it is of version {version}, this is for {VERSION}")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with a history, said to people."""
    try:
        yield
    except Timeout:
        raise UserError(f"{path}: another collector writes it: end one of the two") from None
    except (sqlite3.Error, OSError) as error:
        raise UserError(
            f"{path}: no history that can be used ({error}): move it away, or name another file "
            "as collect.history"
        ) from None


def _server_row(now: float, state: ServerState) -> tuple[Any, ...]:
    """What a server says of itself; nothing where it did not answer."""
    record = state.record if state.record is not None and not state.failures else {}
    numbers = map(record.get, ("load_1m", "memory_used_bytes", "disk_free_bytes"))
    return (round(now), state.server, state.status, state.seconds, *numbers)


def _of_gpu(gpu: Mapping[str, Any]) -> tuple[Any, ...]:
    holders = holders_of(gpu)
    return gpu["utilisation"], gpu["memory_used_bytes"], None if holders is None else _text(holders)


def holders_of(gpu: Mapping[str, Any]) -> set[str] | None:
    """The logins that hold a GPU; None where nobody can say.

    A login holds it by more than `HELD_BYTES` of memory in all, or by a process whose memory is
    unknown.
    """
    if gpu["processes"] is None:
        return None
    held: dict[str, float] = {}
    for process in gpu["processes"]:
        memory = process["memory_bytes"]
        owner = process["owner"] or "?"
        held[owner] = held.get(owner, 0) + (HELD_BYTES + 1 if memory is None else memory)
    return {owner for owner, memory in held.items() if memory > HELD_BYTES}


def _who_booked(bookings: Iterable[Booking], server: str, gpu: Mapping[str, Any]) -> str:
    return _text({each.person for each in bookings if each.is_of(server, gpu["index"])})


def _text(names: Iterable[str]) -> str:
    return json.dumps(sorted(names), ensure_ascii=False)
