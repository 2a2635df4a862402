"""Who collects, and until when: three rows in a small tab of ours. Pure.

The sheet knows no compare-and-swap, so a lease only makes it likely that one collector writes; two
at once write the same and do no harm.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from convscope.servers.sheet_interface import Rows

LONGEST_SECONDS = 86400.0
"""A lease that runs longer was not written by a collector whose clock is right."""


@dataclass(frozen=True)
class Lease:
    """Who collects until when.

    Attributes:
        holder: the collector.
        ticked: its last tick, unix time, s: the heartbeat.
        until: unix time, s; from then on another may take it.
    """

    holder: str
    ticked: float
    until: float

    def keeps_out(self, collector: str, now: float) -> bool:
        """Whether a collector must wait."""
        return self.holder != collector and now < self.until <= now + LONGEST_SECONDS

    def rows(self, zone: str) -> Rows:
        """As it stands in the sheet, with times in the lab's zone."""
        return [
            ["Last look at the servers", _told(self.ticked, zone)],
            ["Collected by", self.holder],
            ["Nobody else collects until", _told(self.until, zone)],
        ]


def lease_of(rows: Rows) -> Lease | None:
    """The lease that stands in the sheet; None where none does, or people wrote over it."""
    try:
        ticked, holder, until = (row[1] for row in rows[:3])
        return Lease(holder, _read(ticked), _read(until))
    except (ValueError, IndexError, OverflowError, OSError):
        return None


def _told(seconds: float, zone: str) -> str:
    return datetime.fromtimestamp(round(seconds), ZoneInfo(zone)).isoformat(" ")


def _read(text: str) -> float:
    """Unix time of a text with its distance from UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"expected a time with its distance from UTC, got {text}")
    return moment.timestamp()
