"""The sweeps beside the runs, and how each stands."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convscope.errors import UserError
from convscope.names import visible
from convscope.web.frame.catalogue import Gone

if TYPE_CHECKING:
    from convscope.sweeps.driving.folder import SweepFolder
    from convscope.sweeps.planning.plan import CellState, PlannedCell

STATES: tuple["CellState", ...] = ("running", "waiting", "failed", "cancelled", "done")
"""In the order in which one wants to know of them."""

SECONDS_FRESH = 2.0


@dataclass(frozen=True)
class ShownCell:
    """A cell as the page has it."""

    name: str
    settings: tuple[str, ...]
    state: str
    reason: str | None
    epochs: int
    planned: int
    seconds_left: float | None


@dataclass(frozen=True)
class Standing:
    """A sweep and how it stands.

    Attributes:
        counts: of its cells by state.
        seconds_left: with as many cells at once as run now; None where it is not known.
        driver: who drives it, in words; None: nobody.
        says: what the driver last said of it.
        problem: why it cannot be read.
    """

    key: str
    name: str
    keys: tuple[str, ...] = ()
    cells: tuple[ShownCell, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    seconds_left: float | None = None
    driver: str | None = None
    says: str = ""
    problem: str | None = None


def sweeps_in(folders: Sequence[Path]) -> dict[str, "SweepFolder"]:
    """The sweeps beside the runs of some folders, each with a key."""
    from convscope.sweeps.driving.folder import find_sweeps

    found: dict[str, SweepFolder] = {}
    met: Counter[str] = Counter()
    for folder in dict.fromkeys(folders):
        for sweep in find_sweeps(folder):
            met[sweep.name] += 1
            n = met[sweep.name]
            found[sweep.name if n == 1 else f"{sweep.name}~{n}"] = sweep
    return found


def sweep_of(folders: Sequence[Path], key: str) -> "SweepFolder":
    """The sweep of a key.

    Raises:
        Gone: where there is none.
    """
    found = sweeps_in(folders).get(key)
    if found is None:
        raise Gone(f"There is no sweep {visible(key)}, or no longer.")
    return found


class Standings:
    """How sweeps stand, looked up at most every `SECONDS_FRESH`, however many ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[float, Standing]] = {}

    def of(self, key: str, sweep: "SweepFolder") -> Standing:
        """How a sweep stands; one that cannot be read says why."""
        with self._lock:
            at, known = self._known.get(sweep.path, (-float("inf"), None))
            if known is None or time.monotonic() - at >= SECONDS_FRESH:
                known = standing(key, sweep)
                self._known[sweep.path] = time.monotonic(), known
            return known

    def forget(self) -> None:
        """Look again: something was changed."""
        with self._lock:
            self._known.clear()


def standing(key: str, sweep: "SweepFolder") -> Standing:
    """How a sweep stands now."""
    from convscope.sweeps.driving.overview import cells_of
    from convscope.sweeps.driving.table import settings_apart

    try:
        cells = cells_of(sweep)
        is_driven = sweep.is_driven
        says = str(sweep.driver.get("standing", "")) if is_driven else ""
    except UserError as error:
        return Standing(key, sweep.name, problem=str(error))
    keys, settings = settings_apart(cells)
    counts = Counter(cell.state for cell in cells)
    shown = [_shown(cell, own) for cell, own in zip(cells, settings, strict=True)]
    shown.sort(key=lambda cell: STATES.index(cell.state))
    return Standing(
        key,
        sweep.name,
        tuple(keys),
        tuple(shown),
        tuple((state, counts[state]) for state in STATES if counts[state]),
        time_left(cells),
        sweep.driver_in_words if is_driven else None,
        says,
    )


def time_left(cells: Sequence["PlannedCell"]) -> float | None:
    """Seconds until all is done, with as many at once as run now; None where one is not known."""
    left = [cell.seconds_left for cell in cells if cell.state in ("running", "waiting")]
    known = [seconds for seconds in left if seconds is not None]
    if len(known) < len(left):
        return None
    return sum(known) / max(1, sum(cell.state == "running" for cell in cells))


def _shown(cell: "PlannedCell", settings: tuple[str, ...]) -> ShownCell:
    train: Any = cell.cell.train
    epochs = train.epochs if cell.state == "done" else cell.epochs
    name = cell.cell.name
    left = cell.seconds_left if cell.state in ("running", "waiting") else None
    return ShownCell(name, settings, cell.state, cell.reason, epochs, train.epochs, left)
