"""Where the time of a training step goes: the kernels of ten steps, by torch's profiler.

python benchmarks/gpu_profile.py                       ch64 with and without batch norm
python benchmarks/gpu_profile.py --nets mnist --batch 4 --steps 2
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from cases import CASES, case, noise
from measure import Row, if_it_runs, tell
from torch.profiler import ProfilerActivity, profile

from convscope.training.engine import Engine

TOP = 14


def main(
    nets: Annotated[str, typer.Option(help=f"Of {', '.join(CASES)}.")] = "ch64,ch64-bn",
    batch: Annotated[int, typer.Option(help="Clips a step.")] = 256,
    steps: Annotated[int, typer.Option(help="That are profiled.")] = 10,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Profile every net, print its kernels, write them as JSON."""
    found = [if_it_runs(kernels_of, net, batch, steps) for net in nets.split(",")]
    tell(f"the kernels of {steps} steps", [row for rows in found for row in rows or []], json_file)
    raise typer.Exit(None in found)


def kernels_of(net: str, batch: int, n_steps: int) -> list[Row]:
    """The kernels that took longest, and the sum of all beside what the clock says."""
    on_gpu = torch.cuda.is_available()
    cell = case(net, batch_size=batch, precision="bf16" if on_gpu else "fp32")
    engine = Engine(cell.model, noise(cell, n_steps * batch), cell.train)
    engine.train_epoch(1, lambda *_: None)  # the graph is captured in it
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    with profile(activities=[activity], acc_events=True) as profiled:
        engine.train_epoch(2, lambda *_: None)
    field = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    times = [(getattr(e, field), e.count, e.key) for e in profiled.key_averages()]
    total = sum(microseconds for microseconds, *_ in times)
    rows = sorted(times, reverse=True)[:TOP]
    return [
        {"net": net, "kernel": "all", "us_a_step": total / n_steps, "share": 1.0},
        *(
            {
                "net": net,
                "kernel": f"{key:.90}",
                "calls_a_step": count / n_steps,
                "us_a_step": microseconds / n_steps,
                "share": microseconds / total,
            }
            for microseconds, count, key in rows
        ),
    ]


if __name__ == "__main__":
    typer.run(main)
