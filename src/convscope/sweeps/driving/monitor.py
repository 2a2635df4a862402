"""The state of this machine, read again and again in the background."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from convscope.servers.sensing.sensor import read_machine

SECONDS_BETWEEN_READINGS = 5.0


@dataclass(frozen=True)
class Reading:
    """A machine at one moment: the sensor's record, and which of its processes are ours."""

    machine: Mapping[str, Any]
    own_pids: Collection[int]


class Monitor:
    """Reads this machine until it is closed.

    Args:
        disk: a folder on the disk that the runs are written to.
    """

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._closed = Event()
        self.machine: dict[str, Any] = read_machine(str(disk))
        Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        """Read no more."""
        self._closed.set()

    def _read(self) -> None:
        while not self._closed.wait(SECONDS_BETWEEN_READINGS):
            self.machine = read_machine(str(self._disk))
