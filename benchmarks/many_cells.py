"""Several cells of one architecture at once in one process, against one alone: clips a second.

    python benchmarks/many_cells.py                                      on a GPU: minutes
    python benchmarks/many_cells.py --nets mnist --cells 4 --batch 16 --threads 1 --cpu-time

Clips are noise. The cells differ in seed, dropout rate and learning rate. Each measurement is a
process of its own. The goal, on a GPU: five times alone for nets that are too small to fill it.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from cases import CASES, case, noise
from measure import Meter, Row, if_it_runs, keep, tell

from convscope.training.cell import Cell
from convscope.training.engine import Engine
from convscope.training.together.epoch import JointEpoch

GOAL = 5
SMALL = ("mnist", "baseline2d", "baseline1d", "image2d", "ch32")


def main(
    nets: Annotated[str, typer.Option(help=f"Of {', '.join(CASES)}.")] = ",".join(SMALL),
    cells: Annotated[str, typer.Option(help="How many at once, one after the other.")] = "",
    batch: Annotated[int, typer.Option(help="Clips a step; 0: 256 on a GPU, 16 without.")] = 0,
    precision: Annotated[str, typer.Option(help="fp32, bf16 or both, with a comma.")] = "fp32",
    seconds: Annotated[float, typer.Option(help="Of measuring, each.")] = 2.0,
    threads: Annotated[int | None, typer.Option(help="Of the CPU.")] = None,
    cpu_time: Annotated[bool, typer.Option("--cpu-time", help="Count CPU seconds.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Time every net alone and together, print a table, write it as JSON."""
    on_gpu = torch.cuda.is_available()
    meter = Meter(seconds, threads, cpu_time)
    sizes = [int(n) for n in (cells or ("4,16,32" if on_gpu else "4")).split(",")]
    title = "several cells at once, clips/s of all of them"
    rows: list[Row] = []
    for net in nets.split(","):
        for kind in precision.split(","):
            given = {"batch_size": batch or (256 if on_gpu else 16), "precision": kind}
            solo = if_it_runs(speed, [case(net, **given)], 64 if on_gpu else 2, meter)
            for n in sizes:
                joint = if_it_runs(speed, different(net, n, given), 64 if on_gpu else 2, meter)
                rows.append(row_of(net, kind, n, solo, joint))
                keep(title, rows, json_file)
    tell(title, rows, json_file)


def different(net: str, n: int, given: dict[str, object]) -> list[Cell]:
    """Cells of a net that differ in all that they may be given of their own."""
    cells = [case(net, **given, seed=i, learning_rate=1e-4 * (1 + i)) for i in range(n)]
    rates = [0.2 + 0.5 * i / n for i in range(n)]
    return [
        Cell(cell.data, cell.model.model_copy(update={"dropout": rate}), cell.train)
        for cell, rate in zip(cells, rates, strict=True)
    ]


def speed(cells: list[Cell], n_steps: int, meter: Meter) -> float:
    """Clips a second of epochs of all cells; one is trained as `convscope train` does it."""
    meter.begin()
    n_clips = n_steps * cells[0].train.batch_size
    data = noise(cells[0], n_clips)
    first = Engine(cells[0].model, data, cells[0].train)
    engines = [first, *(Engine(each.model, data, each.train, first.feed) for each in cells[1:])]

    def train() -> int:
        if len(engines) == 1:
            first.train_epoch(1, _silent)
        else:
            JointEpoch(engines, [1] * len(engines)).train(_silent)
        return n_clips * len(engines)

    return meter.clips_per_second(train)


def row_of(net: str, precision: str, n: int, solo: float | None, joint: float | None) -> Row:
    """Both speeds and how they compare; the goal is of a GPU."""
    ratio = joint / solo if solo and joint else None
    holds = ratio >= GOAL if ratio and torch.cuda.is_available() else None
    return {
        "net": net,
        "precision": precision,
        "cells": n,
        "alone": solo,
        "together": joint,
        "ratio": ratio,
        "holds": holds,
    }


def _silent(*_: int) -> None:
    pass


if __name__ == "__main__":
    typer.run(main)
