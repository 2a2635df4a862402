"""The cells of a sweep as its driver sees them."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from convscope.sweeps.driving.messages import Slot
from convscope.sweeps.planning.plan import CellState, PlannedCell
from convscope.sweeps.planning.size import size_of


@dataclass
class SweepCell:
    """One cell, and how it stands. Times are those of a clock that never jumps, in seconds.

    Attributes:
        planned: the cell and what was known of it when the sweep began.
        state: how it stands.
        reason: why it waits or has failed.
        slot: where it runs.
        epoch: epochs that are kept.
        step: the share of the present epoch that is done.
        failures: attempts in a row that ended badly, without a finished epoch.
        gained: whether the present attempt has finished an epoch.
        in_company: whether the present attempt is made together with others.
        alone: it is trained alone from now on, as an attempt in company ended badly.
        started: when the present attempt began.
        heard: when it last gave a sign of life.
        not_before: it does not start earlier.
        memory_bytes: what its training takes, as measured; None: not known.
    """

    planned: PlannedCell
    state: CellState = "waiting"
    reason: str | None = None
    slot: Slot | None = None
    epoch: int = 0
    step: float = 0.0
    failures: int = 0
    gained: bool = False
    in_company: bool = False
    alone: bool = False
    started: float = 0.0
    heard: float = 0.0
    not_before: float = 0.0
    memory_bytes: int | None = None

    @cached_property
    def name(self) -> str:
        return self.planned.cell.name

    @property
    def host(self) -> str | None:
        """Where it runs."""
        return None if self.slot is None else self.slot.host

    @cached_property
    def footprint(self) -> Hashable:
        """Cells of one footprint take the same memory; None where that cannot be told."""
        size, train = size_of(self.planned.cell), self.planned.cell.train
        return size and (size, train.batch_size, train.precision, train.device)

    @property
    def epochs(self) -> int:
        """Epochs of the whole training, unless it ends early."""
        return self.planned.cell.train.epochs


@dataclass(frozen=True)
class Standing:
    """How a sweep stands.

    Attributes:
        cells: all of them.
        seconds_left: for what waits and runs; None while nothing was measured.
    """

    cells: Sequence[SweepCell]
    seconds_left: float | None

    def count(self, state: CellState) -> int:
        return sum(cell.state == state for cell in self.cells)

    @property
    def waiting(self) -> dict[str, int]:
        """How many cells wait for which reason."""
        reasons = (cell.reason for cell in self.cells if cell.state == "waiting")
        return dict(Counter(reason or "no free slot" for reason in reasons))

    def line(self) -> str:
        """All of it on one line."""
        states: tuple[CellState, ...] = ("done", "running", "failed", "cancelled")
        parts = [f"{self.count(state)} {state}" for state in states if self.count(state)]
        parts += [f"{n} waiting ({reason})" for reason, n in self.waiting.items()]
        left = "" if self.seconds_left is None else f"; {duration(self.seconds_left)} left"
        cells = "1 cell" if len(self.cells) == 1 else f"{len(self.cells):,} cells"
        return f"{cells}: {', '.join(parts)}{left}"


def duration(seconds: float) -> str:
    """A time in the two units that say most: 5 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    rest = max(0, round(seconds))
    parts: list[str] = []
    for unit, size in units:
        if rest >= size or (unit == "s" and not parts):
            parts.append(f"{rest // size} {unit}")
            rest %= size
        elif parts:
            break
    return " ".join(parts[:2])
