"""Tick by tick, the lab's sheet is made to say what is known of the servers."""

import getpass
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from convscope.errors import UserError
from convscope.servers.bookings.booking import Booking
from convscope.servers.bookings.bookings import read_bookings
from convscope.servers.sensing.state import ServerState
from convscope.servers.servers_file import ServersFile
from convscope.servers.sheet.publish import texts
from convscope.servers.sheet.table import SheetTable
from convscope.servers.sheet_interface import Sheet, SheetBusy, SheetRefused, printable

LOOKS = 6
"""So often in one tick the sheet is read, and mended where people moved things meanwhile."""
LONGEST_LINE = 500
"""No more of a line is told, whatever people wrote into a cell."""
FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 900.0


def this_collector() -> str:
    """A name for this process that people understand."""
    return f"{getpass.getuser()} on {socket.gethostname()} ({os.getpid()})"


class SheetListener:
    """Writes the states of all servers into a sheet, after every tick.

    A tick reads the sheet, writes what differs in one batch, and reads again: where a person
    inserted or deleted rows between reading and writing, texts stand in wrong rows of our columns
    (never anywhere else), and are put right at once. Nothing is waited for: after a 429, a 5xx or
    a lost connection, ticks pass unused for 10 s, then 20 s, up to 15 minutes.

    Args:
        sheet: the spreadsheet.
        servers: the servers file; it has the key `sheet`.
        tell: is given what people should know, in a line, once for as long as it holds.
        collector: the name of this one among all that may write; None: user, host and process.

    Attributes:
        bookings: those that the sheet held when it was last read; None before that, and where
            the servers file names none.
    """

    def __init__(
        self,
        sheet: Sheet,
        servers: ServersFile,
        tell: Callable[[str], None],
        collector: str | None = None,
    ):
        self.bookings: Sequence[Booking] | None = None
        self._sheet = sheet
        self._servers = servers
        self._tell = tell
        self._table = SheetTable(sheet, servers, collector or this_collector())
        self._told: set[str] = set()
        self._wait = FIRST_WAIT_SECONDS
        self._not_before = float("-inf")

    def check(self) -> None:
        """Raise what a person must mend before anything can be written.

        Raises:
            UserError: where the sheet, its tab or its column of names is not there, or Google
                refuses the key.
        """
        try:
            self._table.check()
        except SheetBusy as error:
            self._say([str(error)])

    def __call__(
        self, now: float, states: Mapping[str, ServerState], _before: Mapping[str, ServerState]
    ) -> None:
        """Make the sheet say what is known; what fails is told, and tried at a later tick."""
        if now < self._not_before <= now + LONGEST_WAIT_SECONDS:  # else the clock was set back
            return
        try:
            lines = [*self._find_bookings(), *self._update(now, states)]
            self._wait = FIRST_WAIT_SECONDS
        except SheetBusy as error:
            lines = [str(error)]
            self._not_before = now + self._wait
            self._wait = min(2 * self._wait, LONGEST_WAIT_SECONDS)
        except UserError as error:
            lines = [str(error)]
        self._say(lines)

    def close(self, now: float) -> None:
        """Let another collector write at once."""
        with suppress(SheetBusy, UserError):
            self._table.release(now)

    def _find_bookings(self) -> list[str]:
        """Read the bookings again; what is wrong with them."""
        if self._servers.sheet is None or self._servers.sheet.bookings is None:
            return []
        try:
            found = read_bookings(self._sheet, self._servers)
        except UserError as error:
            return [f"bookings: {error}"]
        self.bookings = found.bookings
        return list(found.problems)

    def _update(self, now: float, states: Mapping[str, ServerState]) -> list[str]:
        """Look until nothing is left to do; what people should know."""
        wanted = texts(states, self.bookings or (), now, self._servers)
        problem = "cells of ours do not keep what is written: unmerge them"
        for _ in range(LOOKS):
            try:
                if self._table.look(now, wanted):
                    return self._table.notes
            except SheetRefused as error:
                problem = str(error)
        return [problem]

    def _say(self, lines: list[str]) -> None:
        """Tell what was not told at the last tick."""
        for line in lines:
            if line not in self._told:
                self._tell(f"sheet: {printable(line)[:LONGEST_LINE]}")
        self._told = set(lines)
