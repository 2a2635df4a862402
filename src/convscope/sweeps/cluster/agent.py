"""A node's agent: trains there, as `LocalPool` does here, what a driver elsewhere sends.

It knows nothing of what carries its orders and answers. Its methods are called one at a time in
one thread, which lives as long as the process: workers die with the thread that started them.
"""

import os
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch

from convscope.errors import RunFailed, UserError
from convscope.run import Run
from convscope.servers.sensing.sensor import read_machine
from convscope.sweeps.cluster.node_folder import NodeFolder
from convscope.sweeps.cluster.transfer import Changes, Files, put
from convscope.sweeps.driving.folder import WORKERS_LOG
from convscope.sweeps.driving.messages import Ended, Event, Slot, Task
from convscope.sweeps.driving.monitor import Reading
from convscope.sweeps.local.pool import LocalPool
from convscope.sweeps.local.slots import cores, local_slots
from convscope.sweeps.planning.config import SweepConfig
from convscope.sweeps.planning.plan import PlannedCell
from convscope.version import __file__ as version_file
from convscope.version import __version__


@dataclass(frozen=True)
class Share:
    """What of a node is ours.

    Attributes:
        host: the name of the node in its slots.
        cpus: so many cores.
        gpus: so many GPUs; which ones, CUDA_VISIBLE_DEVICES says.
    """

    host: str
    cpus: int
    gpus: int


@dataclass(frozen=True)
class Room:
    """What an agent can train at once.

    Attributes:
        slots: places for one cell each.
        threads: CPU threads for each of them.
    """

    slots: tuple[Slot, ...]
    threads: int


@dataclass(frozen=True)
class Begin:
    """Train a cell in a slot that is free, from what is kept of it."""

    slot: Slot
    task: Task
    files: Files


@dataclass(frozen=True)
class End:
    """End the attempt in a slot: at once, or after its next epoch."""

    slot: Slot
    reason: str
    at_once: bool


AgentOrder: TypeAlias = Begin | End


@dataclass(frozen=True)
class Answer:
    """What came to pass on a node.

    Attributes:
        events: of its slots.
        files: of the run in each slot, those that have changed.
        printed: by the workers.
        reading: the node's latest.
    """

    events: list[Event]
    files: dict[Slot, Files]
    printed: bytes
    reading: Reading


class Agent:
    """Trains on this node.

    Args:
        version: the driver's.
        share: what of this node is ours.

    Raises:
        UserError: where this node has another version.
    """

    def __init__(self, version: str, share: Share) -> None:
        if version != __version__:
            raise UserError(
                f"convscope is {__version__} on {socket.gethostname()}, but {version} "
                "where the sweep was started: install the same on both"
            )
        self._share = share
        self._runs: dict[Slot, Changes] = {}
        self._printed = 0
        _let_workers_import_convscope()

    def open(self, cells: Sequence[PlannedCell], config: SweepConfig) -> Room:
        """Say how many cells can be trained here at once.

        Args:
            cells: of the sweep.
            config: how they are trained.

        Raises:
            UserError: where none can be.
        """
        self._scratch = NodeFolder()
        self._out, self._log = self._scratch.path / "runs", self._scratch.path / WORKERS_LOG
        self._out.mkdir()
        self._log.touch()
        slots = self._slots(cells, config)
        if not slots:
            raise UserError("Ray gives away no CPU there, and torch can use none of its GPUs")
        self._pool = LocalPool(slots, self._out, self._log)
        return Room(slots, max(1, min(cores(), self._share.cpus) // len(slots)))

    def exchange(self, orders: Collection[AgentOrder], timeout: float) -> Answer:
        """Follow orders, and say what came to pass after at most `timeout` seconds.

        Raises:
            RunFailed: where no worker can be started.
            OSError: where the temporary folder cannot be written.
        """
        for order in orders:
            if isinstance(order, Begin):
                self._begin(order)
            elif order.slot in self._runs:  # else it has ended meanwhile by itself
                end = self._pool.kill if order.at_once else self._pool.pause
                end(order.slot, order.reason)
        return self._answer(self._poll(timeout))

    def close(self) -> Answer:
        """End all attempts; what is trained keeps its last epoch."""
        self._pool.close()
        answer = self._answer([])
        self._scratch.remove()
        return answer

    def _slots(self, cells: Sequence[PlannedCell], config: SweepConfig) -> tuple[Slot, ...]:
        has_cuda = self._share.gpus > 0 and torch.cuda.is_available()
        slots = local_slots(cells, config, read_machine(str(self._out)), has_cuda=has_cuda)
        on_gpus = [slot for slot in slots if slot.gpu is not None]
        on_cpus = [slot for slot in slots if slot.gpu is None][: self._share.cpus]
        return tuple(replace(slot, host=self._share.host) for slot in on_gpus + on_cpus)

    def _begin(self, order: Begin) -> None:
        run = Run(self._out / order.task.name)
        for path in run.folder.glob("*"):  # of an attempt that ended here, and went on elsewhere
            path.unlink()
        put(run, order.files)
        changes = self._runs[order.slot] = Changes(run)
        changes.take()
        self._pool.start(order.slot, [replace(order.task, out=self._out)])

    def _poll(self, timeout: float) -> list[Event]:
        try:
            return self._pool.poll(timeout)
        except RunFailed:
            last = self._log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise RunFailed(f"no worker can be started there: {last}") from None

    def _answer(self, events: list[Event]) -> Answer:
        """What the events tell of is in the files, as these are read after them."""
        files = {slot: changes.take() for slot, changes in self._runs.items()}
        for event in events:
            if isinstance(event, Ended):
                del self._runs[event.slot]
        return Answer(events, files, self._newly_printed(), self._pool.reading(""))

    def _newly_printed(self) -> bytes:
        with self._log.open("rb") as file:
            file.seek(self._printed)
            printed = file.read()
        self._printed += len(printed)
        return printed


def _let_workers_import_convscope() -> None:
    """Also where it is not installed, but was found on a path that only this process knows."""
    here = str(Path(version_file).parents[1])
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([here, known] if known else [here])
