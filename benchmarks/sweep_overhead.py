"""What a sweep costs beyond training: per cell at 1,000 cells done, and a dry-run of 10,000.

    python benchmarks/sweep_overhead.py              about a minute
    python benchmarks/sweep_overhead.py --profile    and where the driver's time goes

Of the 1,000 done cells one was trained; the others are copies of its folder under their own names.
A new cell's overhead is all time that its epochs did not take: the check which cells are done,
shared by the new ones; handing it out; building the net; its test scores; writing the run folder.
The start of the worker's process is told apart, as it is paid once. It needs no data.
"""

import cProfile
import csv
import os
import pstats
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from rich.box import SIMPLE
from rich.table import Table

from convscope.cli.show import print_table
from convscope.data.load import load_dataset
from convscope.run import EPOCHS, Run
from convscope.sweeps.driving.driver import View
from convscope.sweeps.planning.grid import SweepRecipe, make_sweep
from convscope.sweeps.run_sweep import Where, run_sweep
from convscope.training.fit import fit

CELL_MILLISECONDS = 50
DRY_RUN_SECONDS = 10

RECIPE: dict[str, Any] = {
    "data": {"kind": "words", "words": ["low", "high"], "rate_hz": 2000, "seconds": 0.25},
    "model": {"family": "custom", "conv_layers": 2, "base_channels": 4},
    "train": {"epochs": 2, "batch_size": 16, "threads": 1, "device": "cpu"},
}

DRY_RUN = """
data: {kind: words, folder: words, words: [low, high]}
grid:
  product:
    model.family: [custom, vgg]
    model.base_channels: [16, 32, 64, 128, 256]
    model.dropout: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    model.batch_norm: [false, true]
    train.learning_rate: [0.01, 0.003, 0.001, 0.0003, 0.0001]
  seeds: 10
"""


class Times(View):
    """When cells were started, and when they were done."""

    def __init__(self) -> None:
        self.started: list[float] = []
        self.done: list[float] = []

    def line(self, text: str) -> None:
        if " starts" in text:
            self.started.append(time.perf_counter())
        if " is done: " in text:
            self.done.append(time.perf_counter())


def main(
    done: Annotated[int, typer.Option("--done", min=1)] = 1000,
    new: Annotated[int, typer.Option("--new", min=2)] = 50,
    cells: Annotated[int, typer.Option("--dry-run-cells", min=1, max=10_000)] = 10_000,
    profile: Annotated[bool, typer.Option("--profile")] = False,
) -> None:
    """Measure both, and print them beside what they may take at most."""
    with TemporaryDirectory() as folder:
        os.environ["CONVSCOPE_CACHE"] = str(Path(folder) / "cache")
        rows = measure_sweep(Path(folder), done, new, profile)
        rows |= {f"dry-run of {cells:,} cells, s": measure_dry_run(Path(folder), cells)}
    table = Table(box=SIMPLE, show_header=False)
    for what, value in rows.items():
        table.add_row(what, value)
    print_table(table)


def measure_sweep(folder: Path, done: int, new: int, profile: bool) -> dict[str, str]:
    """A sweep in which `done` cells are done already, and `new` ones are not."""
    recordings, out = folder / "recordings", folder / "runs"
    make_recordings(recordings)
    data = {**RECIPE["data"], "folder": str(recordings)}
    recipe = make_sweep([{**RECIPE, "data": data, "grid": {"seeds": done + new}}])
    finish(recipe, out, done)
    times, profiler = Times(), cProfile.Profile(builtins=False)
    began = time.perf_counter()
    if profile:
        profiler.enable()
    run_sweep(recipe, out, Where(workers=1), times)
    profiler.disable()
    if profile:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(40)
    trained = [seconds_of(out / cell.name) for cell in recipe.cells[done:]]
    skip_check = (times.started[0] - began) / new
    steady = (times.done[-1] - times.done[0]) / (new - 1) - sum(trained) / new
    return {
        f"skip check of {done:,} done cells, ms": f"{1000 * new * skip_check:.0f}",
        "start of a worker and its first cell, ms": (
            f"{1000 * (times.done[0] - times.started[0]):.0f}"
        ),
        "epochs of a new cell, ms": f"{1000 * sum(trained) / new:.1f}",
        "overhead of a new cell without the skip check, ms": f"{1000 * steady:.1f}",
        f"overhead of each of {new} new cells, ms": (
            f"{1000 * (steady + skip_check):.1f} (at most {CELL_MILLISECONDS})"
        ),
    }


def finish(recipe: SweepRecipe, out: Path, done: int) -> None:
    """Train the first cell, and leave its folder under the names of those that are to be done."""
    first, *others = recipe.cells[:done]
    run = fit(first.model, load_dataset(first.data), first.train, out)
    for cell in others:
        shutil.copytree(run.folder, out / cell.name)
        Run(out / cell.name).write_config(cell.config)


def seconds_of(folder: Path) -> float:
    """What the epochs of a run took."""
    with (folder / EPOCHS).open(newline="") as file:
        return sum(float(row["seconds"]) for row in csv.DictReader(file))


def measure_dry_run(folder: Path, cells: int) -> str:
    """Seconds of the whole command, Python's start included."""
    recipe = folder / "dry_run.yaml"
    recipe.write_text(DRY_RUN)
    seeds = f"grid.seeds={max(1, cells // 1000)}"
    command = [sys.executable, "-m", "convscope", "sweep", str(recipe), seeds, "--dry-run"]
    began = time.perf_counter()
    answer = subprocess.run(
        [*command, "--json", "--out", str(folder / "none")], check=True, capture_output=True
    )
    seconds = time.perf_counter() - began
    n_lines = answer.stdout.count(b"\n")
    return f"{seconds:.1f} (at most {DRY_RUN_SECONDS}; {n_lines:,} lines)"


def make_recordings(folder: Path) -> None:
    """Two words of 60 speakers, 0.25 s of a noisy tone each."""
    rng = np.random.default_rng(0)
    times = np.arange(500) / 2000
    for word, pitch_hz in {"low": 100, "high": 400}.items():
        (folder / word).mkdir(parents=True)
        for speaker in range(60):
            wave = 0.3 * np.sin(2 * np.pi * pitch_hz * times) + rng.normal(0, 0.05, 500)
            soundfile.write(folder / word / f"{speaker:08x}_nohash_0.wav", wave, 2000)


if __name__ == "__main__":
    typer.run(main)
