"""What a sweep heeds of the lab's bookings."""

import getpass
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from convscope.servers.bookings.booked import why_booked
from convscope.servers.bookings.bookings import read_bookings, without_past
from convscope.servers.bookings.latest_bookings import LatestBookings
from convscope.servers.servers_file import ServersFile
from convscope.servers.sheet.open_sheet import open_google_sheet

WhyBooked: TypeAlias = Callable[[str, int | None], str | None]
"""Why a GPU of a host, by its index, is not ours to use now, in words; None where it is.

The index is NO_GPU for the processor, None where nobody knows it.
"""


class Booked:
    """A WhyBooked by the latest bookings.

    Args:
        latest: what is booked, as far as is known.
        file: the names of the servers, and the people.
        tell: is given what is wrong with the bookings, in lines.
        login: ours.
        now: unix time, s.
    """

    def __init__(
        self,
        latest: LatestBookings,
        file: ServersFile,
        tell: Callable[[str], None],
        login: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._latest = latest
        self._file = file
        self._tell = tell
        self._login = login or getpass.getuser()
        self._now = now

    def __call__(self, host: str, gpu: int | None) -> str | None:
        for line in self._latest.lines():
            self._tell(line)
        server = self._file.name_of(host.partition(":")[0])  # what follows tells nodes on it apart
        if server is None:
            return None
        if self._latest.is_to_be_waited_for:
            return "a first look at the bookings"
        known = self._latest.known or ()
        return why_booked(known, server, gpu, self._login, self._file, self._now())


def nobody(_host: str, _gpu: int | None) -> str | None:
    """The WhyBooked of a lab that keeps no bookings."""
    return None


@contextmanager
def heeding_bookings(file: ServersFile, tell: Callable[[str], None]) -> Iterator[WhyBooked]:
    """The bookings of the lab's sheet, read in the background as long as the block lasts.

    A sweep heeds them where servers.yaml names their tab and its user has a key to the sheet;
    who has none is told so, and nothing is booked for them.
    """
    if file.sheet is None or file.sheet.bookings is None:
        yield nobody
        return
    if not os.access(file.sheet.credentials.expanduser(), os.R_OK):
        tell(f"bookings are not heeded: {file.sheet.credentials} is no file that you can read")
        yield nobody
        return
    sheet = open_google_sheet(file.sheet)
    latest = LatestBookings(lambda: without_past(read_bookings(sheet, file), time.time()))
    latest.start()
    try:
        yield Booked(latest, file, tell)
    finally:
        latest.close()
