"""Bookings that are read in the background: what holds when the sheet cannot be reached."""

from convscope.servers.bookings.booking import Booking
from convscope.servers.bookings.bookings import Found
from convscope.servers.bookings.latest_bookings import FIRST_SECONDS, LatestBookings

ANN = Booking(2, "Ann", "gpu7", 0, 0.0, 9.0)


class Tab:
    """What is read next, or why it cannot be."""

    def __init__(self) -> None:
        self.next: Found | Exception = Found((ANN,), ())

    def __call__(self) -> Found:
        if isinstance(self.next, Exception):
            raise self.next
        return self.next


def test_what_was_read_last_holds_and_that_is_said_once() -> None:
    tab = Tab()
    latest = LatestBookings(tab)
    latest.refresh()
    assert latest.lines() == []
    tab.next = OSError("no\nnetwork")
    for _ in range(3):
        latest.refresh()
    assert latest.known == (ANN,)
    assert latest.lines() == ["the bookings cannot be read, those read last hold: no network"]
    tab.next = Found((), ())
    for _ in range(2):
        latest.refresh()
    assert latest.lines() == ["the bookings can be read again"]
    assert not latest.known
    tab.next = OSError()
    latest.refresh()
    assert latest.lines() == ["the bookings cannot be read, those read last hold: OSError"]


def test_the_first_reading_is_waited_for_until_it_came_or_failed() -> None:
    came, failed = LatestBookings(Tab()), LatestBookings(tab := Tab())
    assert came.is_to_be_waited_for
    came.refresh()
    assert not came.is_to_be_waited_for
    tab.next = OSError("no network")
    failed.refresh()
    assert not failed.is_to_be_waited_for
    assert failed.lines() == ["the bookings cannot be read, none are known: no network"]
    assert failed.known is None


def test_a_first_reading_that_hangs_is_not_waited_for_for_ever() -> None:
    time = [100.0]
    latest = LatestBookings(Tab(), clock=lambda: time[0])
    time[0] += FIRST_SECONDS - 1
    assert latest.is_to_be_waited_for
    time[0] += 1
    assert not latest.is_to_be_waited_for


def test_a_cell_that_cannot_be_read_is_said_once_for_as_long_as_it_stands_there() -> None:
    tab = Tab()
    latest = LatestBookings(tab)
    said = []
    for problems in (("E2",), ("E2", "F3"), ("F3",), (), ("E2",)):
        tab.next = Found((), problems)
        latest.refresh()
        said.append(latest.lines())
    assert said == [["E2"], ["F3"], [], [], ["E2"]]


def test_of_many_cells_that_cannot_be_read_some_are_named() -> None:
    latest = LatestBookings(tab := Tab())
    tab.next = Found((), tuple(f"E{row}" for row in range(2, 102)))
    latest.refresh()
    said = ["E2", "E3", "E4", "E5", "E6", "95 more cells of the bookings cannot be read"]
    assert latest.lines() == said
    latest.refresh()
    assert latest.lines() == []
