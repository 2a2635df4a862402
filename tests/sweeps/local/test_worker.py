"""A worker by itself: it ends with its driver, and heeds what that says."""

import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import pytest

from convscope.data.dataset import Dataset
from convscope.sweeps.driving.messages import (
    Data,
    Ended,
    EpochKept,
    Event,
    Pause,
    Slot,
    Stepped,
    Task,
    Train,
)
from convscope.sweeps.local.train_task import train_task
from convscope.sweeps.local.worker import Inbox
from convscope.training.cell import Cell

Tones = Callable[..., Dataset]

SLOT = Slot("here", 0)


def start_worker(theirs: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "convscope.sweeps.local.worker", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
    )


def test_a_worker_ends_when_its_driver_closes_the_connection_while_it_still_starts() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        worker = start_worker(theirs)
    ours.close()
    assert worker.wait(60) == 0


@dataclass
class Asked:
    """An inbox that asks to pause after some events."""

    after: int
    events: list[Event] = field(default_factory=list)
    pause: str | None = None

    def hear(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) >= self.after:
            self.pause = "someone came"


@pytest.fixture
def task(tones: Tones, cells: Callable[..., tuple[Cell, ...]], tmp_path: Path) -> Task:
    [cell] = cells(train__epochs=[3])
    config = Cell(tones().config, cell.model, cell.train).config
    return Task("a cell", config, tmp_path, threads=1)


def test_an_attempt_tells_of_its_epochs_and_that_it_is_done(tones: Tones, task: Task) -> None:
    asked = Asked(after=99)
    end = train_task(SLOT, task, tones(), asked.hear, asked)
    assert end == Ended(SLOT, "done")
    rows = [event.row for event in asked.events if isinstance(event, EpochKept)]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert isinstance(asked.events[0], Stepped)


def test_an_attempt_that_is_to_pause_ends_after_its_epoch_and_goes_on_later(
    tones: Tones, task: Task
) -> None:
    asked = Asked(after=1)
    end = train_task(SLOT, task, tones(), asked.hear, asked)
    assert end == Ended(SLOT, "paused", "someone came")
    go_on = Asked(after=99)
    assert train_task(SLOT, task, tones(), go_on.hear, go_on) == Ended(SLOT, "done")
    rows = [
        each.row["epoch"] for each in asked.events + go_on.events if isinstance(each, EpochKept)
    ]
    assert rows == [1, 2, 3]


def test_an_attempt_on_other_data_fails_in_words(tones: Tones, task: Task) -> None:
    asked = Asked(after=1)
    train_task(SLOT, task, tones(), asked.hear, asked)
    end = train_task(SLOT, task, tones(seed=1), asked.hear, asked)
    assert end.how == "failed"
    assert "was made for other data" in str(end.reason)


def test_a_pause_counts_for_the_attempt_before_it_and_not_for_the_next(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Over(BaseException):
        """Instead of the end of the process."""

    def end(_code: int) -> Any:
        raise Over

    monkeypatch.setattr("os._exit", end)
    monkeypatch.setattr(Inbox, "_receive_dataset", lambda *_: "clips")
    for orders, pause in (
        ([Data(None), Train(SLOT, (task,)), Pause("someone came")], "someone came"),  # type: ignore[arg-type]
        ([Data(None), Train(SLOT, (task,)), Pause("x"), Train(SLOT, (task,))], None),  # type: ignore[arg-type]
    ):
        theirs, ours = Pipe()
        assert isinstance(theirs, Connection)
        for order in orders:
            ours.send(order)
        ours.close()
        inbox = Inbox(theirs)
        with pytest.raises(Over):
            inbox.listen()
        theirs.close()
        assert inbox.pause == pause
        assert inbox.tasks.get()[0] == Train(SLOT, (task,))
