"""Rows of a tab, as people fill them in, to bookings."""

from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import UserError
from convscope.servers.bookings.booked import NO_GPU, why_booked
from convscope.servers.bookings.booking import Booking
from convscope.servers.bookings.bookings import (
    Found,
    conflicts,
    parse_bookings,
    parse_gpus,
    say_conflict,
    without_past,
)
from convscope.servers.collect_settings import BookingsSettings
from convscope.servers.servers_file import Server, ServersFile, read_servers_file

SETTINGS = BookingsSettings(tab="Bookings", person="Who", gpu="GPU")
FILE = ServersFile(
    servers={"gpu7": Server(), "big": Server(host="gpu12.lab.org")},
    people={"Ann": ("ann", "ann2"), "Bob Müller": ("bob",)},
    time_zone="Europe/Berlin",
)
HEADER = ["note", "Who", " SERVER", "gpu", "from", "to"]


def row(
    person: str = "Ann",
    server: str = "gpu7",
    gpu: str = "0",
    start: str = "2026-11-21 14:00",
    end: str = "2026-11-21 18:00",
) -> list[str]:
    return ["", person, server, gpu, start, end]


def parsed(*rows: list[str]) -> Found:
    return parse_bookings([HEADER, *rows], SETTINGS, FILE)


def at(hour: float) -> float:
    """An hour of 2026-11-21 in Berlin, unix time."""
    return datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp() + 3600 * hour


def test_a_row_is_a_booking() -> None:
    assert parsed(row()) == Found((Booking(2, "Ann", "gpu7", 0, at(14), at(18)),), ())


def test_a_row_of_several_gpus_is_a_booking_of_each() -> None:
    found = parsed(["a note"], row(gpu="0-2"), [], row(gpu="", end="2026-11-21"))
    assert [(each.row, each.gpu) for each in found.bookings] == [(3, 0), (3, 1), (3, 2), (5, None)]
    assert found.bookings[3].end == at(24)
    assert found.problems == ()


def test_what_steers_a_terminal_is_no_part_of_a_name() -> None:
    (booking,) = parsed(row(person="Eve\x1b[31m\u202e")).bookings
    assert booking.person == "Eve [31m"


def test_names_are_found_whatever_their_capitals_and_blanks() -> None:
    (booking,) = parsed(row(person=" bob  MÜLLER", server="GPU7 ")).bookings
    assert (booking.person, booking.server) == ("Bob Müller", "gpu7")


def test_a_whole_server_is_booked_where_no_column_has_gpus() -> None:
    settings = BookingsSettings(tab="Bookings", person="Who")
    found = parse_bookings([HEADER, row(gpu="rubbish")], settings, FILE)
    assert [each.gpu for each in found.bookings] == [None]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"server": "gpu8"}, "row 2, C2 (server): 'gpu8' is no server in servers.yaml (did you "
         "mean 'gpu7'?); known: gpu7, big"),
        ({"gpu": "GPU one"}, "row 2, D2 (GPU): expected GPUs such as 0, 0-3 or all, got 'GPU one'"),
        ({"start": "soon"}, "row 2, E2 (from): expected a time such as 2026-11-21 14:00, got 'soo"),
        ({"end": ""}, "row 2, F2 (to): expected a time such as 2026-11-21 14:00, got ''"),
        ({"end": "3/4/2027"}, "row 2, F2 (to): day and month of 3/4/2027 could be either way"),
        ({"end": "2026-11-21 14:00"}, "row 2, F2 (to): 2026-11-21 14:00 is not after the start"),
        ({"person": ""}, "row 2, B2 (Who): expected a name, got nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_cell(changes: Any, problem: str) -> None:
    found = parsed(row(**changes))
    assert found.bookings == ()
    (told,) = found.problems
    assert told.startswith(f"Bookings, {problem}")
    assert "\n" not in told


def test_every_cell_that_cannot_be_read_is_told() -> None:
    found = parsed(row(), row(server="x", gpu="x", start="x", end="x"), row())
    assert [problem.split(",")[2].split()[0] for problem in found.problems] == [
        "C3", "D3", "E3", "F3",
    ]  # fmt: skip
    assert [each.row for each in found.bookings] == [2, 4]


def test_what_a_stranger_booked_is_booked_and_told() -> None:
    found = parsed(row(person="Anne"))
    assert [each.person for each in found.bookings] == ["Anne"]
    assert found.problems == (
        "Bookings, row 2, B2 (Who): 'Anne' is nobody's name in servers.yaml (did you mean 'Ann'?); "
        "known: Ann, Bob Müller",
    )


def test_where_no_people_are_listed_nobody_is_a_stranger() -> None:
    file = ServersFile(servers=FILE.servers)
    found = parse_bookings([HEADER, row(person="Anne")], SETTINGS, file)
    assert found.problems == ()
    assert [each.person for each in found.bookings] == ["Anne"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["Who", "server", "GPU", "from"], r"bookings\.end: the column 'to' is not there in the "
         "first row of the tab 'Bookings', which has: Who, server, GPU, from"),
        ([*HEADER, "who"], r"bookings\.person: the column 'Who' is 2 times in the first row"),
        ([], "which has: nothing"),
    ],
)  # fmt: skip
def test_a_column_that_is_missing_or_there_twice_is_told(header: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_bookings([header, row()], SETTINGS, FILE)


@pytest.mark.parametrize(
    ("cell", "gpus"),
    [
        ("0", (0,)), ("GPU 1", (1,)), ("gpu1", (1,)), ("0,1", (0, 1)), ("3; 1,1", (1, 3)),
        ("0-3", (0, 1, 2, 3)), ("0 – 2, 5", (0, 1, 2, 5)), ("GPUs 0-1", (0, 1)),
        ("GPU 0, GPU 2", (0, 2)), ("", (None,)), (" ALL ", (None,)), ("all GPUs", (None,)),
    ],
)  # fmt: skip
def test_gpus_can_be_written_in_many_ways(cell: str, gpus: tuple[int | None, ...]) -> None:
    assert parse_gpus(cell) == gpus


@pytest.mark.parametrize(
    "cell", ["3-1", "-1", "0,", "64", "46054", "0.1", "any", "0 or 1", "1 2", "²", "GPU", "9" * 99]
)
def test_what_names_no_gpus_is_told(cell: str) -> None:
    with pytest.raises(ValueError, match="expected GPUs such as 0, 0-3 or all, got"):
        parse_gpus(cell)


def booking(row: int, person: str, gpu: int | None, start: float, end: float) -> Booking:
    return Booking(row, person, "gpu7", gpu, at(start), at(end))


def test_two_people_on_one_gpu_at_one_time_are_a_conflict() -> None:
    ann, bob = booking(2, "Ann", 0, 8, 12), booking(3, "Bob", 0, 11, 13)
    assert conflicts([bob, ann]) == [(ann, bob)]
    assert say_conflict(ann, bob, ZoneInfo("Europe/Berlin")) == (
        "rows 2 and 3: Ann and Bob have both booked gpu7, GPU 0 "
        "from 2026-11-21 11:00 to 2026-11-21 12:00"
    )


@pytest.mark.parametrize(
    "other",
    [
        booking(3, "Bob", 0, 12, 13),  # afterwards
        booking(3, "Bob", 1, 8, 12),  # another GPU
        booking(3, "Ann", 0, 8, 12),  # the same person
        Booking(3, "Bob", "big", 0, at(8), at(12)),  # another server
    ],
)
def test_no_conflict(other: Booking) -> None:
    assert conflicts([booking(2, "Ann", 0, 8, 12), other]) == []


def test_a_whole_server_is_in_conflict_with_each_of_its_gpus_once_a_row() -> None:
    both = [booking(3, "Bob", gpu, 9, 10) for gpu in (0, 1)]
    pairs = conflicts([booking(2, "Ann", None, 8, 12), *both])
    assert [(one.row, other.row) for one, other in pairs] == [(2, 3)]


BOOKINGS = st.builds(
    Booking,
    st.integers(2, 9),
    st.sampled_from(["Ann", "Bob"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, 0, 1]),
    st.integers(0, 5),
    st.integers(6, 9),
)


@given(st.lists(BOOKINGS, max_size=8, unique_by=lambda each: each.row))
def test_conflicts_are_those_of_all_pairs(bookings: list[Booking]) -> None:
    def collide(one: Booking, other: Booking) -> bool:
        gpus = [{0, 1} if each.gpu is None else {each.gpu} for each in (one, other)]
        return (
            one.person != other.person
            and one.server == other.server
            and bool(gpus[0] & gpus[1])
            and max(one.start, other.start) < min(one.end, other.end)
        )

    expected = {frozenset((a.row, b.row)) for a, b in combinations(bookings, 2) if collide(a, b)}
    found = conflicts(bookings)
    assert {frozenset((a.row, b.row)) for a, b in found} == expected
    assert len(found) == len(expected)


def why(gpu: int | None, hour: float, login: str = "eve", *bookings: Booking) -> str | None:
    return why_booked(bookings, "gpu7", gpu, login, FILE, at(hour))


def test_a_gpu_is_booked_by_others_from_start_until_before_end() -> None:
    ann = booking(2, "Ann", 0, 14, 18)
    reason = "GPU 0 is booked by Ann until 2026-11-21 18:00"
    times = (13.99, 14, 17.99, 18)
    assert [why(0, hour, "eve", ann) for hour in times] == [None, reason, reason, None]
    assert why(1, 15, "eve", ann) is None
    assert why(None, 15, "eve", ann) == reason  # which GPU it is nobody knows


def test_a_booking_of_ours_is_ours() -> None:
    ann, login = booking(2, "Ann", 0, 14, 18), booking(3, "carl", 0, 14, 18)
    assert why(0, 15, "ann2", ann) is None
    assert why(0, 15, "bob", ann) is not None
    assert why(0, 15, "carl", login) is None
    assert why(0, 15, "ann", ann, login) == "GPU 0 is booked by carl until 2026-11-21 18:00"


def test_a_name_that_is_another_persons_login_is_not_theirs() -> None:
    file = FILE.model_copy(update={"people": {"bob": ("robert",), "Bob Maier": ("bob",)}})
    theirs = booking(2, "bob", 0, 14, 18)
    assert why_booked([theirs], "gpu7", 0, "bob", file, at(15)) is not None
    assert why_booked([theirs], "gpu7", 0, "robert", file, at(15)) is None


def test_bookings_that_are_over_can_be_left_out() -> None:
    found = parsed(row(end="2026-11-21 15:00"), row(end="2026-11-21 16:00"), row(server="x"))
    left = without_past(found, at(15))
    assert [each.row for each in left.bookings] == [3]
    assert left.problems == found.problems


def test_a_whole_server_is_booked_with_its_processor() -> None:
    whole, one = booking(2, "Ann", None, 14, 18), booking(3, "Ann", 0, 14, 18)
    assert why(NO_GPU, 15, "eve", one) is None
    for gpu in (NO_GPU, 0, None):
        assert why(gpu, 15, "eve", whole) == "gpu7 is booked by Ann until 2026-11-21 18:00"
    assert why_booked([whole], "big", 0, "eve", FILE, at(15)) is None


def test_a_machine_is_found_by_its_host_or_its_name() -> None:
    """gpu12.lab.org is called big; where only ~/.ssh/config knows the host, the name decides."""
    names = [FILE.name_of(host) for host in ("gpu12", "GPU12.lab.org", "big", "gpu7.lab.org", "x")]
    assert names == ["big", "big", "big", "gpu7", None]


def test_the_example_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "servers.md").read_text()
    example = page.partition("## Bookings")[2].partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "servers.yaml").write_text(example)
    sheet = read_servers_file(tmp_path / "servers.yaml").sheet
    assert sheet is not None
    assert sheet.bookings is not None
    assert sheet.bookings.model_fields_set == set(BookingsSettings.model_fields)
