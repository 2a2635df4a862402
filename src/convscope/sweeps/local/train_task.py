"""One attempt at one cell, as a worker makes it: how it ended is told, never raised."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from convscope.data.dataset import Dataset
from convscope.errors import NoRoom, RunFailed, UserError
from convscope.run import STATE, Run
from convscope.sweeps.driving.messages import Ended, Ending, EpochKept, Event, Slot, Stepped, Task
from convscope.training.attempt import DiskFull, Held, Interrupted, Unwritable
from convscope.training.cell import Cell, make_cell
from convscope.training.checkpoint import DamagedState
from convscope.training.fit import Watcher, fit
from convscope.training.together.fit_together import fit_together

SECONDS_BETWEEN_SIGNS = 1.0
"""Steps are told of no more often."""


class Pausable(Protocol):
    """Knows why to pause."""

    pause: str | None


class Reporter(Watcher):
    """Tells the driver how the training gets on, and pauses it where it is asked to."""

    def __init__(self, slot: Slot, tell: Callable[[Event], None], inbox: Pausable) -> None:
        self._slot = slot
        self._tell = tell
        self._inbox = inbox
        self._told = 0.0

    def step(self, epoch: int, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told >= SECONDS_BETWEEN_SIGNS:
            self._told = now
            self._tell(Stepped(self._slot, epoch, done, total))

    def epoch(self, row: dict[str, float]) -> None:
        self._tell(EpochKept(self._slot, row))
        if self._inbox.pause is not None:
            raise Interrupted(self._inbox.pause)


def train_tasks(
    slot: Slot,
    tasks: Sequence[Task],
    dataset: Dataset,
    tell: Callable[[Event], None],
    inbox: Pausable,
) -> Iterator[Ended]:
    """Train a cell, or several together, as far as each goes.

    Yields:
        How each ended, as soon as it has.
    """
    if len(tasks) == 1:
        yield train_task(slot, tasks[0], dataset, tell, inbox)
        return
    seats = slot.seats(len(tasks))
    cells = [_cell(task, dataset) for task in tasks]
    watchers = [Reporter(seat, tell, inbox) for seat in seats]
    for place, outcome in fit_together(cells, dataset, tasks[0].out, watchers):
        if isinstance(outcome, Exception):
            yield Ended(seats[place], *_ending(outcome))
        else:
            yield Ended(seats[place], "done")


def train_task(
    slot: Slot, task: Task, dataset: Dataset, tell: Callable[[Event], None], inbox: Pausable
) -> Ended:
    """Train the cell as far as it goes.

    A kept state that is damaged is thrown away: the cell is trained from its start, to the same
    result.

    Args:
        slot: where it is trained.
        task: what is trained.
        dataset: the clips of the cell.
        tell: called with each event of the training.
        inbox: says when to pause.
    """
    watcher = Reporter(slot, tell, inbox)
    try:
        _fit(task, dataset, watcher)
    except DamagedState as error:
        print(f"{task.name} is trained from its start: {error}", file=sys.stderr, flush=True)
        Run(task.out / task.name).path(STATE).unlink(missing_ok=True)
        return train_task(slot, task, dataset, tell, inbox)
    except Exception as error:
        how, reason = _ending(error)
        return Ended(slot, how, reason)
    return Ended(slot, "done")


def _fit(task: Task, dataset: Dataset, watcher: Watcher) -> None:
    cell = _cell(task, dataset)
    fit(cell.model, dataset, cell.train, task.out, watcher)


def _cell(task: Task, dataset: Dataset) -> Cell:
    cell = make_cell(task.config)
    threads = cell.train.threads or task.threads
    return Cell(dataset.config, cell.model, cell.train.model_copy(update={"threads": threads}))


def _ending(error: Exception) -> tuple[Ending, str]:
    match error:
        case Interrupted():
            return "paused", str(error)
        case Held():
            return "held", str(error)
        case NoRoom():
            return "no room", str(error)
        case DiskFull() | Unwritable():
            return "disk", str(error)
        case UserError() | RunFailed():
            return "failed", str(error)
    traceback.print_exception(error)
    return "failed", f"{type(error).__name__}: {error}"
