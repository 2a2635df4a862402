"""Hours by person and day, against cases worked out by hand."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from convscope.servers.collect_settings import CollectSettings
from convscope.servers.collecting.history import History
from convscope.servers.collecting.usage import Hours, Spell, by_person, usage, usage_table
from convscope.servers.servers_file import ServersFile
from convscope.terminal import PlainConsole

HOUR = 3600.0
PEOPLE = {"ann": "Ann", "ann2": "Ann", "bob": "Bob"}


def hours(*spells: Spell) -> dict[str, Hours]:
    return by_person(spells, lambda login: PEOPLE.get(login, login))


def spell(
    holders: set[str] | None,
    booked: set[str] | None,
    busy: float = 0,
    idle: float = 0,
    of: float = 0,
) -> Spell:
    """Hours in which a GPU was busy and idle, of so many (where it is more than the two)."""
    names = [None if each is None else frozenset(each) for each in (holders, booked)]
    return Spell(names[0], names[1], max(of, busy + idle) * HOUR, busy * HOUR, idle * HOUR)


def test_a_gpu_that_is_held_is_busy_or_idle() -> None:
    assert hours(spell({"ann"}, None, busy=3, idle=1)) == {"Ann": Hours(4, 3, 1)}


def test_what_two_hold_counts_in_full_for_both_and_once_for_each() -> None:
    found = hours(spell({"ann", "ann2", "bob"}, None, busy=2))
    assert found == {"Ann": Hours(2, 2), "Bob": Hours(2, 2)}


def test_what_is_booked_is_used_idle_or_left() -> None:
    """2 h of work, 1 h of idle memory, 3 h of nobody, 4 h of Bob at work on Ann's GPU."""
    found = hours(
        spell({"ann"}, {"Ann"}, busy=2, idle=1),
        spell(set(), {"Ann"}, idle=3),
        spell({"bob"}, {"Ann"}, busy=4),
    )
    assert found["Ann"] == Hours(held=3, busy=2, held_idle=1, booked=10, booked_idle=1 + 3 + 4)
    assert found["Bob"] == Hours(held=4, busy=4, unbooked=4)


def test_without_bookings_nobody_knows_what_was_not_booked() -> None:
    assert hours(spell({"ann"}, None, busy=1))["Ann"].unbooked == 0
    assert hours(spell({"ann"}, set(), busy=1))["Ann"].unbooked == 1


def test_a_gpu_whose_processes_cannot_be_seen_is_idle_where_nothing_works_on_it() -> None:
    assert hours(spell(None, {"Ann"}, busy=2, idle=1))["Ann"] == Hours(booked=3, booked_idle=1)


def test_a_gpu_that_does_not_tell_its_utilisation_is_neither_busy_nor_idle() -> None:
    assert hours(spell({"ann"}, {"Ann"}, of=5))["Ann"] == Hours(held=5, booked=5)


@pytest.fixture
def file(tmp_path: Path) -> ServersFile:
    collect = CollectSettings(history=tmp_path / "history.sqlite", idle_utilisation=0.05)
    return ServersFile(collect=collect, people={"Ann": ("ann", "ann2")}, time_zone="Europe/Berlin")


def written(file: ServersFile, *rows: tuple[Any, ...]) -> None:
    """Hours of GPUs: when, holders, utilisation, booked by."""
    history = History(file.collect)
    with history._sql as sql:
        for gpu, (when, holders, utilisation, booked) in enumerate(rows):
            values = (when.timestamp(), "a", gpu, HOUR, utilisation, 1, holders, booked)
            sql.execute("INSERT INTO gpus VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    history.close()


def test_days_are_those_of_the_lab(file: ServersFile) -> None:
    """22:59 UTC is 23:59 in Berlin, a minute later it is the next day there."""
    written(
        file,
        (datetime(2026, 11, 20, 22, 59, tzinfo=UTC), '["ann"]', 1.0, '["Ann"]'),
        (datetime(2026, 11, 20, 23, 0, tzinfo=UTC), '["ann2"]', 0.05, "[]"),
        (datetime(2026, 11, 20, 23, 0, tzinfo=UTC), '["ann"]', 0.04, "[]"),
        (datetime(2026, 11, 21, 9, 0, tzinfo=UTC), '["eve"]', None, None),
    )
    now = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
    friday, saturday = date(2026, 11, 20), date(2026, 11, 21)
    rows = usage(file, 2, now)
    assert [(row.day, row.person, row.known, row.hours) for row in rows] == [
        (friday, "Ann", True, Hours(held=1, busy=1, booked=1)),
        (saturday, "Ann", True, Hours(held=2, busy=1, held_idle=1, unbooked=2)),
        (saturday, "eve", False, Hours(held=1)),
    ]
    assert [row.day for row in usage(file, 1, now)] == [saturday, saturday]
    assert usage(file, 1, now + 86400) == []


def test_a_day_on_which_clocks_go_back_has_25_hours(file: ServersFile) -> None:
    """From 2026-10-24 22:00 to 2026-10-25 23:00 UTC."""
    times = [(24, 21, 59), (24, 22, 0), (25, 22, 59), (25, 23, 0)]
    written(
        file,
        *((datetime(2026, 10, *each, tzinfo=UTC), '["ann"]', 1.0, None) for each in times),
    )
    rows = usage(file, 3, datetime(2026, 10, 26, 5, tzinfo=UTC).timestamp())
    assert [(row.day.day, row.hours.held) for row in rows] == [(24, 1), (25, 2), (26, 1)]


def test_usage_is_shown_to_people_and_machines(file: ServersFile) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    written(file, (now, '["ann", "[eve]"]', 1.0, "[]"))
    rows = usage(file, 1, now.timestamp())
    assert json.loads(json.dumps(rows[0].to_dict())) == {
        "day": "2026-11-21", "person": "Ann", "known": True, "held_hours": 1.0, "busy_hours": 1.0,
        "held_idle_hours": 0.0, "booked_hours": 0.0, "booked_idle_hours": 0.0,
        "unbooked_hours": 1.0,
    }  # fmt: skip
    console = PlainConsole(width=120)
    with console.capture() as captured:
        console.print(usage_table(rows))
    shown = [line.split() for line in captured.get().splitlines()]
    assert ["2026-11-21", "Ann", "1.0", "1.0", "0.0", "0.0", "0.0", "1.0"] in shown
    assert "[eve] (not in servers.yaml)" in captured.get()
