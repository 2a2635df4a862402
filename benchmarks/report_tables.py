"""All tables of the lab reports on this machine: the floor, the plan, and as much as time allows.

    python benchmarks/report_tables.py                             plan from measured clips/s
    python benchmarks/report_tables.py --limit 3 --batch 16        three nets measured, for a CPU
    python benchmarks/report_tables.py --run --minutes 50 --words DIR --images DIR

Every cell of recipes/reports: 20 epochs of 24,885 training clips, whatever its own data, and as
many validations of 3,378 clips, told apart. Nets that differ in initializer or in the rate of
dropout take the same time: one of them is measured for all.
"""

import gc
import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from executions import Speed, our_speed
from measure import Meter, Row, keep, tell

from convscope.data.config import ImagesConfig
from convscope.data.load import load_dataset
from convscope.errors import RunFailed
from convscope.models.describe import describe
from convscope.models.floor import floor
from convscope.models.rows import LayerRow, flops
from convscope.models.spec import ConvNetSpec
from convscope.sweeps.planning.grid import read_sweep
from convscope.training.cell import Cell, make_cell
from convscope.training.fit import fit

RECIPES = Path(__file__).parents[1] / "recipes/reports"
EPOCHS, TRAINING_CLIPS, VALIDATION_CLIPS = 20, 24_885, 3_378
GOAL_MINUTES = 60


@dataclass(frozen=True)
class Net:
    """An architecture, and how many cells have it; floor and FLOPs are of one clip of one cell."""

    cell: Cell
    n_cells: int
    flops: int
    floor_seconds: float

    @property
    def family(self) -> str:
        return self.cell.model.family


def main(
    limit: Annotated[int, typer.Option(help="Nets to measure, evenly chosen; 0: all.")] = 0,
    batch: Annotated[int, typer.Option(help="Clips a step.")] = 256,
    seconds: Annotated[float, typer.Option(help="Of measuring, each.")] = 1.0,
    threads: Annotated[int | None, typer.Option(help="Of the CPU.")] = None,
    cpu_time: Annotated[bool, typer.Option("--cpu-time", help="Count CPU seconds.")] = False,
    run: Annotated[
        bool, typer.Option("--run", help="Train cells as well, cheapest first.")
    ] = False,
    minutes: Annotated[float, typer.Option(help="For training them.")] = 60,
    words: Annotated[Path | None, typer.Option(help="Folder of words to train on.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of images to train on.")] = None,
    out: Annotated[Path, typer.Option(help="For the runs.")] = Path("runs/report_tables"),
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Plan all cells, print a table by family, write it as JSON; train what fits in time."""
    on_gpu = torch.cuda.is_available()
    train = {"batch_size": batch, "precision": "bf16" if on_gpu else "fp32"}
    cells = [with_train(cell, train) for cell in read_sweep(sorted(RECIPES.glob("*.yaml"))).cells]
    nets = nets_of(cells)
    meter = Meter(seconds, threads, cpu_time)
    chosen = nets[:: -(-len(nets) // limit)] if limit else nets
    n_steps = 20 if on_gpu else 2
    title = f"the reports' {len(cells)} cells, minutes of {EPOCHS} epochs"
    speeds: dict[Hashable, Speed | None] = {}
    for net in spread(chosen):
        speeds[key_of(net.cell)] = speed_of(net.cell, n_steps, meter)
        keep(title, by_family(nets, speeds), json_file)
    tell(title, by_family(nets, speeds), json_file)
    if run:
        trained(cells, {"words": words, "images": images}, speeds, minutes, out)


def with_train(cell: Cell, train: Mapping[str, Any]) -> Cell:
    """The cell with so many epochs, however it gets on, and other training settings."""
    own = {**cell.config["train"], "epochs": EPOCHS, "patience": 0, **train}
    return make_cell({**cell.config, "train": own})


def nets_of(cells: Iterable[Cell]) -> list[Net]:
    """The architectures of some cells, the cheapest first."""
    cells = list(cells)
    counts = Counter(key_of(cell) for cell in cells)
    one_each = {key_of(cell): cell for cell in cells}
    nets = [_net(cell, counts[key]) for key, cell in one_each.items()]
    return sorted(nets, key=lambda net: net.floor_seconds)


def spread(nets: Sequence[Net]) -> list[Net]:
    """In an order whose every beginning is spread over all, should the rest be cut off."""
    golden = (5**0.5 - 1) / 2
    return [nets[i] for i in sorted(range(len(nets)), key=lambda i: i * golden % 1)]


def key_of(cell: Cell) -> Hashable:
    """The same for cells whose steps take the same time."""
    assert isinstance(cell.model, ConvNetSpec)
    same = {"initializer": "glorot_uniform", "dropout": 0.5 if cell.model.dropout else 0.0}
    return cell.model.model_copy(update=same), cell.data.shape, len(cell.data.names or ())


def rows_of(cell: Cell) -> tuple[LayerRow, ...]:
    """The layer table of a cell's net."""
    return describe(cell.model, cell.data.shape, len(cell.data.names or ()))


def _net(cell: Cell, n_cells: int) -> Net:
    rows = rows_of(cell)
    return Net(cell, n_cells, flops(rows), floor(rows).seconds)


def speed_of(cell: Cell, n_steps: int, meter: Meter) -> Speed | None:
    """Of training and answering, in this process; None where that fails."""
    try:
        return our_speed(cell, n_steps, meter, answering=True)
    except (RunFailed, RuntimeError) as error:
        print(f"{cell.model.family}: left out: {str(error).splitlines()[0]:.150}")
        return None
    finally:
        gc.collect()
        torch.cuda.empty_cache()


def by_family(nets: Iterable[Net], speeds: dict[Hashable, Speed | None]) -> list[Row]:
    """A row for each family, and one for all."""
    groups: dict[str, list[Net]] = defaultdict(list)
    for net in nets:
        groups[net.family].append(net)
    every = [net for group in groups.values() for net in group]
    return [_row(name, group, speeds) for name, group in {**groups, "all": every}.items()]


def _row(name: str, nets: list[Net], speeds: dict[Hashable, Speed | None]) -> Row:
    """Minutes are None unless every net of the row was measured; else estimated by the floor."""
    known = [(net, speed) for net in nets if (speed := speeds.get(key_of(net.cell)))]
    whole = len(known) == len(nets)
    training = sum(n.n_cells * minutes(TRAINING_CLIPS, s.training) for n, s in known)
    answers = sum(n.n_cells * minutes(VALIDATION_CLIPS, s.answering or 0) for n, s in known)
    least = sum(n.n_cells * minutes(TRAINING_CLIPS, 1 / n.floor_seconds) for n, _ in known)
    floor_minutes = sum(
        net.n_cells * minutes(TRAINING_CLIPS, 1 / net.floor_seconds) for net in nets
    )
    return {
        "family": name,
        "cells": sum(net.n_cells for net in nets),
        "nets": len(nets),
        "measured": len(known),
        "gflop_forward": sum(net.n_cells * net.flops for net in nets) / 1e9,
        "h200_floor_minutes": floor_minutes,
        "estimated_minutes": (training + answers) * floor_minutes / least if least else None,
        "training_minutes": training if whole else None,
        "validation_minutes": answers if whole else None,
        "of_floor": least / training if training and torch.cuda.is_available() else None,
        "holds": training + answers < GOAL_MINUTES if whole and name == "all" else None,
    }


def minutes(n_clips: int, clips_per_second: float) -> float:
    """Of all epochs of one cell, at so many clips a second."""
    return EPOCHS * n_clips / clips_per_second / 60 if clips_per_second else 0.0


def trained(
    cells: Iterable[Cell],
    folders: dict[str, Path | None],
    speeds: dict[Hashable, Speed | None],
    most_minutes: float,
    out: Path,
) -> None:
    """Train cells in the order of the recipes' cost until the time is over; planned beside real."""
    order = sorted(cells, key=lambda cell: floor(rows_of(cell)).seconds)
    start, rows = time.monotonic(), []
    for cell in order:
        left = most_minutes - (time.monotonic() - start) / 60
        speed = speeds.get(key_of(cell))
        planned = minutes(TRAINING_CLIPS, speed.training) if speed else 0.0
        folder = folders["images" if isinstance(cell.data, ImagesConfig) else "words"]
        if folder and planned < left:
            rows.append(_trained(cell, folder, planned, out))
    share = f"{len(rows)} of {len(order)} cells in {(time.monotonic() - start) / 60:.1f} minutes"
    tell(share, rows, out / "trained.json" if rows else None)


def _trained(cell: Cell, folder: Path, planned: float, out: Path) -> Row:
    names = {"words": "all"} if not isinstance(cell.data, ImagesConfig) else {}
    data = {**cell.config["data"], "folder": str(folder), **names}
    own = make_cell({**cell.config, "data": data})
    run = fit(own.model, load_dataset(own.data), own.train, out)
    real = sum(row["seconds"] for row in run.epochs) / 60
    row = {"run": run.folder.name, "family": cell.model.family, "accuracy": run.scores["accuracy"]}
    return {**row, "planned_minutes": planned, "with_validation": real}


if __name__ == "__main__":
    typer.run(main)
