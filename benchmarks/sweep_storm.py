"""A sweep whose driver and workers are killed at random, beside one that nobody disturbs.

    python benchmarks/sweep_storm.py --kills 100     about ten minutes on two cores
    python benchmarks/sweep_storm.py --kills 6 --seeds 1 --epochs 4    a small form

The driver is started again each time it was killed. In the end both boards must be the same to the
bit, times aside: no cell lost, none trained twice, no process left that nobody drives, no temporary
file. It needs Linux (`/proc`) and no data: the recordings are tones that it makes itself.

Of the processes that there are, a random one is killed: one time in four within a second of the
last kill, while processes still start; else a random part of a second after some cell has kept an
epoch, so that the storm gets on however slow the machine is. A worker that is killed while it
starts has finished no epoch, so the recipe allows any number of attempts.
"""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from rich.box import SIMPLE
from rich.table import Table

from convscope.cli.show import print_table
from convscope.run import (
    CONFIG,
    EPOCHS,
    MANIFEST,
    MODEL,
    PREDICTIONS,
    SCORES,
    STATE,
    Run,
)

RATE_HZ = 2000
WORDS = {"low": 100, "high": 400}
MARK = "CONVSCOPE_STORM"
ORPHAN_SECONDS = 2.0
"""A worker that lives longer than its driver by so much is an orphan."""
PATIENCE_SECONDS = 120.0
"""Nothing that is waited for takes so long."""

RECIPE = """
data: {{kind: words, folder: {folder}, words: [low, high], rate_hz: 2000, seconds: 0.25}}
model: {{family: custom, conv_layers: 3, base_channels: 8}}
train: {{epochs: {epochs}, patience: 0, batch_size: 8, threads: 1, device: cpu}}
grid:
  product:
    data.rate_hz: [2000, 1000]
    model.dropout: [0, 0.5]
    model.batch_norm: [false, true]
  seeds: {seeds}
sweep: {{attempts: 100000}}
"""


@dataclass
class Storm:
    """One sweep, and what befell it.

    Attributes:
        recipe: of the sweep.
        out: where its runs lie.
        cache: where its decoded clips lie.
        mark: stands in the environment of all its processes.
        kills: of its driver and of its workers.
        starts: of its driver.
        seconds: until it was done.
        survival_seconds: for which processes outlived their driver at most.
        orphans: processes that did so for too long.
        manifests: inode and time of each as it was first seen.
    """

    recipe: Path
    out: Path
    cache: Path
    mark: str
    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    seconds: float = 0.0
    survival_seconds: float = 0.0
    orphans: list[int] = field(default_factory=list)
    manifests: dict[str, tuple[int, int]] = field(default_factory=dict)

    def run(self, n_kills: int, rng: random.Random) -> None:
        """Train to the end, and until then kill a process up to `n_kills` times."""
        started = time.monotonic()
        driver = self._start()
        while self.kills.total() < n_kills and self._wait_for_a_moment(driver, rng):
            if self._kill(rng) == driver.pid:
                driver.wait()
                self._wait_for_workers()
                driver = self._start()
        until(lambda: driver.poll() is not None, 10 * PATIENCE_SECONDS)
        if driver.returncode:
            raise RuntimeError(f"the driver ended with {driver.returncode}: see {self._printed}")
        self._wait_for_workers()
        self.note_manifests()
        self.seconds = time.monotonic() - started

    @property
    def _printed(self) -> Path:
        return self.out.with_suffix(".stderr")

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        command = [sys.executable, "-m", "convscope", "sweep", str(self.recipe)]
        marks = {MARK: self.mark, "CONVSCOPE_CACHE": str(self.cache), "OMP_NUM_THREADS": "1"}
        with self._printed.open("ab") as printed:
            return subprocess.Popen(
                [*command, "--out", str(self.out), "--workers", "2"],
                env={**os.environ, **marks},
                stdout=printed,
                stderr=printed,
            )

    def _wait_for_a_moment(self, driver: subprocess.Popen[bytes], rng: random.Random) -> bool:
        """Whether a moment to kill came before the sweep was over."""
        if rng.random() > 0.25:
            before = self._epochs_kept()
            until(lambda: driver.poll() is not None or self._epochs_kept() != before)
        moment = time.monotonic() + rng.random()
        until(lambda: driver.poll() is not None or time.monotonic() > moment)
        return driver.poll() is None

    def _epochs_kept(self) -> dict[Path, int]:
        self.note_manifests()
        return {path: path.stat().st_mtime_ns for path in self.out.glob(f"*/{EPOCHS}")}

    def _kill(self, rng: random.Random) -> int:
        """Kill the driver or one of its workers; the number of that process."""
        victims = [(pid, kind) for pid, kind in processes(self.mark) if kind != "other"]
        pid, kind = rng.choice(sorted(victims))
        os.kill(pid, signal.SIGKILL)
        self.kills[kind] += 1
        return pid

    def _wait_for_workers(self) -> None:
        """Until no process is left, measuring how long that takes."""
        died = time.monotonic()
        while left := [pid for pid, _ in processes(self.mark)]:
            if time.monotonic() - died > ORPHAN_SECONDS:
                self.orphans += left
                until(lambda: not any(processes(self.mark)))
            time.sleep(0.001)
        self.survival_seconds = max(self.survival_seconds, time.monotonic() - died)

    def note_manifests(self) -> None:
        """Remember each manifest as it is first seen."""
        for path in self.out.glob(f"*/{MANIFEST}"):
            self.manifests.setdefault(path.parent.name, _identity(path))

    def problems(self, calm: "Storm") -> Iterator[str]:
        """What went wrong, beside the sweep that nobody disturbed."""
        yield from (f"process {pid} outlived its driver" for pid in self.orphans)
        yield from (f"{path} was left" for path in leftovers(self.out, self.cache))
        for name, known in self.manifests.items():
            if _identity(self.out / name / MANIFEST) != known:
                yield f"{name} was finished twice"
        yield from (f"{name} was done {n} times" for name, n in self._times_done().items() if n > 1)
        yield from differences(calm.out, self.out)

    def _times_done(self) -> Counter[str]:
        logs = self.out.glob("sweeps/*/log.txt")
        lines = [line for log in logs for line in log.read_text().splitlines()]
        return Counter(line.split()[2] for line in lines if " is done: " in line)


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition: here alone is waited by looking again and again.

    Raises:
        TimeoutError: where it does not come true in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s in vain")
        time.sleep(0.005)


def processes(mark: str) -> list[tuple[int, str]]:
    """Number and kind (driver, worker, other) of all processes with a mark, by their number."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if wanted in _read(folder / "environ").split(b"\0"):
            found.append((int(folder.name), _kind(_read(folder / "cmdline").split(b"\0"))))
    return sorted(found)


def _kind(command: list[bytes]) -> str:
    if b"convscope.sweeps.local.worker" in command:
        return "worker"
    return "driver" if b"sweep" in command else "other"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it has just ended


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def leftovers(out: Path, cache: Path) -> list[Path]:
    """Temporary files, and states and drivers of what is done."""
    files = [path for folder in (out, cache) for path in folder.rglob("*") if path.is_file()]
    names = (STATE, "driver.json", "stop")
    return [
        path
        for path in files
        if path.name.startswith(".") or path.suffix == ".tmp" or path.name in names
    ]


def differences(calm: Path, stormy: Path) -> Iterator[str]:
    """In what two folders of runs differ that no time, host or number of attempts explains."""
    names = [sorted(path.parent.name for path in out.glob(f"*/{CONFIG}")) for out in (calm, stormy)]
    if names[0] != names[1]:
        yield f"other cells: {set(names[0]) ^ set(names[1])}"
        return
    for name in names[0]:
        for file in (MODEL, PREDICTIONS, SCORES, CONFIG, EPOCHS):
            if _content(calm / name / file) != _content(stormy / name / file):
                yield f"{name}/{file} differs"
        Run(stormy / name).verify()
    if _board(calm) != _board(stormy):
        yield "the boards differ"


def _content(path: Path) -> Any:
    """A file's bytes, or its rows without their times."""
    if path.name != EPOCHS:
        return path.read_bytes()
    with path.open(newline="") as file:
        return [{**row, "seconds": None} for row in csv.DictReader(file)]


def _board(out: Path) -> Any:
    """The board, without what time decides: which runs are fast."""
    command = [sys.executable, "-m", "convscope", "board", str(out), "--json"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return _without_times(json.loads(text))


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(each) for key, each in value.items() if key != "seconds"}
    return [_without_times(each) for each in value] if isinstance(value, list) else value


def make_recordings(folder: Path, n_speakers: int = 60) -> None:
    """Two words, 0.25 s of a noisy tone each."""
    rng = np.random.default_rng(0)
    times = np.arange(RATE_HZ // 4) / RATE_HZ
    for word, pitch_hz in WORDS.items():
        (folder / word).mkdir(parents=True)
        for speaker in range(n_speakers):
            tone = 0.3 * np.sin(2 * np.pi * pitch_hz * (times + rng.random()))
            wave = tone + rng.normal(0, 0.05, len(times))
            soundfile.write(folder / word / f"{speaker:08x}_nohash_0.wav", wave, RATE_HZ)


def make_storms(folder: Path, n_seeds: int, epochs: int) -> Iterator[Storm]:
    """Sweeps of one recipe, 8 cells for each seed; each in a folder of its own below `folder`."""
    make_recordings(folder / "recordings")
    recipe = folder / "storm.yaml"
    text = RECIPE.format(folder=folder / "recordings", seeds=n_seeds, epochs=epochs)
    recipe.write_text(text)
    n = 0
    while True:
        yield Storm(recipe, folder / f"runs{n}", folder / f"cache{n}", f"{os.getpid()}-{n}")
        n += 1


def survive(
    folder: Path, n_kills: int, seed: int, n_seeds: int, epochs: int
) -> tuple[Storm, list[Storm]]:
    """An undisturbed sweep, and as many disturbed ones as the kills need."""
    rng = random.Random(seed)
    storms = make_storms(folder, n_seeds, epochs)
    calm = next(storms)
    calm.run(0, rng)
    stormy: list[Storm] = []
    while (left := n_kills - sum(storm.kills.total() for storm in stormy)) > 0:
        stormy.append(next(storms))
        stormy[-1].run(left, rng)
    return calm, stormy


def main(
    kills: Annotated[int, typer.Option("--kills", min=1)] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Of what is killed, and when.")] = 0,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Eight cells for each.")] = 3,
    epochs: Annotated[int, typer.Option("--epochs", min=1)] = 20,
) -> None:
    """Let a sweep be struck, and print what became of it."""
    folder = Path(mkdtemp(prefix="storm"))
    calm, stormy = survive(folder, kills, seed, seeds, epochs)
    problems = [problem for storm in [calm, *stormy] for problem in storm.problems(calm)]
    print_table(_table(calm, stormy, len(problems)))
    if problems:
        print("\n".join(problems))
        raise typer.Exit(1)
    shutil.rmtree(folder)


def _table(calm: Storm, stormy: list[Storm], n_problems: int) -> Table:
    kills = sum((storm.kills for storm in stormy), Counter())
    n_cells = len(calm.manifests)
    rows = {
        "kills of the driver": f"{kills['driver']}",
        "kills of workers": f"{kills['worker']}",
        "restarts of the driver": f"{sum(storm.starts - 1 for storm in stormy)}",
        "sweeps, and cells in each": f"{len(stormy)}, {n_cells}",
        "cells done": f"{sum(len(storm.manifests) for storm in stormy)}",
        "seconds, of an undisturbed sweep": f"{calm.seconds:.0f}",
        "seconds, of all disturbed ones": f"{sum(storm.seconds for storm in stormy):.0f}",
        "longest life after the driver's, ms": (
            f"{1000 * max(storm.survival_seconds for storm in stormy):.0f}"
        ),
        "problems": f"{n_problems}",
    }
    table = Table(box=SIMPLE, show_header=False)
    for what, figure in rows.items():
        table.add_row(what, figure)
    return table


if __name__ == "__main__":
    typer.run(main)
