"""What the sheet says of a server, against rows written by hand."""

import csv
import random
from pathlib import Path

import pytest

from convscope.servers.bookings.booking import Booking
from convscope.servers.sensing.state import ServerState
from convscope.servers.servers_file import ServersFile
from convscope.servers.sheet.publish import COLUMNS, OURS, as_text, texts, write_csv

NOW = 1_763_715_600.0  # 2025-11-21 10:00 in Berlin
GIB = 2**30
SERVERS = ServersFile.model_validate(
    {
        "servers": {"gpu1": {}, "gpu2": {}},
        "time_zone": "Europe/Berlin",
        "people": {"Anna": ["anna", "anna2"], "Bob": ["bob"]},
    }
)
GPU = {
    "index": 0,
    "memory_used_bytes": 30 * GIB,
    "memory_total_bytes": 80 * GIB,
    "utilisation": 0.974,
    "temperature_c": 71,
    "processes": [{"owner": "anna"}, {"owner": "anna2"}, {"owner": "zoe"}, {"owner": None}],
}
RECORD = {
    "load_1m": 12.34,
    "cores": 64,
    "memory_used_bytes": 201 * GIB,
    "memory_total_bytes": 503 * GIB,
    "disk_free_bytes": 1200 * GIB,
    "disk_total_bytes": 3500 * GIB,
    "logged_in": ["bob", "zoe"],
    "gpus": [GPU, {"index": 1, "processes": []}, {"index": None}],
}


def test_a_row_says_what_the_record_says() -> None:
    state = ServerState("gpu1", "up", NOW - 3600, RECORD, NOW - 30)
    assert texts({"gpu1": state}, (), NOW, SERVERS)["gpu1"] == {
        "status": "up",
        "since": "2025-11-21 09:00",
        "load": "12.3 of 64 cores",
        "memory": "201 of 503 GiB",
        "gpus": "0: 30 of 80 GiB, 97 %, 71 °C, ?, Anna, zoe\n1: ?, ?, ?, nobody\n?: ?, ?, ?, ?",
        "disk": "1200 of 3500 GiB free",
        "logged_in": "2: Bob, zoe",
        "booked": "",
        "conflicts": "",
        "seen": "2025-11-21 09:59",
    }


def test_no_text_is_longer_than_a_cell_takes() -> None:
    record = {**RECORD, "logged_in": [f"login{i}" for i in range(10_000)]}
    state = ServerState("gpu1", "up", NOW, record, NOW)
    row = texts({"gpu1": state}, (), NOW, SERVERS)["gpu1"]
    assert max(map(len, row.values())) < 50_000


def test_of_a_server_that_never_answered_nothing_is_made_up() -> None:
    row = texts({}, (), NOW, SERVERS)["gpu2"]
    assert {column: text for column, text in row.items() if text} == {
        "status": "unknown",
        "seen": "never",
    }


def test_an_old_answer_is_called_stale_unless_the_server_is_known_to_be_down() -> None:
    def status(said: str, age: float) -> str:
        state = ServerState("gpu1", said, NOW - age, RECORD, NOW - age)  # type: ignore[arg-type]
        return texts({"gpu1": state}, (), NOW, SERVERS)["gpu1"]["status"]

    assert status("up", 300) == "up"
    assert status("up", 301) == "stale, was up"
    assert status("slow", 301) == "stale, was slow"
    assert status("down", 9999) == "down"


def test_bookings_of_now_and_conflicts_to_come_are_told() -> None:
    hour = 3600.0
    bookings = [
        Booking(2, "Anna", "gpu1", 0, NOW - hour, NOW + hour),
        Booking(3, "Bob", "gpu1", None, NOW, NOW + 2 * hour),
        Booking(4, "Bob", "gpu1", 1, NOW + hour, NOW + 3 * hour),
        Booking(5, "Anna", "gpu2", None, NOW - 3 * hour, NOW - hour),
        Booking(6, "Bob", "gpu2", None, NOW - 3 * hour, NOW - hour),
    ]
    rows = texts({}, bookings, NOW, SERVERS)
    assert (
        rows["gpu1"]["booked"] == "Anna (GPU 0) until 2025-11-21 11:00\nBob until 2025-11-21 12:00"
    )
    assert rows["gpu1"]["conflicts"] == (
        "Anna (GPU 0) and Bob, 2025-11-21 10:00 to 2025-11-21 11:00"
    )
    assert (rows["gpu2"]["booked"], rows["gpu2"]["conflicts"]) == ("", "")


@pytest.mark.parametrize("seed", range(50))
def test_every_text_is_known_as_ours_again_and_no_heading_is(seed: int) -> None:
    """By this a text that slipped onto a header is told from a header that people wrote."""
    rng = random.Random(seed)

    def maybe(value: object) -> object:
        return rng.choice([value, None])

    gpus = [{key: maybe(value) for key, value in GPU.items()} for _ in range(rng.randint(0, 2))]
    record = {**{key: maybe(value) for key, value in RECORD.items()}, "gpus": gpus}
    status = rng.choice(["up", "slow", "down", "unknown"])
    state = ServerState("gpu1", status, maybe(NOW), record, NOW - 999 * rng.random())  # type: ignore[arg-type]
    bookings = [
        Booking(row, rng.choice("ab"), "gpu1", None, NOW - 9, NOW + 9 * row) for row in range(3)
    ]
    row = texts({"gpu1": state}, bookings, NOW, SERVERS)["gpu1"]
    assert [text for text in row.values() if text and not OURS.fullmatch(text)] == []
    assert not any(OURS.fullmatch(heading) for heading, _ in COLUMNS.values())


def test_a_dry_run_shows_a_paragraph_a_server() -> None:
    state = ServerState("gpu1", "up", NOW, {"gpus": [GPU, {"index": 1, "processes": []}]}, NOW)
    assert as_text(texts({"gpu1": state}, (), NOW, SERVERS)) == (
        "gpu1\n"
        "  Status:        up\n"
        "  Since:         2025-11-21 10:00\n"
        "  GPUs:          0: 30 of 80 GiB, 97 %, 71 °C, ?, Anna, zoe\n"
        "                 1: ?, ?, ?, nobody\n"
        "  Seen at:       2025-11-21 10:00\n"
        "\n"
        "gpu2\n"
        "  Status:        unknown\n"
        "  Seen at:       never"
    )


def test_a_csv_file_holds_the_same_and_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "status.csv"
    path.write_text("old")
    state = ServerState("gpu1", "up", NOW, RECORD, NOW)
    rows = texts({"gpu1": state}, (), NOW, SERVERS)
    write_csv(rows, path)
    with path.open(newline="", encoding="utf-8") as file:
        head, first, second = csv.reader(file)
    assert head == ["server", *(heading for heading, _ in COLUMNS.values())]
    assert first == ["gpu1", *rows["gpu1"].values()]
    assert second[:2] == ["gpu2", "unknown"]
    assert list(tmp_path.iterdir()) == [path]
