"""How numbers and names stand on a page."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

DASH = "–"
"""Stands where a value is undefined or not there yet."""

N_SHADES = 20


def share(value: float | None, digits: int = 3) -> str:
    """A score between 0 and 1."""
    return DASH if value is None else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """A whole number with its thousands apart."""
    return DASH if value is None else f"{value:,}"


def setting(value: Any) -> str:
    """A value of a recipe as one writes it there."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value)) or "[]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def duration(seconds: float | None) -> str:
    """A time as one says it: 45 s, 12 min, 3.5 h, 2.1 d."""
    if seconds is None:
        return DASH
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} d"


def shade(value: float | None, low: float = 0.0, high: float = 1.0) -> str:
    """The class of a shade from `low` to `high`: styles on an element are not allowed."""
    if value is None:
        return "shade-none"
    part = (value - low) / (high - low) if high > low else 1.0
    return f"shade-{round(N_SHADES * min(max(part, 0.0), 1.0))}"


def path_part(name: str) -> str:
    """A name as one part of an address, whatever it holds."""
    return quote(name, safe="", errors="surrogateescape")


FORMATS: dict[str, Callable[..., str]] = {
    "share": share,
    "count": count,
    "setting": setting,
    "duration": duration,
    "shade": shade,
    "path_part": path_part,
}
