"""Clips a second of whole training steps, beside the floor of the arithmetic and of the memory.

    python benchmarks/training_step.py                                    all nets: minutes on a GPU
    python benchmarks/training_step.py --nets ch32,ch64 --batch 64 --threads 1 --cpu-time

Clips are noise. Of every net: simple executions and ours, each in a process of its own. The goal is
half the floor; the least is the smaller of that and 1.5 times the best simple execution.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from cases import CASES, case
from executions import EXECUTIONS, ON_CPU, OURS, Speed, our_speed, plain_speed
from measure import Meter, Row, if_it_runs, keep, tell

from convscope.models.describe import describe
from convscope.models.floor import Floor, floor
from convscope.training.cell import Cell


def main(
    nets: Annotated[str, typer.Option(help=f"Of {', '.join(CASES)}.")] = ",".join(CASES),
    executions: Annotated[str, typer.Option(help=f"Of {', '.join(EXECUTIONS)}.")] = "",
    batch: Annotated[int, typer.Option(help="Clips a step; 0: 256 on a GPU, 16 without.")] = 0,
    seconds: Annotated[float, typer.Option(help="Of measuring, each.")] = 2.0,
    threads: Annotated[int | None, typer.Option(help="Of the CPU.")] = None,
    cpu_time: Annotated[bool, typer.Option("--cpu-time", help="Count CPU seconds.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Time every net in every execution, print a table, write it as JSON."""
    on_gpu = torch.cuda.is_available()
    names = executions.split(",") if executions else list(EXECUTIONS if on_gpu else ON_CPU)
    meter = Meter(seconds, threads, cpu_time)
    precision = "bf16" if on_gpu else "fp32"
    title = "whole training steps, clips/s"
    rows: list[Row] = []
    for net in nets.split(","):
        cell = case(net, batch_size=batch or (256 if on_gpu else 16), precision=precision)
        speeds = {name: if_it_runs(plain_speed, cell, name, meter) for name in names}
        speeds[OURS] = if_it_runs(our_speed, cell, 100 if on_gpu else 2, meter)
        rows += rows_of(net, speeds, floor_of(cell) if on_gpu else None)
        keep(title, rows, json_file)
    tell(title, rows, json_file)


def floor_of(cell: Cell) -> Floor:
    """Of the cell's net on an H200."""
    return floor(describe(cell.model, cell.data.shape, len(cell.data.names or ())))


def rows_of(net: str, speeds: dict[str, Speed | None], least_time: Floor | None) -> list[Row]:
    """A row for each execution that was measured; without a GPU nothing is said of a floor."""
    most = 1 / least_time.seconds if least_time else None
    simple = max((s.training for name, s in speeds.items() if s and name != OURS), default=None)
    least = min(most / 2, 1.5 * simple) if most and simple else None
    return [
        {
            "net": net,
            "execution": name,
            "clips_per_second": speed.training,
            "of_best_simple": speed.training / simple if simple else None,
            "floor": most,
            "bound_by": least_time.bound if least_time else None,
            "of_floor": speed.training / most if most else None,
            "least": least if name == OURS else None,
            "holds": speed.training >= least if least and name == OURS else None,
            "peak_gib": speed.peak_bytes / 2**30 if speed.peak_bytes else None,
        }
        for name, speed in speeds.items()
        if speed
    ]


if __name__ == "__main__":
    typer.run(main)
