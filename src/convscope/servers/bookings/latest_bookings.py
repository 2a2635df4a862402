"""The bookings as they were last read, again and again in the background."""

import time
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread

from convscope.servers.bookings.booking import Booking
from convscope.servers.bookings.bookings import Found

SECONDS_BETWEEN_READINGS = 180.0
FIRST_SECONDS = 90.0
"""So long the first reading is waited for; Google is given less to answer."""

MOST_SAID = 5
"""So many cells that cannot be read are named at a time."""


class LatestBookings:
    """What is booked, as far as is known; where it cannot be read, what was last read holds.

    Args:
        read: reads the bookings; whatever it raises is told once, not each time.
        clock: seconds that never jump.

    Attributes:
        known: what was last read; None before.
    """

    def __init__(
        self,
        read: Callable[[], Found],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.known: Sequence[Booking] | None = None
        self._read = read
        self._clock = clock
        self._patience_ends = clock() + FIRST_SECONDS
        self._closed = Event()
        self._lock = Lock()
        self._lines: list[str] = []
        self._said: set[str] = set()
        self._is_failing = False

    @property
    def is_to_be_waited_for(self) -> bool:
        """Whether the first reading is still under way, and not for too long."""
        is_under_way = self.known is None and not self._is_failing
        return is_under_way and self._clock() < self._patience_ends

    def start(self) -> None:
        """Read now and every few minutes, in a thread of its own, until this is closed."""
        Thread(target=self._read_on, daemon=True).start()

    def close(self) -> None:
        """Read no more."""
        self._closed.set()

    def lines(self) -> list[str]:
        """What is to be said since the last call: that reading fails, and what cannot be read."""
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def refresh(self) -> None:
        """Read once, now."""
        try:
            found = self._read()
        except Exception as error:
            self._fail(" ".join(str(error).split())[:300] or type(error).__name__)
        else:
            self._take(found)

    def _fail(self, reason: str) -> None:
        if not self._is_failing:
            self._is_failing = True
            holds = "none are known" if self.known is None else "those read last hold"
            self._say(f"the bookings cannot be read, {holds}: {reason}")

    def _take(self, found: Found) -> None:
        self.known = found.bookings
        if self._is_failing:
            self._is_failing = False
            self._say("the bookings can be read again")
        new = [problem for problem in found.problems if problem not in self._said]
        for problem in new[:MOST_SAID]:
            self._say(problem)
        if len(new) > MOST_SAID:
            self._say(f"{len(new) - MOST_SAID} more cells of the bookings cannot be read")
        self._said = set(found.problems)

    def _say(self, line: str) -> None:
        with self._lock:
            self._lines.append(line)

    def _read_on(self) -> None:
        self.refresh()
        while not self._closed.wait(SECONDS_BETWEEN_READINGS):
            self.refresh()
