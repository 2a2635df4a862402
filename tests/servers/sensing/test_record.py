"""What a server answers is trusted in nothing but its form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.servers.sensing.record import MachineRecord, parse_record, with_clock
from convscope.servers.sensing.sensor import read_machine

PROCESS = {"pid": 7, "memory_bytes": 5, "owner": "ann", "started": 1, "command": "python"}
GPU = {"index": 0, "name": "TITAN", "uuid": "GPU-1", "utilisation": 0.5, "processes": [PROCESS]}
GOOD: dict[str, Any] = {
    "time": 1700000000.5,
    "hostname": "gpu7",
    "load_1m": 1,
    "logged_in": ["ann"],
    "gpus": [GPU],
    "problems": [],
}


def test_every_key_of_the_sensor_is_known() -> None:
    assert set(read_machine()) == set(MachineRecord.model_fields)
    assert parse_record(json.dumps(read_machine()))["hostname"]


def test_what_is_missing_is_null_and_what_is_new_is_left_out() -> None:
    record = parse_record(json.dumps({**GOOD, "quantum": 1}))
    assert record["load_15m"] is None
    assert record["gpus"][0]["power_w"] is None
    assert record["gpus"][0]["processes"] == [PROCESS]
    assert "quantum" not in record


@pytest.mark.parametrize("greeting", ["", "Welcome\n", '{"a": 1}\n', '{"time"\n', "no newline "])
def test_what_stands_before_the_record_is_passed_over(greeting: str) -> None:
    assert parse_record(greeting + json.dumps(GOOD) + "\nlogout\n") == parse_record(
        json.dumps(GOOD)
    )


@given(st.integers(0, len(json.dumps(GOOD)) - 1))
def test_half_an_answer_is_none(n: int) -> None:
    with pytest.raises(ValueError, match=r"^(answers nothing|answers no record|breaks off)"):
        parse_record(json.dumps(GOOD)[:n])


@given(st.text() | st.binary().map(lambda some: some.decode(errors="replace")))
def test_garbage_is_no_record(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]{1,200}$"):
        parse_record(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("time", "now"),
        ("time", float("nan")),
        ("time", 1e300),
        ("time", None),
        ("hostname", 7),
        ("load_1m", -1),
        ("load_1m", float("inf")),
        ("load_1m", True),
        ("memory_used_bytes", 2**63),
        ("memory_used_bytes", 1.5),
        ("logged_in", "ann"),
        ("logged_in", [None]),
        ("gpus", None),
        ("gpus", [7]),
        ("gpus", [{**GPU, "processes": [{}]}]),
    ],
)
def test_a_value_of_another_form_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"answers no sound record: {key}"):
        parse_record(json.dumps({**GOOD, key: value}))


def test_a_number_that_is_too_long_to_read_is_refused() -> None:
    answer = json.dumps(GOOD).replace('"load_1m": 1', '"load_1m": 1' + "0" * 5000)
    with pytest.raises(ValueError, match="breaks off in its answer"):
        parse_record(answer)


def test_very_deep_nesting_is_refused() -> None:
    with pytest.raises(ValueError, match=r"breaks off|no sound record"):
        parse_record('{"time": ' + "[" * 100_000)


def test_texts_cannot_steer_a_terminal_nor_fill_a_screen() -> None:
    record = parse_record(json.dumps({**GOOD, "hostname": "a\x1b[31m\nb\u202e" + "x" * 500}))
    assert record["hostname"].isprintable()
    assert len(record["hostname"]) == 200


@pytest.mark.parametrize(
    ("offset", "problem"),
    [
        (0, None),
        (-59, None),
        (90, "its clock is 1 min ahead"),
        (-7200, "its clock is 2 h 0 min behind"),
        (86400 * 3 + 300, "its clock is 72 h 5 min ahead"),
    ],
)
def test_a_clock_that_is_wrong_by_more_than_a_minute_is_told(
    offset: float, problem: str | None
) -> None:
    record = with_clock({**GOOD, "problems": ["first"]}, GOOD["time"] - offset)
    assert record["clock_offset_s"] == offset
    assert record["problems"] == ["first", *([problem] if problem else [])]
