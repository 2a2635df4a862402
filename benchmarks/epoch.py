"""A training's parts on real words: decoding, the start up to the first step, one epoch.

    python benchmarks/epoch.py --folder DIR        else $CONVSCOPE_TEST_DATA/words, else made ones

The decoded clips go to an empty cache first and are read from it ever after. The first step is that
of `convscope train` itself, from the start of its process, with clips from the cache.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer
from measure import Meter, Row, alone, tell
from recordings import words_folder

from convscope.data.dataset import Dataset
from convscope.data.load import load_dataset
from convscope.recipes import read_cell
from convscope.training.accumulation.memory import peak_memory, reset_peak
from convscope.training.cell import Cell
from convscope.training.engine import Engine, pick_device

RECIPE = Path(__file__).parents[1] / "recipes/reports/words16_custom_ch32.yaml"
FIRST_STEP_GOAL = {"cuda": 10.0, "cpu": 6.0}
DECODING_GOAL, CACHE_GOAL = 40.0, 1.0

UNTIL_THE_FIRST_STEP = """
import json, os, sys, time
from convscope.progress.training_bar import TrainingBar

def step(*_):
    told = {"at": time.time(), "cpu_seconds": time.process_time()}
    print(json.dumps(told), file=sys.__stdout__, flush=True)
    os._exit(0)

TrainingBar.step = step
from convscope.cli import main
main()
"""


def main(
    folder: Annotated[Path | None, typer.Option(help="Words.")] = None,
    batch: Annotated[int, typer.Option(help="Clips a step; 0: 256 on a GPU, 16 without.")] = 0,
    limit: Annotated[int, typer.Option(help="Training clips of the epoch; 0: all on a GPU.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Of the CPU.")] = None,
    cpu_time: Annotated[bool, typer.Option("--cpu-time", help="Count CPU seconds.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure every part, print a table, write it as JSON."""
    on_gpu = torch.cuda.is_available()
    train: Row = {"batch_size": batch or (256 if on_gpu else 16)}
    train |= {"precision": "bf16" if on_gpu else "fp32"}
    meter = Meter(0, threads, cpu_time)
    with words_folder(folder) as (words, what), TemporaryDirectory() as cache:
        os.environ["CONVSCOPE_CACHE"] = cache
        keys = [f"data.folder={words}", "data.words=all", "data.only_full_second=false"]
        keys += [f"train.{key}={value}" for key, value in train.items()]
        cell = read_cell(RECIPE, keys)
        rows = [
            {"part": "decoding", **alone(decoding, cell), "goal": DECODING_GOAL},
            {"part": "from the cache", **alone(decoding, cell), "goal": CACHE_GOAL},
            *(first_step(keys, cache, part) for part in ("first step", "first step again")),
            {"part": "epoch", **alone(one_epoch, cell, limit or (0 if on_gpu else 512), meter)},
        ]
    tell(f"one training of ch32 on {what}", rows, json_file)


def decoding(cell: Cell) -> Row:
    """Seconds until all clips are there, decoded on all cores or mapped from the cache."""
    start, start_cpu = time.perf_counter(), time.process_time()
    data = load_dataset(cell.data)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return {"clips": len(data.ids), "seconds": seconds, "cpu_seconds": cpu}


def first_step(keys: list[str], cache: str, part: str) -> Row:
    """Seconds from the start of `convscope train` until its first step is done."""
    command = [sys.executable, "-c", UNTIL_THE_FIRST_STEP, "train", str(RECIPE), *keys]
    start = time.time()
    with TemporaryDirectory(dir=cache) as out:
        done = subprocess.run([*command, "--out", out], stdout=subprocess.PIPE, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    goal = FIRST_STEP_GOAL[pick_device("auto").type]
    seconds, cpu = told["at"] - start, told["cpu_seconds"]
    return {"part": part, "seconds": seconds, "cpu_seconds": cpu, "goal": goal}


def one_epoch(cell: Cell, limit: int, meter: Meter) -> Row:
    """The second epoch of a training, and the most memory that it held."""
    meter.begin()
    device = pick_device(cell.train.device)
    reset_peak(device)
    engine = Engine(cell.model, _first(load_dataset(cell.data), limit), cell.train)
    n_clips = len(engine.data.indices("train"))
    engine.train_epoch(1, lambda *_: None)
    start, start_cpu = meter.now(), time.process_time()
    engine.train_epoch(2, lambda *_: None)
    seconds, cpu = meter.now() - start, time.process_time() - start_cpu
    return {
        "clips": n_clips,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "clips_per_second": n_clips / seconds,
        "peak_gib": (peak_memory(device) or 0) / 2**30 or None,
    }


def _first(data: Dataset, n_train: int) -> Dataset:
    """The data with its first training clips alone; 0 for all."""
    over = data.ids[data.indices("train")[n_train:]]
    return data.without(set(over.tolist())) if n_train else data


if __name__ == "__main__":
    typer.run(main)
