"""Workers of this machine: one that hangs, dies, is paused too early or cannot be started."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import RunFailed
from convscope.sweeps.driving.messages import Ended, EpochKept, Event, Slot, Task
from convscope.sweeps.local.pool import LocalPool
from convscope.training.cell import make_cell

Recipe = dict[str, Any]
Until = Callable[..., None]

SLOT = Slot("here", 0)
LONG = 120.0


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[LocalPool]:
    pool = LocalPool((SLOT,), tmp_path / "runs", tmp_path / "workers.txt")
    yield pool
    pool.close()


def task_of(recipe: Recipe, out: Path) -> Task:
    cell = make_cell(recipe)
    return Task(cell.name, cell.config, out, threads=1)


def with_net(recipe: Recipe, nets: Path, name: str) -> Recipe:
    return {**recipe, "model": {"family": f"{nets}:{name}"}}


def events_until(pool: LocalPool, until: Until, is_last: Callable[[Event], bool]) -> list[Event]:
    events: list[Event] = []

    def came() -> bool:
        events.extend(pool.poll(0.1))
        return any(map(is_last, events))

    until(came, LONG)
    return events


def events_until_the_end(pool: LocalPool, until: Until) -> list[Event]:
    return events_until(pool, until, lambda event: isinstance(event, Ended))


def is_third_epoch(event: Event) -> bool:
    return isinstance(event, EpochKept) and event.row["epoch"] == 3


def test_a_worker_that_is_killed_when_its_cell_is_done_does_not_end_the_next(
    small_recipe: Recipe, nets: Path, pool: LocalPool, until: Until, tmp_path: Path
) -> None:
    """Nor can it take the next one's blame: that hangs, and holds the interpreter as it does."""
    pool.start(SLOT, [task_of(small_recipe, tmp_path / "runs")])
    events_until(pool, until, is_third_epoch)
    [worker] = pool._workers.values()
    until(worker.connection.poll, LONG)  # its last word is there, but not read
    pool.kill(SLOT, "it took too long")
    assert events_until_the_end(pool, until) == [Ended(SLOT, "done")]

    pool.start(SLOT, [task_of(with_net(small_recipe, nets, "hangs"), tmp_path / "runs")])

    def hangs() -> bool:
        assert pool.poll(0.1) == []
        return (nets.parent / "hangs").exists()

    until(hangs, LONG)
    pool.kill(SLOT, "it gave no sign of life")
    assert events_until_the_end(pool, until) == [Ended(SLOT, "died", "it gave no sign of life")]


def test_a_cell_that_is_paused_before_its_data_are_loaded_does_not_begin(
    small_recipe: Recipe, pool: LocalPool, until: Until, tmp_path: Path
) -> None:
    task = task_of(small_recipe, tmp_path / "runs")
    pool.start(SLOT, [task])
    pool.pause(SLOT, "cancelled")
    assert events_until_the_end(pool, until) == [Ended(SLOT, "paused", "cancelled")]
    assert not (tmp_path / "runs" / task.name).exists()


def test_data_that_are_not_there_end_an_attempt_at_once(
    small_recipe: Recipe, pool: LocalPool, until: Until, tmp_path: Path
) -> None:
    data = {**small_recipe["data"], "folder": str(tmp_path / "nowhere")}
    pool.start(SLOT, [task_of({**small_recipe, "data": data}, tmp_path)])
    [end] = events_until_the_end(pool, until)
    assert isinstance(end, Ended)
    assert end.how == "no data"
    assert "nowhere does not exist" in str(end.reason)


def test_a_worker_that_cannot_be_started_ends_the_sweep_and_says_where_to_look(
    small_recipe: Recipe,
    pool: LocalPool,
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise ImportError('no torch for this machine')")
    path = [str(tmp_path / "broken"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    pool.start(SLOT, [task_of(small_recipe, tmp_path / "runs")])
    with pytest.raises(RunFailed, match=r"no worker can be started: .* in .*workers\.txt"):
        events_until_the_end(pool, until)
    assert "no torch for this machine" in (tmp_path / "workers.txt").read_text()


def test_a_log_that_cannot_be_written_is_told_in_words(
    small_recipe: Recipe, tmp_path: Path
) -> None:
    pool = LocalPool((SLOT,), tmp_path, tmp_path / "nowhere" / "workers.txt")
    with pytest.raises(RunFailed, match=r"no worker can be started: .*nowhere/workers\.txt"):
        pool.start(SLOT, [task_of(small_recipe, tmp_path)])
