"""The tick, with made-up answers and clocks."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from convscope.errors import UserError
from convscope.servers.collect_settings import CollectSettings
from convscope.servers.collecting.collect import Listeners, Reporter, collect, collect_once
from convscope.servers.collecting.listeners import all_listeners, the_only_one
from convscope.servers.collecting.status import change_lines, status_row
from convscope.servers.sensing.state import Poll, ServerState
from convscope.servers.servers_file import Server, ServersFile

RECORD: dict[str, Any] = {"time": 0.0, "hostname": "x", "gpus": [], "problems": []}


class Stop(Exception):
    """Ends a collector, as an interrupt does."""


def file_of(*names: str, **collect: Any) -> ServersFile:
    return ServersFile(
        servers={name: Server() for name in names}, collect=CollectSettings(**collect)
    )


def up(name: str, _server: Server, _seconds: float) -> Poll:
    return Poll(name, 1000.0, 0.1, RECORD)


def test_all_servers_are_asked_at_the_same_time() -> None:
    names = [f"gpu{i}" for i in range(100)]
    together = threading.Barrier(len(names))  # passed by none before all have come

    def ask(name: str, server: Server, seconds: float) -> Poll:
        together.wait(60)
        return up(name, server, seconds)

    states = collect_once(file_of(*names), {}, ask)
    assert list(states) == names
    assert {state.status for state in states.values()} == {"up"}


def test_each_is_given_its_time_and_judged_by_what_was_known_of_it() -> None:
    file = file_of("a", "b", answer_seconds=7, down_after=2)
    asked = []

    def ask(name: str, server: Server, seconds: float) -> Poll:
        asked.append((name, seconds))
        return up(name, server, seconds) if name == "a" else Poll(name, 5.0, 7.0, problem="sleeps")

    first = collect_once(file, {}, ask)
    second = collect_once(file, first, ask)
    assert sorted(asked) == [("a", 7.0), ("a", 7.0), ("b", 7.0), ("b", 7.0)]
    assert [state["b"].status for state in (first, second)] == ["unknown", "down"]
    assert second["b"].since == 5.0
    assert second["a"].status == "up"


def test_without_servers_nothing_is_asked() -> None:
    assert collect_once(ServersFile(), {}, up) == {}


def test_an_interrupt_does_not_wait_for_servers_that_hang() -> None:
    released = threading.Event()

    def ask(name: str, server: Server, seconds: float) -> Poll:
        if name == "b":
            raise KeyboardInterrupt
        released.wait(60)
        return up(name, server, seconds)

    with pytest.raises(KeyboardInterrupt):
        collect_once(file_of("b", "a"), {}, ask)
    assert not released.is_set()
    released.set()


@pytest.mark.parametrize(("took", "waited"), [(0, 60), (45, 15), (75, 0)])
def test_ticks_begin_a_period_apart_or_at_once_where_one_took_longer(
    took: float, waited: float
) -> None:
    now = 100.0

    def ask(name: str, server: Server, seconds: float) -> Poll:
        nonlocal now
        now += took
        return up(name, server, seconds)

    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise Stop

    heard: list[tuple[float, list[str]]] = []

    def listen(
        time: float, states: Mapping[str, ServerState], before: Mapping[str, ServerState]
    ) -> None:
        heard.append((time, list(before)))

    with pytest.raises(Stop):
        collect(file_of("a"), ask, listen, wait, lambda: 5.0, lambda: now)
    assert waits == [waited] * 3
    assert heard == [(5.0, []), (5.0, ["a"]), (5.0, ["a"])]


def test_once_is_one_tick_without_waiting() -> None:
    heard: list[object] = []
    waits: list[float] = []
    collect(file_of("a"), up, lambda *told: heard.append(told), waits.append, once=True)
    assert len(heard) == 1
    assert waits == []


def test_a_listener_that_fails_is_told_once_and_disturbs_no_other() -> None:
    broken = True
    heard = []

    def sheet(*_: object) -> None:
        if broken:
            raise OSError("no\nnetwork")

    lines: list[str] = []
    listeners = Listeners({"sheet": sheet, "other": lambda *_: heard.append(1)}, lines.append)
    for _ in range(3):
        listeners(0.0, {}, {})
    assert lines == ["sheet fails, and is tried again in every tick: no network"]
    assert listeners.failing == {"sheet"}
    broken = False
    for _ in range(2):
        listeners(0.0, {}, {})
    assert lines[1:] == ["sheet works again"]
    assert len(heard) == 5


def state_of(name: str, status: Any, **known: Any) -> ServerState:
    return ServerState(name, status, **known)


def test_changes_are_told_and_in_the_first_tick_what_is_not_up() -> None:
    first = {"a": state_of("a", "up"), "b": state_of("b", "down", since=0.0, problem="is off")}
    zone = ZoneInfo("Europe/Berlin")
    assert change_lines(first, {}, zone) == ["b is down since 1970-01-01 01:00: it is off"]
    second = {"a": state_of("a", "slow"), "b": state_of("b", "down", since=0.0, problem="sleeps")}
    assert change_lines(second, first, zone) == ["a is slow"]


def test_logins_that_no_person_has_are_told_once() -> None:
    file = file_of("a").model_copy(update={"people": {"Ann": ("ann", "ann2")}})
    gpu = {"processes": [{"owner": "bob"}, {"owner": "ann2"}, {"owner": None}]}
    record = {**RECORD, "logged_in": ["ann", "carl"], "gpus": [gpu, {"processes": None}]}
    states = {"a": state_of("a", "up", record=record)}
    lines: list[str] = []
    reporter = Reporter(file, lines.append)
    for _ in range(2):
        reporter(0.0, states, states)
    assert lines == ["logins of nobody under `people`: bob, carl"]


def test_without_people_in_the_file_no_login_is_strange() -> None:
    states = {"a": state_of("a", "up", record={**RECORD, "logged_in": ["carl"]})}
    lines: list[str] = []
    Reporter(file_of("a"), lines.append)(0.0, states, states)
    assert lines == []


def test_a_row_of_a_server_that_never_answered_has_the_same_keys() -> None:
    settings = CollectSettings()
    known = {**RECORD, "clock_offset_s": 0.0}
    row = status_row(state_of("a", "down", problem="is off"), 0.0, settings)
    assert set(known) <= set(row)
    assert row["gpus"] == []
    assert row["load_1m"] is None
    assert set(status_row(state_of("b", "up", record=known), 0.0, settings)) == set(row)


def test_one_collector_runs_on_a_machine(tmp_path: Path) -> None:
    with (
        the_only_one(tmp_path / "state"),
        pytest.raises(UserError, match="a collector runs on this machine already"),
        the_only_one(tmp_path / "state"),
    ):
        pass
    with the_only_one(tmp_path / "state"):
        pass


def test_a_dry_run_writes_nothing_and_shows_it(tmp_path: Path) -> None:
    shown: list[str] = []
    with all_listeners(file_of("a"), tmp_path / "x.csv", shown.append, print) as listeners:
        for listen in listeners.values():
            listen(0.0, {"a": state_of("a", "up")}, {})
    assert "a\n" in shown[0]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "state"
    with (
        pytest.raises(UserError, match=r"state cannot be held \(Not a directory\): expected"),
        the_only_one(folder),
    ):
        pass


def test_every_command_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "servers.md").read_text()
    commands = ("status", "collect", "sheet", "metrics", "usage", "watch", "demo")
    assert [name for name in commands if f"convscope servers {name}" not in page] == []
