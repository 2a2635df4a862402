"""Times as people write them into a sheet, read without guessing."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

EXPECTED = "expected a time such as 2026-11-21 14:00"
SERIAL_START = datetime(1899, 12, 30)
"""Day 0 of the numbers as which Google Sheets keeps dates."""
SERIALS = 36526, 73050
"""2000 to 2099: other numbers are no dates."""
YEARS = range(2000, 2100)
"""Other years are mistyped, or beyond what can be computed with."""
LONGEST_OFFSET = timedelta(hours=14)
"""No zone on earth is further ahead of UTC, or behind it."""

DATE = (
    r"(?:(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"|(?P<d>[0-9]{1,2})\.(?P<m>[0-9]{1,2})\.(?P<y>[0-9]{4})"
    r"|(?P<one>[0-9]{1,2})/(?P<other>[0-9]{1,2})/(?P<last>[0-9]{4}))"
)
TIME = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]+)?)?"
    r"(?: ?(?P<half>[ap]m))?(?: ?(?P<zone>z|[+-][0-9]{2}:?[0-9]{2}))?"
)
PATTERN = re.compile(rf"{DATE}(?:(?:, ?|t| ){TIME})?")


@dataclass(frozen=True)
class Moment:
    """What was written: a date, a time by the clocks of the lab, or one with a zone of its own."""

    local: datetime
    offset: timedelta | None = None
    is_day: bool = False

    def start(self, zone: ZoneInfo) -> float:
        """Unix time of what begins then, s."""
        return min(self._times(self.local, zone))

    def end(self, zone: ZoneInfo) -> float:
        """Unix time of what ends then, s: a date alone includes that day."""
        return max(self._times(self.local + timedelta(days=self.is_day), zone))

    def _times(self, local: datetime, zone: ZoneInfo) -> list[float]:
        """An hour that clocks show twice a year, or never, could be either of two.

        The earlier one is taken for a start, the later one for an end: nothing booked is lost.
        """
        if self.offset is not None:
            return [(local - self.offset - datetime(1970, 1, 1)).total_seconds()]
        return [local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1)]


def parse_moment(cell: str) -> Moment:
    """What stands in a cell.

    2026-11-21, 21.11.2026 and 21/11/2026 are dates, which 14:00, 14:00:30 or 2:00 pm may follow,
    and then Z or +01:00; a number is Google's own count of days.

    Raises:
        ValueError: for anything else, and where day and month could be either way round.
    """
    text = " ".join(cell.split()).lower()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return _from_serial(float(text), text)
    match = PATTERN.fullmatch(text)
    if not match:
        raise ValueError(f"{EXPECTED}, got {cell!r:.60}")
    found = match.groupdict()
    year, month, day = _date(found)
    try:
        local, offset = datetime(year, month, day) + _time(found), _offset(found["zone"])
    except (ValueError, OverflowError):
        raise ValueError(f"{EXPECTED}, got {cell!r:.60}, which is none") from None
    if year not in YEARS:
        raise ValueError(f"{EXPECTED}, got {cell!r:.60}, which is not in 2000 to 2099")
    return Moment(local, offset, found["hour"] is None)


def _from_serial(days: float, text: str) -> Moment:
    if not SERIALS[0] <= days < SERIALS[1]:
        raise ValueError(f"{EXPECTED}, got the number {text:.60}")
    seconds = round(days * 86400)  # a fraction of a day is not exact
    return Moment(SERIAL_START + timedelta(seconds=seconds), is_day=days == int(days))


def _date(found: dict[str, str | None]) -> tuple[int, int, int]:
    """Year, month and day."""
    one, other, last = (int(found[key] or 0) for key in ("one", "other", "last"))
    if not last:
        names = ("year", "month", "day") if found["year"] else ("y", "m", "d")
        year, month, day = (int(found[key] or 0) for key in names)
        return year, month, day
    if one <= 12 and other <= 12 and one != other:
        raise ValueError(
            f"day and month of {one}/{other}/{last} could be either way round: "
            f"write {last:04}-{other:02}-{one:02} or {last:04}-{one:02}-{other:02}"
        )
    day, month = (one, other) if one > 12 else (other, one)
    return last, month, day


def _time(found: dict[str, str | None]) -> timedelta:
    """Since midnight; 24:00 is the next one."""
    if found["hour"] is None:
        return timedelta()
    hour, minute, second = (int(found[key] or 0) for key in ("hour", "minute", "second"))
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{hour} {found['half']} is no hour")
        hour = hour % 12 + (12 if found["half"] == "pm" else 0)
    if minute > 59 or second > 59 or (hour, minute, second) > (24, 0, 0):
        raise ValueError(f"{hour}:{minute}:{second} is no time")
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _offset(zone: str | None) -> timedelta | None:
    """How far a zone is ahead of UTC."""
    if zone is None or zone == "z":
        return None if zone is None else timedelta()
    sign = -1 if zone[0] == "-" else 1
    ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    if ahead > LONGEST_OFFSET or int(zone[-2:]) > 59:
        raise ValueError(f"{zone} is no distance from UTC")
    return sign * ahead
