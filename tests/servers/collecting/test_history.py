"""What is kept of every tick, and that it does not grow for ever."""

import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.servers.bookings.booking import Booking
from convscope.servers.collect_settings import CollectSettings
from convscope.servers.collecting.history import DAY, History, history_path, holders_of, reading
from convscope.servers.sensing.state import Poll, ServerState, after

GIB = 2**30
START = 1_800_000_000.0


def process(owner: str | None, gib: float | None) -> dict[str, Any]:
    return {"owner": owner, "memory_bytes": None if gib is None else int(gib * GIB)}


def record(*gpus: list[dict[str, Any]] | None, **changes: Any) -> dict[str, Any]:
    """A machine whose GPUs run these processes."""
    plain = {
        "load_1m": 1.5,
        "memory_used_bytes": 8 * GIB,
        "disk_free_bytes": 5 * GIB,
        "gpus": [
            {"index": i, "utilisation": 0.5, "memory_used_bytes": 3 * GIB, "processes": each}
            for i, each in enumerate(gpus)
        ],
    }
    return {**plain, **changes}


class Ticks:
    """Servers that say what a test makes them say, a minute after each other."""

    def __init__(self, history: History, settings: CollectSettings) -> None:
        self.now = START
        self.states: dict[str, ServerState] = {}
        self._history = history
        self._settings = settings

    def tick(self, seconds: float = 60.0, **records: dict[str, Any] | None) -> None:
        self.now += seconds
        before = self.states
        self.states = {
            name: after(
                before.get(name, ServerState(name)),
                Poll(name, self.now, 0.5, each, None if each else "no route"),
                self._settings,
            )
            for name, each in records.items()
        }
        self._history(self.now, self.states, before)


@pytest.fixture
def settings(tmp_path: Path) -> CollectSettings:
    return CollectSettings(history=tmp_path / "kept" / "history.sqlite", keep_days=2)


def rows(settings: CollectSettings, query: str) -> list[tuple[Any, ...]]:
    with reading(settings) as sql:
        return sql.execute(query).fetchall()


def test_a_tick_is_kept(settings: CollectSettings) -> None:
    held = [Booking(2, "Ann", "a", 0, START, START + 600), Booking(3, "Bob", "a", 1, 0, 1)]
    history = History(settings, lambda: held)
    Ticks(history, settings).tick(a=record([process("ann", 3)], None), b=None)
    history.close()
    assert rows(settings, "SELECT * FROM servers ORDER BY server") == [
        (START + 60, "a", "up", 0.5, 1.5, 8 * GIB, 5 * GIB),
        (START + 60, "b", "unknown", 0.5, None, None, None),
    ]
    assert rows(settings, "SELECT * FROM gpus ORDER BY gpu") == [
        (START + 60, "a", 0, 60, 0.5, 3 * GIB, '["ann"]', '["Ann"]'),
        (START + 60, "a", 1, 60, 0.5, 3 * GIB, None, "[]"),
    ]


def test_a_record_stands_for_the_time_since_the_last_one(settings: CollectSettings) -> None:
    """90 s, then none, then 60 + 60 s, then so long that nobody knows: as one tick."""
    history = History(settings)
    ticks = Ticks(history, settings)
    machine = record([])
    for seconds, answer in ((60, machine), (90, machine), (60, None), (60, machine)):
        ticks.tick(seconds, a=answer)
    ticks.tick(settings.stale_seconds + 1, a=machine)
    history.close()
    assert rows(settings, "SELECT seconds FROM gpus ORDER BY time") == [
        (60,), (90,), (120,), (60,),
    ]  # fmt: skip


def test_what_a_server_last_said_is_not_kept_again_when_it_is_down(
    settings: CollectSettings,
) -> None:
    history = History(settings)
    ticks = Ticks(history, settings)
    for answer in (record([]), None, None):
        ticks.tick(a=answer)
    history.close()
    kept = rows(settings, "SELECT status, load_1m FROM servers ORDER BY time")
    assert kept == [("up", 1.5), ("up", None), ("down", None)]
    assert rows(settings, "SELECT count(*) FROM gpus") == [(1,)]


def test_who_holds_a_gpu() -> None:
    """More than 256 MiB, in one process or several, or memory that nobody knows."""
    several = [process("ann", 0.2), process("ann", 0.2), process("gdm", 0.05), process("bob", None)]
    assert holders_of({"processes": several}) == {"ann", "bob"}
    assert holders_of({"processes": [process("ann", 0.25)]}) == set()
    assert holders_of({"processes": [process(None, 1)]}) == {"?"}
    assert holders_of({"processes": None}) is None


def test_while_nobody_knows_the_bookings_none_are_kept(settings: CollectSettings) -> None:
    history = History(settings)
    Ticks(history, settings).tick(a=record([]))
    history.close()
    assert rows(settings, "SELECT holders, booked FROM gpus") == [("[]", None)]


def test_what_is_too_old_is_forgotten_and_its_room_used_again(settings: CollectSettings) -> None:
    """2 days of half hours are kept; after 3 the file grows no more."""
    history = History(settings)
    ticks = Ticks(history, settings)
    path, sizes = history_path(settings), []
    for _ in range(10):
        for _ in range(48):
            ticks.tick(1800, a=record(*[[process("ann", 1)]] * 8))
        history._sql.execute("PRAGMA wal_checkpoint")
        sizes.append(path.stat().st_size)
    history.close()
    oldest = ticks.now - 2 * DAY
    assert rows(settings, "SELECT min(time) >= ?1 FROM servers".replace("?1", str(oldest))) == [
        (1,)
    ]
    assert rows(settings, "SELECT count(*) FROM servers") == [(2 * 48 + 1,)]
    assert rows(settings, "SELECT count(*) FROM gpus") == [(8 * (2 * 48 + 1),)]
    assert max(sizes[3:]) <= 1.1 * sizes[2]


def test_a_file_that_keeps_fewer_days_from_now_on_shrinks(
    settings: CollectSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convscope.servers.collecting.history.SPARE_PAGES", 16)
    long = settings.model_copy(update={"keep_days": 30})
    history = History(long)
    ticks = Ticks(history, long)
    for _ in range(400):
        ticks.tick(6000, a=record(*[[process("ann", 1)]] * 64))
    history.close()
    before = history_path(settings).stat().st_size
    history = History(settings)
    ticks._history = history
    for _ in range(40):
        ticks.tick(60, a=record())
    history.close()
    assert rows(settings, f"SELECT count(*) FROM gpus WHERE time < {ticks.now - 2 * DAY}") == [(0,)]
    assert history_path(settings).stat().st_size < before / 3


def test_a_clock_that_is_set_back_loses_nothing_and_stops_nothing(
    settings: CollectSettings,
) -> None:
    history = History(settings)
    ticks = Ticks(history, settings)
    for seconds in (60, 60, -60, 60):
        ticks.tick(seconds, a=record([]))
    history.close()
    assert rows(settings, "SELECT time - 1800000000, seconds FROM gpus ORDER BY time") == [
        (60, 60), (120, 60),
    ]  # fmt: skip


def test_one_collector_writes_while_others_read(settings: CollectSettings) -> None:
    history = History(settings)
    ticks = Ticks(history, settings)
    ticks.tick(a=record())
    with pytest.raises(UserError, match="another collector writes it: end one of the two"):
        History(settings)
    with reading(settings) as sql:
        assert sql.execute("SELECT count(*) FROM servers").fetchone() == (1,)
        ticks.tick(a=record())
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            sql.execute("DELETE FROM servers")
        assert sql.execute("SELECT count(*) FROM servers").fetchone() == (2,)
    history.close()
    History(settings).close()


def test_a_tick_is_kept_whole_or_not_at_all(settings: CollectSettings) -> None:
    history = History(settings)
    ticks = Ticks(history, settings)
    ticks.tick(a=record([]))
    broken = record([], [])
    broken["gpus"][1]["index"] = "1; DROP TABLE gpus"
    broken["gpus"][1]["utilisation"] = object()
    with pytest.raises(sqlite3.Error):
        ticks.tick(a=broken)
    assert rows(settings, "SELECT (SELECT count(*) FROM servers), count(*) FROM gpus") == [(1, 1)]
    ticks.tick(a=record([]))
    history.close()
    assert rows(settings, "SELECT count(*) FROM gpus") == [(2,)]


def test_only_its_owner_reads_it(settings: CollectSettings) -> None:
    History(settings).close()
    assert stat.S_IMODE(history_path(settings).stat().st_mode) == 0o600


def test_it_is_in_the_users_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    default = CollectSettings()
    assert history_path(default) == Path("/home/ann/.local/state/convscope/history.sqlite")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert history_path(default) == Path("/state/convscope/history.sqlite")
    named = CollectSettings(history=Path("~/h.sqlite"))
    assert history_path(named) == Path("/home/ann/h.sqlite")


def test_a_file_that_is_no_history_is_told_and_left_as_it_is(settings: CollectSettings) -> None:
    path = history_path(settings)
    with (
        pytest.raises(UserError, match="no history yet: convscope servers collect keeps one"),
        reading(settings),
    ):
        pass
    path.parent.mkdir()
    path.write_text("my diary, in some hundred words " * 200)
    text = path.read_text()
    with pytest.raises(UserError, match=r"no history that can be used \(file is not a database\)"):
        History(settings)
    with pytest.raises(UserError, match="file is not a database"), reading(settings):
        pass
    assert path.read_text() == text
    path.unlink()
    sql = sqlite3.connect(path)
    sql.execute("PRAGMA user_version = 99")
    sql.close()
    with pytest.raises(UserError, match="it is of version 99, this is for 1"):
        History(settings)


def test_what_a_webhook_told_is_known_after_a_new_start(settings: CollectSettings) -> None:
    history = History(settings)
    assert history.down_told() == set()
    history.tell_down({"a", "b"})
    history.tell_down({"b", "c"})
    history.close()
    history = History(settings)
    assert history.down_told() == {"b", "c"}
    history.close()
