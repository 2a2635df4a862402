"""What a driver and its workers tell each other."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from convscope.sweeps.driving.shared_data import Head


@dataclass(frozen=True)
class Slot:
    """A place for one worker.

    Attributes:
        host: the name of its machine.
        index: its number on that machine.
        gpu: the UUID of the GPU that it computes on; None for the CPU.
        seat: which of the cells that are trained there together; the first is 0.
    """

    host: str
    index: int
    gpu: str | None = None
    seat: int = 0

    @property
    def place(self) -> "Slot":
        """The slot without the seat: the same for all cells in it."""
        return replace(self, seat=0)

    def seats(self, n: int) -> list["Slot"]:
        """One for each of `n` cells."""
        return [replace(self, seat=seat) for seat in range(n)]


@dataclass(frozen=True)
class Task:
    """One attempt at one cell.

    Attributes:
        name: of the cell, and of its run folder.
        config: the whole cell, `Cell.config`.
        out: the folder that holds the run folders.
        threads: CPU threads, unless the cell or its run says otherwise.
    """

    name: str
    config: dict[str, Any]
    out: Path
    threads: int


Ending: TypeAlias = Literal[
    "done",
    "failed",  # by an error of its own
    "died",  # its worker did
    "paused",  # as it was told to, after an epoch that is kept
    "held",  # by another process
    "no room",  # on the GPU
    "disk",  # the run folder cannot be written
    "no data",  # they cannot be loaded
    "lost",  # its host did not answer any more
]
"""How an attempt ended."""


@dataclass(frozen=True)
class Loading:
    """`done` of `total` clips of the cell's data are decoded; they are not in the cache yet."""

    slot: Slot
    done: int
    total: int


@dataclass(frozen=True)
class Stepped:
    """A sign of life: `done` of `total` steps of an epoch are made."""

    slot: Slot
    epoch: int
    done: int
    total: int


@dataclass(frozen=True)
class EpochKept:
    """An epoch is done and kept: its row of epochs.csv."""

    slot: Slot
    row: dict[str, float]


@dataclass(frozen=True)
class Ended:
    """An attempt is over, and its slot is free, or its seat in it."""

    slot: Slot
    how: Ending
    reason: str | None = None


Event: TypeAlias = Loading | Stepped | EpochKept | Ended
"""What a driver hears of a slot."""


@dataclass(frozen=True)
class Ready:
    """A worker's first word: it can compute."""


@dataclass(frozen=True)
class Data:
    """The data set of the cells that follow; the file of its clips comes next."""

    head: "Head"


@dataclass(frozen=True)
class Train:
    """One attempt at a cell, or at several that are trained together."""

    slot: Slot
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Pause:
    """End the attempt after its next epoch."""

    reason: str


Order: TypeAlias = Data | Train | Pause
"""What a worker is told."""
