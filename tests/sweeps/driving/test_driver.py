"""The driver, with a pool that trains nothing, other people out of a hat, and its own clock."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import RunFailed
from convscope.run import SCORES, Run
from convscope.servers.admission.limits import Limits
from convscope.sweeps.driving.cells import Standing, SweepCell
from convscope.sweeps.driving.driver import Driver, Sweep, View
from convscope.sweeps.driving.folder import SweepFolder
from convscope.sweeps.driving.messages import (
    Ended,
    Ending,
    EpochKept,
    Event,
    Loading,
    Slot,
    Stepped,
    Task,
)
from convscope.sweeps.driving.monitor import Reading
from convscope.sweeps.driving.politeness import Politeness
from convscope.sweeps.planning.config import SweepConfig
from convscope.sweeps.planning.grid import make_sweep
from convscope.sweeps.planning.plan import failures, plan
from convscope.training.attempt import held
from convscope.training.cell import Cell

CPU = Slot("here", 0)
GIB = 2**30
MOST_LOOKS = 5000

Cells = Callable[..., tuple[Cell, ...]]
Scripts = dict[str, Any]
"""For the name of a cell what comes to pass in each attempt at it."""


class FakePool:
    """Slots in which nothing is trained: a script for each cell says what comes to pass there.

    Args:
        slots: of it.
        out: where runs lie.
        scripts: for each attempt at a cell a list of events, or of functions that are called; the
            last list stands for all later attempts.
        tick: seconds that pass with each look.
    """

    threads = 1

    def __init__(
        self,
        slots: Sequence[Slot],
        out: Path,
        scripts: Scripts,
        tick: float = 1.0,
    ) -> None:
        self.slots = tuple(slots)
        self.out = out
        self.tick = tick
        self.now = 0.0
        self.machine: dict[str, Any] = {"gpus": []}
        self.started: list[tuple[str, Slot, float]] = []
        self.most_at_once = 0
        self.said: list[str] = []
        self.is_closed = False
        self._looks = 0
        self.scripts = scripts
        self._going: dict[Slot, tuple[str, list[Any]]] = {}

    def start(self, slot: Slot, tasks: Sequence[Task]) -> None:
        assert slot not in {seat.place for seat in self._going}, "a slot is given what it can take"
        for seat, task in zip(slot.seats(len(tasks)), tasks, strict=True):
            attempts = self.scripts.get(task.name) or [[*epochs(1), "done"]]
            n = sum(name == task.name for name, *_ in self.started)
            self.started.append((task.name, seat, self.now))
            self._going[seat] = task.name, list(attempts[min(n, len(attempts) - 1)])
        self.most_at_once = max(self.most_at_once, len(self._going))

    def pause(self, slot: Slot, reason: str) -> None:
        self.said.append(f"pause {self._going[slot][0]}: {reason}")
        self._end(slot, Ended(slot, "paused", reason))

    def kill(self, slot: Slot, reason: str) -> None:
        self.said.append(f"kill {self._going[slot][0]}: {reason}")
        for seat in [each for each in self._going if each.place == slot.place]:
            self._end(seat, Ended(seat, "died", reason))

    def poll(self, timeout: float) -> list[Event]:
        self._looks += 1
        assert self._looks < MOST_LOOKS, "the sweep does not come to its end"
        self.now += self.tick
        return [event for slot in list(self._going) for event in self._events(slot)]

    def reading(self, host: str) -> Reading:
        return Reading(self.machine, ())

    def close(self) -> None:
        self.is_closed = True

    def _events(self, slot: Slot) -> list[Event]:
        name, script = self._going[slot]
        what = script.pop(0) if script else None
        match what:
            case None:
                return []
            case "done":
                leave_scores(self.out / name)
                return [self._over(slot, Ended(slot, "done"))]
            case Ended():
                return [self._over(slot, replace(what, slot=slot))]
            case EpochKept() | Stepped() | Loading():
                return [replace(what, slot=slot)]
        what()
        return []

    def _end(self, slot: Slot, ended: Ended) -> None:
        """It takes a while."""
        name, _ = self._going[slot]
        self._going[slot] = name, [lambda: None, lambda: None, ended]

    def _over(self, slot: Slot, ended: Ended) -> Ended:
        del self._going[slot]
        return ended


def epochs(n: int, seconds: float = 1.0) -> list[EpochKept]:
    return [EpochKept(CPU, {"epoch": i, "seconds": seconds}) for i in range(1, n + 1)]


def ended(how: Ending, reason: str = "for a reason") -> Ended:
    return Ended(CPU, how, reason)


def leave_scores(folder: Path) -> None:
    Run(folder).write_json(SCORES, {"epochs": 1, "accuracy": 0.5})


class Lines(View):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


class Fake:
    """A sweep of some cells, and the driver over a fake pool."""

    def __init__(
        self,
        cells: Sequence[Cell],
        out: Path,
        scripts: Scripts | None = None,
        slots: Sequence[Slot] = (CPU,),
        config: SweepConfig = SweepConfig(),  # noqa: B008  # it is frozen
        limits: Limits | None = None,
        tick: float = 1.0,
        together: Sequence[Sequence[str]] = (),
    ) -> None:
        self.cells = [SweepCell(each) for each in plan(cells, out, config.attempts)]
        self.folder = SweepFolder(out, "fake")
        self.folder.create([], [cell.name for cell in self.cells], 1, together)
        self.pool = FakePool(slots, out, scripts or {}, tick)
        self.view = Lines()
        self._config = config
        self._politeness = Politeness(lambda _: limits, self.pool.reading, 1, login="me")

    def run(self) -> Standing:
        sweep = Sweep(self.folder, self.cells, self._config, self.view)
        driver = Driver(sweep, self.pool, self._politeness, clock=lambda: self.pool.now)
        return driver.run()

    @property
    def log(self) -> str:
        return (self.folder.path / "log.txt").read_text()

    @property
    def started(self) -> list[str]:
        return [name for name, *_ in self.pool.started]

    def times(self, name: str) -> list[float]:
        return [now for started, _, now in self.pool.started if started == name]


def names_of(cells: Sequence[Cell]) -> list[str]:
    return [cell.name for cell in cells]


def states(standing: Standing) -> dict[str, str]:
    return {cell.name: cell.state for cell in standing.cells}


def test_cells_are_started_in_their_order_and_no_more_at_once_than_there_are_slots(
    cells: Cells, tmp_path: Path
) -> None:
    five = cells(model__kernel=[3, 5, 7, 9, 11])
    fake = Fake(five, tmp_path, slots=(CPU, Slot("here", 1)))
    standing = fake.run()
    assert fake.started == names_of(five)
    assert fake.pool.most_at_once == 2
    assert set(states(standing).values()) == {"done"}
    assert fake.pool.is_closed


def test_a_cell_that_fails_three_times_in_a_row_is_kept_as_failed_and_harms_no_other(
    cells: Cells, tmp_path: Path
) -> None:
    bad, good = names_of(two := cells(model__kernel=[3, 5]))
    fake = Fake(two, tmp_path, {bad: [[ended("died", "its worker was ended by SIGSEGV")]]})
    standing = fake.run()
    assert states(standing) == {bad: "failed", good: "done"}
    assert fake.started == [bad, bad, bad, good]
    assert standing.cells[0].reason == "its worker was ended by SIGSEGV"
    status = Run(tmp_path / bad).status
    assert (status["state"], status["failures"]) == ("failed", 3)
    assert "kept as failed after 3 attempts: its worker was ended by SIGSEGV" in fake.log
    assert plan(two, tmp_path, 3)[0].state == "failed"


def test_a_finished_epoch_makes_the_failures_before_it_void(cells: Cells, tmp_path: Path) -> None:
    [name] = names_of(one := cells(model__kernel=[3]))
    fail = [ended("failed")]
    scripts = {name: [fail, fail, [*epochs(1), *fail], fail, fail, [*epochs(1), "done"]]}
    assert states(Fake(one, tmp_path, scripts).run()) == {name: "done"}


def test_failures_are_counted_on_by_the_next_driver(cells: Cells, tmp_path: Path) -> None:
    [name] = names_of(one := cells(model__kernel=[3]))
    first = Fake(one, tmp_path)
    first.pool.scripts[name] = [[ended("died")], [ended("died")], [first.folder.stop]]
    first.run()
    kept = Run(tmp_path / name).status
    assert failures(kept, epochs=0) == 2
    assert failures(kept, epochs=1) == 0  # an epoch that was kept meanwhile makes them void


@pytest.mark.parametrize("how", ["paused", "held", "lost"])
def test_an_attempt_that_ended_by_nobodys_fault_is_no_failure(
    cells: Cells, tmp_path: Path, how: Ending
) -> None:
    [name] = names_of(one := cells(model__kernel=[3]))
    fake = Fake(one, tmp_path, {name: [[ended(how)]] * 5 + [["done"]]})
    assert states(fake.run()) == {name: "done"}
    assert fake.cells[0].failures == 0
    assert len(fake.started) == 6


def test_a_cell_that_another_process_trains_waits_until_that_has_ended(
    cells: Cells, tmp_path: Path
) -> None:
    first, second = names_of(two := cells(model__kernel=[3, 5]))
    Run(tmp_path / first).folder.mkdir()
    lock = held(Run(tmp_path / first))
    lock.__enter__()
    release = partial(lock.__exit__, None, None, None)
    fake = Fake(two, tmp_path, {second: [[*epochs(1), release, "done"]]})
    assert states(fake.run()) == {first: "done", second: "done"}
    assert fake.started == [second, first]


def test_a_cell_without_room_is_tried_again_a_minute_later_and_fails_where_it_was_alone(
    cells: Cells, tmp_path: Path
) -> None:
    [name] = names_of(one := cells(model__kernel=[3]))
    fake = Fake(one, tmp_path, {name: [[ended("no room", "too small")]]})
    assert states(fake.run()) == {name: "failed"}
    an_attempt = fake.pool.tick
    assert fake.times(name) == [0, an_attempt + 60, 2 * (an_attempt + 60)]


def test_a_cell_without_room_beside_others_has_not_failed(cells: Cells, tmp_path: Path) -> None:
    first, second = names_of(two := cells(model__kernel=[3, 5]))
    scripts = {first: [[*epochs(99), "done"]], second: [[ended("no room")]] * 5 + [["done"]]}
    fake = Fake(two, tmp_path, scripts, slots=(GPU, SAME_GPU), tick=5)
    fake.pool.machine = {"gpus": [gpu("GPU-a")]}
    for cell in fake.cells:
        cell.memory_bytes = GIB
    assert states(fake.run()) == {first: "done", second: "done"}
    assert fake.cells[1].failures == 0


def test_a_cell_that_gives_no_sign_of_life_is_killed_once_an_attempt(
    cells: Cells, tmp_path: Path
) -> None:
    [name] = names_of(one := cells(model__kernel=[3]))
    signs = [Stepped(CPU, 1, 1, 9), Loading(CPU, 1, 9)] * 10
    config = SweepConfig(silence_seconds=5, attempts=2)
    fake = Fake(one, tmp_path, {name: [signs, []]}, config=config)
    standing = fake.run()
    reason = "it gave no sign of life for 5 s (sweep.silence_seconds)"
    assert fake.pool.said == [f"kill {name}: {reason}"] * 2
    assert standing.cells[0].reason == reason
    assert fake.times(name)[1] > 20, "as long as there are signs it goes on"


def test_an_attempt_that_lasts_too_long_is_killed_and_its_epochs_are_no_failure(
    cells: Cells, tmp_path: Path
) -> None:
    [name] = names_of(one := cells(model__kernel=[3]))
    slow = [*epochs(9, seconds=1.0)]
    config = SweepConfig(cell_seconds=6, attempts=1)
    fake = Fake(one, tmp_path, {name: [slow, ["done"]]}, config=config)
    assert states(fake.run()) == {name: "done"}
    assert fake.pool.said == [f"kill {name}: it took longer than 6 s (sweep.cell_seconds)"]


def test_a_dead_worker_whose_run_is_done_has_not_failed(cells: Cells, tmp_path: Path) -> None:
    """It was killed after the manifest was written and before it could say so."""
    [name] = names_of(one := cells(model__kernel=[3]))

    def finish() -> None:
        leave_scores(tmp_path / name)
        Run(tmp_path / name).write_json("manifest.json", {})
        Run(tmp_path / name).write_status(state="done")

    fake = Fake(one, tmp_path, {name: [[finish, ended("died")]]})
    assert states(fake.run()) == {name: "done"}
    assert Run(tmp_path / name).status == {"state": "done"}
    assert len(fake.started) == 1


def test_a_disk_that_takes_nothing_ends_the_sweep_and_counts_no_attempt(
    cells: Cells, tmp_path: Path
) -> None:
    first, _ = names_of(two := cells(model__kernel=[3, 5]))
    fake = Fake(two, tmp_path, {first: [[ended("disk", "the disk is full")]]})
    with pytest.raises(RunFailed, match="the disk is full"):
        fake.run()
    assert fake.pool.is_closed
    assert [cell.failures for cell in fake.cells] == [0, 0]
    assert [cell.state for cell in fake.cells] == ["waiting", "waiting"]


def test_cells_whose_data_cannot_be_loaded_fail_at_once_but_not_for_good(
    cells: Cells, tmp_path: Path
) -> None:
    first, second = names_of(two := cells(model__kernel=[3, 5]))
    fake = Fake(two, tmp_path, {first: [[ended("no data", "no such folder")]]})
    standing = fake.run()
    assert states(standing) == {first: "failed", second: "failed"}, "they want the same data"
    assert {cell.reason for cell in standing.cells} == {"no such folder"}
    assert plan(two, tmp_path, 3)[0].state == "waiting"


def test_a_cancelled_cell_is_left_out_and_one_that_runs_is_paused_once(
    cells: Cells, tmp_path: Path
) -> None:
    running, waiting, last = names_of(three := cells(model__kernel=[3, 5, 7]))
    fake = Fake(three, tmp_path)
    fake.pool.scripts[running] = [[lambda: fake.folder.cancel([running, waiting]), *epochs(3)]]
    assert states(fake.run()) == {running: "cancelled", waiting: "cancelled", last: "done"}
    assert fake.pool.said == [f"pause {running}: cancelled"]
    assert fake.started == [running, last]


def test_a_sweep_that_is_asked_to_stop_ends_and_its_cells_wait(
    cells: Cells, tmp_path: Path
) -> None:
    one, two = names_of(both := cells(model__kernel=[3, 5]))
    fake = Fake(both, tmp_path)
    fake.pool.scripts[one] = [[fake.folder.stop, *epochs(9)]]
    assert states(fake.run()) == {one: "waiting", two: "waiting"}
    assert fake.pool.is_closed


def test_ctrl_c_ends_all_attempts_and_counts_none(cells: Cells, tmp_path: Path) -> None:
    [name] = names_of(one := cells(model__kernel=[3]))

    def interrupt() -> None:
        raise KeyboardInterrupt

    fake = Fake(one, tmp_path, {name: [[interrupt]]})
    with pytest.raises(KeyboardInterrupt):
        fake.run()
    assert fake.pool.is_closed
    assert (fake.cells[0].state, fake.cells[0].failures) == ("waiting", 0)


# Other people, and room on a GPU -------------------------------------------------------------

GPU = Slot("here", 0, "GPU-a")
SAME_GPU = Slot("here", 1, "GPU-a")
OTHER_GPU = Slot("here", 2, "GPU-b")


def gpu(uuid: str, *others: tuple[str, int], free: int = 10 * GIB) -> dict[str, Any]:
    processes = [
        {"pid": 1000 + i, "owner": owner, "command": "python", "memory_bytes": held_bytes}
        for i, (owner, held_bytes) in enumerate(others)
    ]
    return {
        "uuid": uuid,
        "index": ord(uuid[-1]) - ord("a"),
        "memory_total_bytes": 10 * GIB,
        "memory_free_bytes": free,
        "memory_used_bytes": 10 * GIB - free,
        "processes": processes,
    }


def test_a_cell_makes_way_for_other_people_after_its_epoch_and_goes_on_when_they_left(
    cells: Cells, tmp_path: Path
) -> None:
    [name] = names_of(one := cells(model__kernel=[3]))
    fake = Fake(one, tmp_path, slots=(GPU,))
    free, taken = [gpu("GPU-a")], [gpu("GPU-a", ("else", GIB))]

    def come() -> None:
        fake.pool.machine = {"gpus": taken}

    def poll_until_they_leave(timeout: float, poll: Any = fake.pool.poll) -> list[Event]:
        if fake.pool.now == 50:
            fake.pool.machine = {"gpus": free}
        return list(poll(timeout))

    fake.pool.poll = poll_until_they_leave  # type: ignore[method-assign]
    fake.pool.machine = {"gpus": free}
    fake.pool.scripts[name] = [[*epochs(1), come, Stepped(CPU, 2, 1, 9)], ["done"]]
    assert states(fake.run()) == {name: "done"}
    reason = "GPU 0 is used by else (python, 1.0 GiB)"
    assert fake.pool.said == [f"pause {name}: {reason}"]
    assert fake.times(name) == [0, 50 + fake.pool.tick]
    assert f"{name} waits: {reason}" in fake.log
    assert fake.cells[0].failures == 0


def test_a_gpu_that_is_another_persons_is_left_alone_while_the_other_works(
    cells: Cells, tmp_path: Path
) -> None:
    two = cells(model__kernel=[3, 5])
    fake = Fake(two, tmp_path, slots=(GPU, OTHER_GPU))
    fake.pool.machine = {"gpus": [gpu("GPU-a", ("else", GIB)), gpu("GPU-b")]}
    fake.run()
    assert {slot for _, slot, _ in fake.pool.started} == {OTHER_GPU}


def test_nothing_is_put_beside_a_cell_whose_memory_was_not_measured(
    cells: Cells, tmp_path: Path
) -> None:
    fake = Fake(cells(model__kernel=[3, 5]), tmp_path, slots=(GPU, SAME_GPU))
    fake.pool.machine = {"gpus": [gpu("GPU-a")]}
    fake.run()
    assert fake.pool.most_at_once == 1


@pytest.mark.parametrize(("needs", "at_once"), [(1, 3), (4, 2), (9, 1)])
def test_cells_are_packed_onto_a_gpu_as_far_as_their_measured_memory_allows(
    cells: Cells, tmp_path: Path, needs: int, at_once: int
) -> None:
    """On 10 GiB: three of 1 GiB, two of 4 GiB, one of 9 GiB."""
    slots = (GPU, SAME_GPU, replace(GPU, index=3))
    fake = Fake(cells(model__kernel=[3, 5, 7, 9]), tmp_path, slots=slots)
    fake.pool.machine = {"gpus": [gpu("GPU-a")]}
    for cell in fake.cells:
        cell.memory_bytes = needs * GIB
    fake.run()
    assert fake.pool.most_at_once == at_once


def test_memory_that_one_cell_took_is_known_of_all_its_like(cells: Cells, tmp_path: Path) -> None:
    """Seeds of one net: the second is put beside the first as soon as that kept an epoch."""
    first, second = names_of(two := cells(train__seed=[0, 1]))
    fake = Fake(two, tmp_path, slots=(GPU, SAME_GPU))
    fake.pool.machine = {"gpus": [gpu("GPU-a")]}

    def measure() -> None:
        Run(tmp_path / first).write_status(peak_memory_bytes=2 * GIB)

    waits = [Stepped(CPU, 1, 1, 9)] * 5
    fake.pool.scripts[first] = [[measure, *waits, *epochs(1), *waits, "done"]]
    fake.run()
    assert [cell.memory_bytes for cell in fake.cells] == [2 * GIB] * 2
    [start] = fake.times(second)
    assert start == 7 * fake.pool.tick
    assert fake.pool.most_at_once == 2


def test_a_cell_that_asks_for_the_cpu_gets_no_slot_with_a_gpu(cells: Cells, tmp_path: Path) -> None:
    config = cells(model__kernel=[3])[0].config
    on_cpu = make_sweep([{**config, "train": {"epochs": 10, "device": "cpu"}}]).cells
    fake = Fake(on_cpu, tmp_path, slots=(GPU, Slot("here", 3)))
    fake.pool.machine = {"gpus": [gpu("GPU-a")]}
    fake.run()
    assert [slot.gpu for _, slot, _ in fake.pool.started] == [None]


def test_how_a_sweep_stands_is_kept_for_other_processes(cells: Cells, tmp_path: Path) -> None:
    [name] = names_of(one := cells(model__kernel=[3]))
    fake = Fake(one, tmp_path, {name: [[*epochs(30), "done"]]}, tick=3)
    told: list[Any] = []
    fake.pool.scripts[name][0].insert(6, lambda: told.append(fake.folder.driver["standing"]))
    fake.run()
    assert told == ["1 cell: 1 running; 6 s left"]  # as of 12 s: 4 of 10 epochs of 1 s are done
    assert fake.log.count(" 1 running") == 1  # once a minute, of 93 s


# Cells that are trained together ----------------------------------------------------------------


def test_the_cells_of_a_group_start_in_the_seats_of_one_slot(cells: Cells, tmp_path: Path) -> None:
    a, b, alone, c = names_of(four := cells(model__kernel=[3, 5, 7, 9]))
    fake = Fake(four, tmp_path, {a: [[*epochs(2), "done"]]}, together=[[a, b, c]])
    standing = fake.run()
    assert fake.pool.started[:3] == [
        (a, CPU, 0.0),
        (b, replace(CPU, seat=1), 0.0),
        (c, replace(CPU, seat=2), 0.0),
    ]
    assert fake.started[3:] == [alone]  # once the last of them is over
    assert set(states(standing).values()) == {"done"}
    assert f"{a} starts on here, slot 0, 3 cells together" in fake.log


@pytest.mark.parametrize("how", ["failed", "died", "no room"])
def test_one_that_fails_in_company_is_tried_alone_and_that_is_not_counted(
    how: Ending, cells: Cells, tmp_path: Path
) -> None:
    bad, good = names_of(two := cells(model__kernel=[3, 5]))
    scripts = {bad: [[ended(how, "it is too large")], [*epochs(1), "done"]]}
    fake = Fake(two, tmp_path, scripts, together=[[bad, good]], config=SweepConfig(attempts=1))
    assert set(states(fake.run()).values()) == {"done"}
    assert fake.started == [bad, good, bad]
    assert f"{bad} ended and is tried again alone: it is too large" in fake.log


def test_what_fails_alone_as_well_is_kept_as_failed(cells: Cells, tmp_path: Path) -> None:
    bad, good = names_of(two := cells(model__kernel=[3, 5]))
    fake = Fake(two, tmp_path, {bad: [[ended("failed")]]}, together=[[bad, good]])
    assert states(fake.run()) == {bad: "failed", good: "done"}
    assert fake.started == [bad, good, bad, bad, bad]


def test_when_their_worker_dies_each_of_them_goes_on_alone(cells: Cells, tmp_path: Path) -> None:
    """One of them did it: nobody knows which."""
    a, b = names_of(two := cells(model__kernel=[3, 5]))
    scripts = {
        a: [[*epochs(1), lambda: None, ended("died")], ["done"]],
        b: [[ended("died")], ["done"]],
    }
    fake = Fake(two, tmp_path, scripts, together=[[a, b]])
    assert set(states(fake.run()).values()) == {"done"}
    assert fake.started == [a, b, a, b]
    assert [slot.seat for _, slot, _ in fake.pool.started] == [0, 1, 0, 0]


def test_a_group_that_gives_no_sign_of_life_is_killed_as_one(cells: Cells, tmp_path: Path) -> None:
    a, b = names_of(two := cells(model__kernel=[3, 5]))
    scripts: Scripts = {name: [[*epochs(1)], ["done"]] for name in (a, b)}
    config = SweepConfig(silence_seconds=5)
    fake = Fake(two, tmp_path, scripts, together=[[a, b]], config=config)
    assert set(states(fake.run()).values()) == {"done"}


def test_those_of_a_group_that_are_done_are_not_waited_for(
    cells: Cells, leave_run: Callable[..., Run], tmp_path: Path
) -> None:
    done, a, b = names_of(three := cells(model__kernel=[3, 5, 7]))
    leave_run(three[0], done=True)
    fake = Fake(three, tmp_path, together=[[done, a, b]])
    for cell in fake.cells[:1]:
        cell.state = "done"
    fake.run()
    assert fake.started == [a, b]
