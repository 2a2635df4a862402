"""The driver: gives the cells of a sweep to the slots of a pool until none is left to train."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from convscope.errors import RunFailed
from convscope.folder_lock import is_locked
from convscope.run import Run
from convscope.sweeps.driving.cells import Standing, SweepCell, duration
from convscope.sweeps.driving.folder import SweepFolder
from convscope.sweeps.driving.messages import Ended, EpochKept, Event, Loading, Slot, Stepped, Task
from convscope.sweeps.driving.monitor import Reading
from convscope.sweeps.driving.pace import Pace
from convscope.sweeps.driving.politeness import Politeness
from convscope.sweeps.planning.config import SweepConfig
from convscope.training.attempt import Held, held

POLL_SECONDS = 0.2
TELL_SECONDS = 10.0
"""How often other processes can read how the sweep stands."""
LOG_SECONDS = 60.0
"""How often the log says how the sweep stands."""
WAIT_SECONDS = {"held": 1.0, "no room": 60.0}
"""How long a cell waits at least before it is tried again."""


class Pool(Protocol):
    """Slots, and what goes on in them."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Those that are there now."""

    @property
    def threads(self) -> int:
        """CPU threads for each of them, so that together they take what there is."""

    def start(self, slot: Slot, tasks: Sequence[Task]) -> None:
        """Train a cell, or several together, in a slot that is free."""

    def pause(self, slot: Slot, reason: str) -> None:
        """End what goes on in a slot, in all its seats, after its next epoch."""

    def kill(self, slot: Slot, reason: str) -> None:
        """End what goes on in a slot, in all its seats, at once."""

    def poll(self, timeout: float) -> list[Event]:
        """What came to pass, after at most `timeout` seconds where it was nothing."""

    def reading(self, host: str, /) -> Reading | None:
        """The latest reading of a machine; None while there is none."""

    def close(self) -> None:
        """End all attempts; what is trained keeps its last epoch."""


class View:
    """Is shown how a sweep gets on; this one shows nothing."""

    def line(self, text: str) -> None:
        """Something came to pass."""

    def show(self, standing: Standing) -> None:
        """How the sweep stands now; called several times a second."""


@dataclass
class Sweep:
    """What a driver needs to know, and where it tells of it."""

    folder: SweepFolder
    cells: list[SweepCell]
    config: SweepConfig
    view: View

    def log(self, text: str) -> None:
        """Tell what came to pass, and keep it."""
        self.folder.log(text)
        self.view.line(text)


class Driver:
    """Trains the cells of a sweep.

    Args:
        sweep: which cells, in the order in which they are started.
        pool: where.
        politeness: says what must wait for other people.
        clock: seconds that never jump.
    """

    def __init__(
        self,
        sweep: Sweep,
        pool: Pool,
        politeness: Politeness,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sweep = sweep
        self._pool = pool
        self._politeness = politeness
        self._clock = clock
        self._running: dict[Slot, SweepCell] = {}
        self._groups = {name: i for i, names in enumerate(sweep.folder.together) for name in names}
        self._pace = Pace()
        self._told = self._logged = clock()

    def run(self) -> Standing:
        """Train until no cell waits or runs, or the sweep is asked to stop.

        Raises:
            RunFailed: where the folder of runs cannot be written.
        """
        try:
            while self._has_more() and not self._sweep.folder.is_to_stop:
                self._start_cells()
                for event in self._pool.poll(POLL_SECONDS):
                    self._heed(event)
                self._end_silent()
                self._make_way()
                self._tell()
        finally:
            self._stop_all()
        return self._standing()

    def _has_more(self) -> bool:
        return any(cell.state in ("waiting", "running") for cell in self._sweep.cells)

    def _start_cells(self) -> None:
        self._drop_cancelled()
        waiting = [cell for cell in self._sweep.cells if cell.state == "waiting"]
        taken = {seat.place for seat in self._running}
        for slot in self._pool.slots:
            if slot not in taken and (cells := self._next(slot, waiting)):
                for cell in cells:
                    waiting.remove(cell)
                self._start(slot, cells)

    def _next(self, slot: Slot, waiting: list[SweepCell]) -> list[SweepCell]:
        """The first cell that may start in a slot, and those that are trained together with it.

        The others are told why they may not start.
        """
        now, running = self._clock(), list(self._running.values())
        for cell in waiting:
            if cell.not_before > now or not _suits(cell, slot):
                continue
            group = self._group(cell, waiting)
            wait = self._politeness.why_wait(slot, cell, running, len(group))
            cell.reason = wait or self._why_held(cell)
            if cell.reason is None:
                return [each for each in group if each is cell or not self._why_held(each)]
        return []

    def _group(self, cell: SweepCell, waiting: list[SweepCell]) -> list[SweepCell]:
        """A cell and those that can begin together with it."""
        group, now = self._groups.get(cell.name), self._clock()
        if group is None or cell.alone:
            return [cell]
        return [
            each
            for each in waiting
            if self._groups.get(each.name) == group and not each.alone and each.not_before <= now
        ]

    def _why_held(self, cell: SweepCell) -> str | None:
        """Why a cell waits that another process trains; None where nobody does."""
        folder = self._run(cell).folder
        if not folder.is_dir() or not is_locked(folder):
            return None
        cell.not_before = self._clock() + WAIT_SECONDS["held"]
        return "another process trains it"

    def _start(self, slot: Slot, cells: list[SweepCell]) -> None:
        for seat, cell in zip(slot.seats(len(cells)), cells, strict=True):
            cell.state, cell.reason, cell.slot = "running", None, seat
            cell.started = cell.heard = self._clock()
            cell.gained, cell.step, cell.in_company = False, 0.0, len(cells) > 1
            self._running[seat] = cell
        folder = self._sweep.folder
        configs = [(cell.name, cell.planned.cell.config) for cell in cells]
        self._pool.start(slot, [Task(*each, folder.out, folder.threads) for each in configs])
        for cell in cells:
            self._log(f"{cell.name} starts{_how(cell, slot, len(cells))}")

    def _heed(self, event: Event) -> None:
        cell = self._running.get(event.slot)
        if cell is None:
            return
        cell.heard = self._clock()
        match event:
            case Loading(_, done, total):
                cell.reason = f"decoding clip {done} of {total}"
            case Stepped(_, _, done, total):
                cell.step = done / total
            case EpochKept(_, row):
                self._count_epoch(cell, row)
            case Ended():
                self._end(cell, event)

    def _count_epoch(self, cell: SweepCell, row: dict[str, float]) -> None:
        cell.epoch, cell.step = int(row["epoch"]), 0.0
        cell.gained, cell.failures = True, 0
        self._pace.add(cell, row["seconds"])
        if cell.memory_bytes is None:
            self._learn_memory(cell)

    def _learn_memory(self, cell: SweepCell) -> None:
        """What the training of this cell takes is what those of its like take."""
        measured = self._run(cell).status.get("peak_memory_bytes")
        cell.memory_bytes = measured
        for other in self._sweep.cells:
            if other.footprint is not None and other.footprint == cell.footprint:
                other.memory_bytes = measured

    def _end(self, cell: SweepCell, ended: Ended) -> None:
        slot = ended.slot
        del self._running[slot]
        cell.slot, cell.reason = None, ended.reason
        cell.state = "waiting"
        cell.not_before = self._clock() + WAIT_SECONDS.get(ended.how, 0.0)
        match ended.how:
            case "done":
                self._finish(cell)
            case "disk":
                raise RunFailed(ended.reason or "the folder of runs cannot be written")
            case "died" if self._run(cell).is_done:
                self._finish(cell)  # its last word was lost, not its result
            case "failed" | "died" | "no room" if cell.in_company:
                cell.alone = True  # whoever's fault it was: the others must not suffer from it
                self._log(f"{cell.name} ended and is tried again alone: {ended.reason}")
            case "no data":
                self._fail_without_data(cell, ended.reason)
            case "failed" | "died":
                self._fail(cell, ended.reason)
            case "no room" if not self._politeness.is_crowded(slot, list(self._running.values())):
                self._fail(cell, ended.reason)  # it had the GPU for itself
            case _:
                self._log(f"{cell.name} waits: {ended.reason}")

    def _finish(self, cell: SweepCell) -> None:
        cell.state, cell.reason = "done", None
        scores = self._run(cell).scores
        cell.epoch = scores["epochs"]
        seconds = duration(self._clock() - cell.started)
        self._log(f"{cell.name} is done: test accuracy {scores['accuracy']:.4f}, {seconds}")

    def _fail_without_data(self, cell: SweepCell, reason: str | None) -> None:
        """What lacks one cell's data lacks those of all cells that want the same: said once."""
        data = cell.planned.cell.data
        same = [
            each
            for each in self._sweep.cells
            if each.state == "waiting" and each.planned.cell.data == data
        ]
        for each in same:
            each.state, each.reason = "failed", reason
        self._log(f"{len(same)} cells failed for lack of their data: {reason}")

    def _fail(self, cell: SweepCell, reason: str | None) -> None:
        """An attempt ended badly; one that had finished an epoch was not in vain."""
        limit = self._sweep.config.attempts
        if not cell.gained:
            cell.failures += 1
        self._keep_failure(cell, reason)
        if cell.failures >= limit:
            cell.state = "failed"
            self._log(f"{cell.name} is kept as failed after {limit} attempts: {reason}")
        else:
            self._log(f"{cell.name} failed and is tried again: {reason}")

    def _keep_failure(self, cell: SweepCell, reason: str | None) -> None:
        """Keep the count with the run, so that whoever drives the sweep next knows it."""
        run = self._run(cell)
        with suppress(Held, OSError):
            run.folder.mkdir(exist_ok=True)
            with held(run):
                run.tidy()
                run.write_status(
                    state="failed", reason=reason, failures=cell.failures, failed_after=cell.epoch
                )

    def _end_silent(self) -> None:
        """Kill what gives no sign of life, or takes longer than it may."""
        now, config = self._clock(), self._sweep.config
        for slot, cell in list(self._running.items()):
            if now - cell.heard > config.silence_seconds:
                limit = duration(config.silence_seconds)
                self._kill(slot, f"it gave no sign of life for {limit} (sweep.silence_seconds)")
            elif config.cell_seconds is not None and now - cell.started > config.cell_seconds:
                limit = duration(config.cell_seconds)
                self._kill(slot, f"it took longer than {limit} (sweep.cell_seconds)")

    def _kill(self, slot: Slot, reason: str) -> None:
        cell = self._running[slot]
        cell.heard = cell.started = self._clock()  # so that it is killed once
        self._pool.kill(slot, reason)

    def _make_way(self) -> None:
        """Pause, after their epoch, the cells on a GPU that other people have come to."""
        for slot, cell in self._running.items():
            reason = self._politeness.must_pause(slot)
            if reason is not None and cell.reason != reason:
                cell.reason = reason
                self._pool.pause(slot, reason)

    def _drop_cancelled(self) -> None:
        cancelled = self._sweep.folder.cancelled
        for cell in self._sweep.cells:
            if cell.name in cancelled and cell.state == "waiting":
                cell.state, cell.reason = "cancelled", None
            elif cell.name in cancelled and cell.slot is not None and cell.reason != CANCELLED:
                cell.reason = CANCELLED
                self._pool.pause(cell.slot, CANCELLED)

    def _tell(self) -> None:
        standing, now = self._standing(), self._clock()
        self._sweep.view.show(standing)
        if now - self._told >= TELL_SECONDS:
            self._told = now
            with suppress(OSError):
                self._sweep.folder.tell({"standing": standing.line()})
        if now - self._logged >= LOG_SECONDS:
            self._logged = now
            self._log(standing.line())

    def _standing(self) -> Standing:
        cells = self._sweep.cells
        return Standing(cells, self._pace.seconds_left(cells, len(self._pool.slots)))

    def _stop_all(self) -> None:
        self._pool.close()
        for cell in self._running.values():
            cell.state, cell.reason, cell.slot = "waiting", None, None
        self._running.clear()
        self._log(self._standing().line())

    def _run(self, cell: SweepCell) -> Run:
        return Run(self._sweep.folder.out / cell.name)

    def _log(self, text: str) -> None:
        self._sweep.log(text)


CANCELLED = "cancelled"
"""The reason for which a cell is paused that its user does not want any more."""


def _how(cell: SweepCell, slot: Slot, n_together: int) -> str:
    """From where a cell goes on, in which slot, in what company."""
    where = slot.host if slot.gpu is None else f"{slot.host}, {slot.gpu}"
    goes_on = f" after epoch {cell.epoch}" if cell.epoch else ""
    company = f", {n_together} cells together" if n_together > 1 else ""
    return f"{goes_on} on {where}, slot {slot.index}{company}"


def _suits(cell: SweepCell, slot: Slot) -> bool:
    """Whether a slot has the device that a cell asks for."""
    device = cell.planned.cell.train.device
    return device == "auto" or (device == "cpu") == (slot.gpu is None)
