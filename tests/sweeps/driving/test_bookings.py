"""A sweep never starts on what somebody else has booked for now."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from convscope.servers.admission.limits import Limits
from convscope.servers.bookings.booking import Booking
from convscope.servers.bookings.bookings import Found
from convscope.servers.bookings.latest_bookings import LatestBookings
from convscope.servers.collect_settings import BookingsSettings, SheetSettings
from convscope.servers.demo.fake_sheets import fake_sheets
from convscope.servers.demo.fake_spreadsheet import Spreadsheet
from convscope.servers.servers_file import Server, ServersFile
from convscope.servers.sheet.open_sheet import open_google_sheet
from convscope.sweeps.driving.bookings import Booked, heeding_bookings, nobody
from convscope.sweeps.driving.cells import SweepCell
from convscope.sweeps.driving.messages import Slot
from convscope.sweeps.driving.monitor import Reading
from convscope.sweeps.driving.politeness import Politeness
from convscope.sweeps.planning.plan import plan
from convscope.training.cell import Cell

CPU, FIRST, SECOND = Slot("gpu7:2", 0), Slot("gpu7:2", 1, "GPU-a"), Slot("gpu7:2", 2, "GPU-b")
ELSEWHERE = Slot("gpu8", 0, "GPU-a")
MACHINE: dict[str, Any] = {
    "gpus": [
        {"uuid": uuid, "index": index, "memory_free_bytes": 2**34, "processes": []}
        for index, uuid in enumerate(["GPU-a", "GPU-b"])
    ]
}
FILE = ServersFile(servers={"gpu7": Server()}, people={"Ann": ("ann",)})
ANN = Booking(2, "Ann", "gpu7", 0, 1000, 2000)
BY_ANN = "GPU 0 is booked by Ann until 1970-01-01 00:33"


@pytest.fixture
def cell(cells: Callable[..., tuple[Cell, ...]]) -> SweepCell:
    return SweepCell(plan(cells(), Path("none"), 3)[0])


class Lab:
    """A sweep of bob's beside these bookings, at a time that a test sets."""

    def __init__(self, *bookings: Booking, login: str = "bob") -> None:
        self.now = 1500.0
        self.told: list[str] = []
        self.found: Found | None = Found(bookings, ())
        self.latest = LatestBookings(self._read)
        booked = Booked(self.latest, FILE, self.told.append, login, lambda: self.now)
        reading = Reading(MACHINE, ())
        self.polite = Politeness(lambda _: None, lambda _: reading, 1, login, booked)

    def _read(self) -> Found:
        if self.found is None:
            raise OSError("no network")
        return self.found


def test_a_cell_waits_for_the_end_of_a_booking(cell: SweepCell) -> None:
    lab = Lab(ANN)
    lab.latest.refresh()
    assert lab.polite.why_wait(FIRST, cell, []) == BY_ANN
    for slot in (SECOND, CPU, ELSEWHERE):
        assert lab.polite.why_wait(slot, cell, []) is None
    for lab.now in (999, 2000):
        assert lab.polite.why_wait(FIRST, cell, []) is None


def test_a_cell_that_runs_when_a_booking_begins_makes_way(cell: SweepCell) -> None:
    lab = Lab(ANN)
    lab.latest.refresh()
    lab.now = 999
    assert lab.polite.must_pause(FIRST) is None
    lab.now = 1000
    assert lab.polite.must_pause(FIRST) == BY_ANN
    assert lab.polite.must_pause(SECOND) is lab.polite.must_pause(CPU) is None
    assert not lab.polite.is_crowded(FIRST, [])  # a booking holds no memory


def test_our_own_booking_is_nothing_to_wait_for(cell: SweepCell) -> None:
    lab = Lab(ANN, login="ann")
    lab.latest.refresh()
    assert lab.polite.why_wait(FIRST, cell, []) is None


def test_who_booked_a_whole_server_has_its_processor_too(cell: SweepCell) -> None:
    lab = Lab(Booking(2, "Ann", "gpu7", None, 1000, 2000))
    lab.latest.refresh()
    for slot in (FIRST, SECOND, CPU):
        assert str(lab.polite.why_wait(slot, cell, [])).startswith("gpu7 is booked by Ann until")


def test_nothing_starts_before_a_first_look_at_the_bookings(cell: SweepCell) -> None:
    lab = Lab(ANN)
    assert lab.polite.why_wait(SECOND, cell, []) == "a first look at the bookings"
    assert lab.polite.why_wait(ELSEWHERE, cell, []) is None
    lab.latest.refresh()
    assert lab.polite.why_wait(SECOND, cell, []) is None


def test_a_sheet_that_cannot_be_reached_stops_nothing_and_forgets_nothing(cell: SweepCell) -> None:
    never, once = Lab(), Lab(ANN)
    once.latest.refresh()
    for lab in (never, once):
        lab.found = None
        for _ in range(3):
            lab.latest.refresh()
            lab.polite.why_wait(FIRST, cell, [])
    assert never.polite.why_wait(FIRST, cell, []) is None
    assert once.polite.why_wait(FIRST, cell, []) == BY_ANN
    assert never.told == ["the bookings cannot be read, none are known: no network"]
    assert once.told == ["the bookings cannot be read, those read last hold: no network"]


def test_other_reasons_to_wait_are_told_as_before(cell: SweepCell) -> None:
    lab = Lab()
    lab.latest.refresh()
    polite = Politeness(
        lambda _: Limits(free_gpu_memory_bytes=2**40), lambda _: Reading(MACHINE, ()), 1, "bob"
    )
    assert "free on GPU 0" in str(polite.why_wait(FIRST, cell, []))


def with_sheet(credentials: Path) -> ServersFile:
    bookings = BookingsSettings(tab="Bookings")
    sheet = SheetSettings(id="x" * 44, credentials=credentials, tab="Servers", bookings=bookings)
    return FILE.model_copy(update={"sheet": sheet})


def test_without_a_tab_of_bookings_nothing_is_booked(tmp_path: Path) -> None:
    told: list[str] = []
    with heeding_bookings(FILE, told.append) as why_booked:
        assert why_booked is nobody
    with heeding_bookings(with_sheet(tmp_path / "key.json"), told.append) as why_booked:
        assert why_booked is nobody
    key = tmp_path / "key.json"
    assert told == [f"bookings are not heeded: {key} is no file that you can read"]


ROWS = [["person", "server", "from", "to"], ["Ann", "gpu7", "2000-01-01", "2090-01-01"]]


def test_the_tab_of_bookings_is_read_in_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the real client, from a made-up Google that fails the second time."""
    pytest.importorskip("gspread")
    reason = "gpu7 is booked by Ann until 2090-01-02 00:00"
    started: list[LatestBookings] = []
    told: list[str] = []
    with fake_sheets() as google:
        opened = partial(open_google_sheet, address=google.address)
        monkeypatch.setattr("convscope.sweeps.driving.bookings.open_google_sheet", opened)
        monkeypatch.setattr(LatestBookings, "start", lambda self: started.append(self))
        file = with_sheet(google.write_key(tmp_path / "key.json"))
        google.spreadsheets["x" * 44] = Spreadsheet()
        google.spreadsheets["x" * 44].add_tab("Bookings", ROWS)
        with heeding_bookings(file, told.append) as why_booked:
            assert why_booked("gpu7", 0) == "a first look at the bookings"
            started[0].refresh()
            assert why_booked("gpu7", 0) == reason
            google.faults.append("500")
            started[0].refresh()
            assert why_booked("gpu7", 0) == reason
    assert started[0]._closed.is_set()
    assert [line.partition(":")[0] for line in told] == [
        "the bookings cannot be read, those read last hold"
    ]
