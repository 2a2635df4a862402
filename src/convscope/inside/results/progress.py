"""How far something is, told while it is computed."""

from collections.abc import Callable
from typing import TypeAlias

Tell: TypeAlias = Callable[[float, float], None]
"""Is called with how much is done, and of how much."""


def silent(_done: float, _total: float) -> None:
    """Tells nobody."""


def step_of(tell: Tell, i: int, n: int) -> Tell:
    """To tell how far step i (from 0) of n equal ones is, as how far all of them are."""
    return lambda done, total: tell(i + done / max(total, 1), n)
