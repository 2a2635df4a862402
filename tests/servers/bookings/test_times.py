"""Times as people write them, against what is worked out by hand."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.servers.bookings.times import parse_moment

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    "cell",
    [
        "2026-11-21 14:00",
        "2026-11-21T14:00",
        " 2026-11-21  14:00:00 ",
        "2026-11-21T14:00:00.000",
        "2026-11-21T13:00Z",
        "2026-11-21T13:00:00 z",
        "2026-11-21T18:30+05:30",
        "2026-11-21 08:00 -0500",
        "21.11.2026 14:00",
        "21.11.2026, 14:00",
        "21/11/2026 14:00:00",
        "11/21/2026 14:00",
        "11/21/2026 2:00 PM",
        "11/21/2026 2:00pm",
        "46347.583333333336",
        "46347.58333",
    ],
)
def test_two_in_the_afternoon_can_be_written_in_many_ways(cell: str) -> None:
    """In Berlin in November, UTC + 1 h; 46347 days after 1899-12-30 is 2026-11-21."""
    at_most = 1.0 if cell == "46347.58333" else 0.0
    assert parse_moment(cell).start(BERLIN) == pytest.approx(utc(2026, 11, 21, 13), abs=at_most)
    assert parse_moment(cell).end(BERLIN) == parse_moment(cell).start(BERLIN)


@pytest.mark.parametrize("cell", ["2026-11-21", "21.11.2026", "21/11/2026", "11/21/2026", "46347"])
def test_a_date_alone_is_the_whole_day(cell: str) -> None:
    assert parse_moment(cell).start(BERLIN) == utc(2026, 11, 20, 23)
    assert parse_moment(cell).end(BERLIN) == utc(2026, 11, 21, 23)


def test_a_day_on_which_clocks_change_has_23_or_25_hours() -> None:
    for cell, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-21", 24)):
        day = parse_moment(cell)
        assert day.end(BERLIN) - day.start(BERLIN) == hours * 3600


def test_an_hour_that_comes_twice_is_booked_in_full() -> None:
    """2026-10-25 02:30 in Berlin is 00:30 and 01:30 UTC."""
    twice = parse_moment("2026-10-25 02:30")
    assert twice.start(BERLIN) == utc(2026, 10, 25, 0, 30)
    assert twice.end(BERLIN) == utc(2026, 10, 25, 1, 30)
    told = parse_moment("2026-10-25 02:30+01:00")
    assert told.start(BERLIN) == told.end(BERLIN) == utc(2026, 10, 25, 1, 30)


def test_an_hour_that_never_comes_is_booked_around() -> None:
    """2026-03-29 02:30 in Berlin: half an hour before or after 01:00 UTC, when clocks jump."""
    never = parse_moment("2026-03-29 02:30")
    assert never.start(BERLIN) == utc(2026, 3, 29, 0, 30)
    assert never.end(BERLIN) == utc(2026, 3, 29, 1, 30)


@pytest.mark.parametrize("cell", ["24:00", "12:00 AM"])
def test_midnight_has_two_more_names(cell: str) -> None:
    day = 20 if cell == "24:00" else 21
    assert parse_moment(f"2026-11-{day} {cell}").start(BERLIN) == utc(2026, 11, 20, 23)


def test_day_and_month_that_could_be_either_way_round_are_told() -> None:
    with pytest.raises(ValueError, match="could be either way round: write 2026-04-03 or 2026-03-"):
        parse_moment("3/4/2026 14:00")
    assert parse_moment("5/5/2026 14:00").start(BERLIN) == utc(2026, 5, 5, 12)
    for cell in ("12/13/2026 14:00", "13/12/2026 14:00"):
        assert parse_moment(cell).start(BERLIN) == utc(2026, 12, 13, 13)


@pytest.mark.parametrize(
    "cell",
    ["", "tomorrow", "11/21", "21.11.", "21.11.26", "14:00", "2026-02-30", "31/31/2026",
     "2026-11-21 25:00", "2026-11-21 24:01", "2026-11-21 14:60", "2026-11-21 13:00 pm",
     "2026-11-21 0:30 am", "2026-11-21 14:00 bis 16:00", "0000-01-01", "9999-12-31 24:00",
     "31.12.9999", "0001-01-01", "1999-12-31", "2026-11-21 14:00+15:00", "2026-11-21 14:00-01:75",
     "20261121", "7", "0.5", "73050", "-46347", "1e5", "nan", "२०२६-११-२१", "9" * 5000],
)  # fmt: skip
def test_what_is_no_time_is_told(cell: str) -> None:
    with pytest.raises(ValueError, match="expected a time such as 2026-11-21 14:00, got"):
        parse_moment(cell)


@given(st.datetimes(datetime(2001, 1, 1), datetime(2098, 1, 1)), st.sampled_from(["T", " ", ", "]))
def test_every_minute_is_read_as_the_standard_library_reads_it(when: datetime, gap: str) -> None:
    when = when.replace(second=0, microsecond=0)
    times = [when.replace(tzinfo=BERLIN, fold=fold).timestamp() for fold in (0, 1)]
    for day in ("%Y-%m-%d", "%d.%m.%Y"):
        moment = parse_moment(when.strftime(f"{day}{gap}%H:%M"))
        assert [moment.start(BERLIN), moment.end(BERLIN)] == sorted(times)


@given(st.text(st.sampled_from("0123456789-/.:,TZ+apm "), max_size=25))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        moment = parse_moment(text)
    except ValueError:
        return
    assert moment.start(BERLIN) <= moment.end(BERLIN)
