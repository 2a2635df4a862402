"""The worker processes of this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import send_handle
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

from convscope.data.config import DataConfig
from convscope.data.load import load_dataset
from convscope.errors import RunFailed, UserError
from convscope.sweeps.driving.messages import (
    Data,
    Ended,
    Ending,
    Event,
    Loading,
    Order,
    Pause,
    Ready,
    Slot,
    Task,
    Train,
)
from convscope.sweeps.driving.monitor import Monitor, Reading
from convscope.sweeps.driving.shared_data import SharedDataset, share
from convscope.sweeps.local.slots import cores
from convscope.training.cell import data_kind

SECONDS_TO_END = 3.0
"""A worker that is asked to end, and has not by then, is killed."""


class LocalPool:
    """Workers in the slots of this machine; each process lives as long as it is well.

    Args:
        slots: where cells can be trained.
        out: the folder of runs, whose disk is watched.
        log: what the workers print is appended to this file.
    """

    def __init__(self, slots: tuple[Slot, ...], out: Path, log: Path) -> None:
        self.slots = slots
        self._out = out
        self._log = log
        self._monitor: Monitor | None = None
        self._workers: dict[Slot, _Worker] = {}
        self._datasets = _Datasets()

    @property
    def threads(self) -> int:
        """CPU threads of a worker."""
        return max(1, cores() // len(self.slots))

    def start(self, slot: Slot, tasks: Sequence[Task]) -> None:
        """Train a cell, or several together, in a slot that is free, once the data are loaded."""
        try:
            worker = self._workers.get(slot) or _Worker(slot, self._log)
        except OSError as error:
            raise RunFailed(f"no worker can be started: {error}") from None
        self._workers[slot] = worker
        worker.tasks = dict(zip(slot.seats(len(tasks)), tasks, strict=True))
        self._datasets.request(tasks[0])

    def pause(self, slot: Slot, reason: str) -> None:
        """End the attempts in a slot after their next epoch; where they wait for data, at once."""
        self._workers[slot.place].pause(reason)

    def kill(self, slot: Slot, reason: str) -> None:
        """End the attempts in a slot at once, with their worker."""
        self._workers[slot.place].kill(reason)

    def poll(self, timeout: float) -> list[Event]:
        """What came to pass, after at most `timeout` seconds where it was nothing.

        Raises:
            RunFailed: where no worker can be started.
        """
        events = self._begin_loaded()
        connections = {worker.connection: worker for worker in self._workers.values()}
        for ready in wait(list(connections), 0 if events else timeout):
            assert isinstance(ready, Connection)
            events += self._received(connections[ready])
        return events

    def reading(self, _host: str) -> Reading:
        """The latest reading of this machine; the first is made when it is asked for."""
        if self._monitor is None:
            self._monitor = Monitor(self._out)
        pids = [os.getpid(), *(worker.process.pid for worker in self._workers.values())]
        return Reading(self._monitor.machine, pids)

    def close(self) -> None:
        """End all workers; what they train keeps its last epoch."""
        if self._monitor is not None:
            self._monitor.close()
        workers, self._workers = list(self._workers.values()), {}
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.end()
        self._datasets.close()

    def _begin_loaded(self) -> list[Event]:
        """Hand on the tasks whose data are there."""
        return [
            event
            for worker in self._workers.values()
            if worker.tasks and not worker.is_training
            for event in self._begin(worker)
        ]

    def _begin(self, worker: "_Worker") -> Sequence[Event]:
        """Hand on tasks, or say what came of them before they could be."""
        if worker.paused is not None:
            return worker.all_over("paused", worker.paused)
        try:
            dataset = self._datasets.get(next(iter(worker.tasks.values())))
        except Exception as error:
            return worker.all_over("no data", _in_words(error))
        if isinstance(dataset, tuple):
            return [Loading(seat, *dataset) for seat in worker.tasks]
        # Not before it has imported all: what two threads import at once they may see half made.
        if dataset is not None and worker.is_ready:
            worker.train(dataset)
        return []

    def _received(self, worker: "_Worker") -> Sequence[Event]:
        try:
            event: Event | Ready = worker.connection.recv()
        except (EOFError, OSError):
            del self._workers[worker.slot]
            return worker.died()
        if isinstance(event, Ready):
            worker.is_ready = True
            return []
        if isinstance(event, Ended):
            event = worker.over(event.slot, event.how, event.reason)
            # Killed too late: its next attempt must not be its last.
            if worker.is_killed and not worker.tasks:
                del self._workers[worker.slot]
                worker.end()
        return [event]


class _Worker:
    """The driver's end of one worker process."""

    def __init__(self, slot: Slot, log: Path) -> None:
        self.slot = slot
        self._log = log
        self.tasks: dict[Slot, Task] = {}
        self.is_ready = False
        self.is_training = False
        self.paused: str | None = None
        self._reason: str | None = None
        self._data: SharedDataset | None = None
        ours, theirs = socket.socketpair()
        self.connection = Connection(ours.detach())
        with theirs, log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "convscope.sweeps.local.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(slot),
                start_new_session=True,
            )

    @property
    def is_killed(self) -> bool:
        return self._reason is not None

    def train(self, dataset: SharedDataset) -> None:
        """Begin with the tasks."""
        self.is_training = True
        if dataset is not self._data:
            self._data = dataset
            self.send(Data(dataset.head), dataset.file)
        self.send(Train(self.slot, tuple(self.tasks.values())))

    def send(self, order: Order, file: BinaryIO | None = None) -> None:
        """Send an order; that the worker is dead is found when its answer is read."""
        with suppress(OSError):
            self.connection.send(order)
            if file is not None:
                send_handle(self.connection, file.fileno(), self.process.pid)

    def pause(self, reason: str) -> None:
        if self.is_training:
            self.send(Pause(reason))
        else:
            self.paused = reason

    def kill(self, reason: str) -> None:
        self._reason = reason
        self.process.kill()

    def over(self, seat: Slot, how: Ending, reason: str | None) -> Ended:
        """An attempt is over; after the last of them the worker is ready for others."""
        self.tasks.pop(seat, None)
        if not self.tasks:
            self.is_training, self.paused = False, None
        return Ended(seat, how, reason)

    def all_over(self, how: Ending, reason: str | None) -> list[Ended]:
        """All its attempts are over, in the same way."""
        return [self.over(seat, how, reason) for seat in list(self.tasks)]

    def died(self) -> Sequence[Event]:
        """The process has ended, or is ended here; with it its tasks, if it had any."""
        self.end()
        if not self.is_ready and self.process.returncode >= 0:
            raise RunFailed(f"no worker can be started: what it said is in {self._log}")
        return self.all_over("died", self._reason or _cause_of_death(self.process.returncode))

    def end(self) -> None:
        try:
            self.process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.connection.close()


def _environment(slot: Slot) -> dict[str, str]:
    """A worker sees the GPU of its slot, or none."""
    return {**os.environ, "CUDA_VISIBLE_DEVICES": slot.gpu or ""}


def _cause_of_death(code: int) -> str:
    if code >= 0:
        return f"its worker ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = " (out of memory?)" if -code == signal.SIGKILL else ""
    return f"its worker was ended by {name}{hint}"


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"


@dataclass
class _Datasets:
    """Data sets by the settings that ask for them, each loaded once, in the background."""

    _futures: dict[str, "Future[SharedDataset]"] = field(default_factory=dict)
    _progress: dict[str, tuple[int, int]] = field(default_factory=dict)

    def request(self, task: Task) -> None:
        """Begin to load the data of a task, unless that has begun; what failed is tried again."""
        key = _key(task)
        known = self._futures.get(key)
        if known is None or (known.done() and known.exception()):
            self._futures[key] = Future()
            Thread(target=self._load, args=(key, _data_config(task)), daemon=True).start()

    def get(self, task: Task) -> SharedDataset | tuple[int, int] | None:
        """The data of a task; while they are loaded, how far that is, or None if it is not known.

        Raises:
            Exception: whatever loading them raised.
        """
        key = _key(task)
        future = self._futures[key]
        return future.result() if future.done() else self._progress.pop(key, None)

    def close(self) -> None:
        """Close the files of what was loaded, or is being loaded."""
        for future in self._futures.values():
            future.add_done_callback(_close_file)

    def _load(self, key: str, config: DataConfig) -> None:
        def tell(done: int, total: int) -> None:
            self._progress[key] = (done, total)

        future = self._futures[key]
        try:
            future.set_result(share(load_dataset(config, progress=tell)))
        except BaseException as error:
            future.set_exception(error)


def _close_file(loaded: "Future[SharedDataset]") -> None:
    if not loaded.exception():
        loaded.result().file.close()


def _key(task: Task) -> str:
    return json.dumps(task.config["data"], sort_keys=True)


def _data_config(task: Task) -> DataConfig:
    values: dict[str, Any] = task.config["data"]
    return data_kind(values).model_validate(values)
