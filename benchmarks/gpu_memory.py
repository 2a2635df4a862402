"""What happens where a GPU's memory is too small: batches are halved, clips are read ahead.

python benchmarks/gpu_memory.py            on a GPU: a minute
python benchmarks/gpu_memory.py --tiny     the same on a CPU, where memory suffices
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from cases import case, noise
from measure import Row, if_it_runs, tell

from convscope.training.accumulation.memory import peak_memory
from convscope.training.engine import Engine

CASES = {
    "a batch that does not fit": ("ch64", 512, 512, 4.0),
    "one with batch norm, which must not be divided": ("ch64-bn", 512, 512, 4.0),
    "100,000 clips, of which a quarter of the memory holds too few": ("ch32", 100_000, 256, 16.0),
}
"""A net, training clips, clips a step, and the GiB that the process may take."""


def main(
    tiny: Annotated[bool, typer.Option("--tiny", help="Eight clips.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Train an epoch of each, print a table, write it as JSON."""
    rows = [
        {"what": what, **(if_it_runs(trained, *given, tiny) or {"ended": "in an error: see above"})}
        for what, given in CASES.items()
    ]
    tell("too little memory", rows, json_file)


def trained(net: str, n_clips: int, batch: int, gib: float, tiny: bool) -> Row:
    """An epoch, and how it went."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        share = gib * 2**30 / torch.cuda.mem_get_info()[1]
        torch.cuda.set_per_process_memory_fraction(share)
    n_clips, batch = (8, 4) if tiny else (n_clips, batch)
    cell = case(net, batch_size=batch, precision="fp32")
    row: Row = {"allowed_gib": gib if on_gpu else None, "clips": n_clips, "batch": batch}
    engine = Engine(cell.model, noise(cell, n_clips), cell.train)
    try:
        loss = engine.train_epoch(1, lambda *_: None)["train_loss"]
    except Exception as error:  # what came is the result
        row["ended"] = f"{type(error).__name__}: {str(error).splitlines()[0]:.120}"
    else:
        row |= {"ended": "done", "loss": loss}
    peak = peak_memory(engine.device)
    row |= {"pieces_of": engine.micro_batches.at_most, "clips_are": str(engine.feed)}
    return {**row, "peak_gib": peak / 2**30 if peak else None}


if __name__ == "__main__":
    typer.run(main)
