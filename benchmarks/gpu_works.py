"""Whether each family trains as it should: finite, falling, and as its net layer by layer.

    python benchmarks/gpu_works.py                                on a GPU: two minutes
    python benchmarks/gpu_works.py --families custom --tiny       a small form

Of every family, in float32 and bfloat16, with and without batch norm, pooling after and before the
activation: the first gradient beside that of the net executed layer by layer, 30 steps, whether
they were a CUDA graph's replays, and which of a step's kernels are ours. A process each family.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from cases import CASES, patterned
from measure import Row, if_it_runs, tell
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from convscope.errors import RunFailed, UserError
from convscope.models.families import FAMILIES
from convscope.training.cell import Cell, make_cell
from convscope.training.engine import Engine

EPOCHS, STEPS = 6, 5
MOST_APART = 5e-2
OUR_KERNELS = ("_forward", "_backward")


def main(
    families: Annotated[str, typer.Option(help=f"Of {', '.join(FAMILIES)}.")] = ",".join(FAMILIES),
    batch: Annotated[int, typer.Option(help="Clips a step.")] = 32,
    tiny: Annotated[bool, typer.Option("--tiny", help="Two channels, one epoch of steps.")] = False,
    at_once: Annotated[int, typer.Option(help="Families at a time.")] = 8,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Try every family, print a table, write it as JSON; exit 1 where one does not hold."""
    if tiny:
        batch, at_once = 4, 1
    with ThreadPoolExecutor(at_once) as threads:
        tried = threads.map(
            lambda name: if_it_runs(of_family, name, batch, tiny), families.split(",")
        )
        rows = [row for of_one in tried for row in of_one or [{"holds": False}]]
    tell("30 steps of each family", rows, json_file)
    raise typer.Exit(any(row["holds"] is False for row in rows))


def of_family(name: str, batch: int, tiny: bool) -> list[Row]:
    """A row for each way to train the family."""
    return [_tried(cell, tiny) for cell in cells(name, batch, tiny)]


def cells(name: str, batch: int, tiny: bool) -> Iterator[Cell]:
    """Without dropout, so that two executions are the same training."""
    data, model = CASES["ch32" if name == "custom" else name]
    small = {"base_channels": 2} if tiny else {}
    for precision, batch_norm, pool in product(
        ("fp32", "bf16"), (False, True), ("after", "before")
    ):
        if pool == "before" and not FAMILIES[name].pool:
            continue
        own = {**model, **small, "dropout": 0.0, "batch_norm": batch_norm, "pool": pool}
        train = {"batch_size": batch, "precision": precision, "learning_rate": 1e-3}
        yield make_cell({"data": data, "model": own, "train": train})


def _tried(cell: Cell, tiny: bool) -> Row:
    model = cell.model.model_dump()
    row: Row = {key: model[key] for key in ("family", "batch_norm", "pool")}
    row["precision"] = cell.train.precision
    try:
        return {**row, **measured(cell, 2 if tiny else EPOCHS)}
    except UserError as refused:
        return {**row, "holds": None, "refused": f"{refused!s:.120}"}
    except (RuntimeError, RunFailed) as error:
        first = next(iter(str(error).splitlines()), "")
        return {**row, "holds": False, "error": f"{type(error).__name__}: {first:.120}"}


def measured(cell: Cell, n_epochs: int) -> Row:
    """The gradient's distance from the plain one, then some epochs of a few steps."""
    data = patterned(cell, STEPS * cell.train.batch_size)
    ours, plain = Engine(cell.model, data, cell.train), Engine(cell.model, data, cell.train)
    plain.forward = plain.net
    gradients = [gradient(each) for each in (ours, plain)]
    exact = exact_gradient(plain)
    distance, near = apart(*gradients), apart(gradients[1], exact)
    losses = [ours.train_epoch(i, lambda *_: None)["train_loss"] for i in range(1, n_epochs + 1)]
    falls = losses[-1] < losses[0]
    as_exact = apart(gradients[0], exact) < 1.25 * near
    return {
        "apart_from_plain": distance,
        "apart_from_exact": apart(gradients[0], exact),
        "plain_from_exact": near,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "graph": None if ours.graph is None else ours.graph.why_not or "replayed",
        "our_kernels": ", ".join(our_kernels(cell, data)) or None,
        "holds": falls and (distance < MOST_APART or as_exact),
    }


def gradient(engine: Engine) -> Tensor:
    """Of the first batch, all parameters in one vector; nothing of the engine is changed by it."""
    state = {name: value.clone() for name, value in engine.net.state_dict().items()}
    engine.net.train()
    engine.net.zero_grad(set_to_none=True)
    clips, labels = first_batch(engine)
    engine._backward(engine._batch(clips, labels), slice(0, len(labels)))
    found = torch.cat([p.grad.flatten() for p in engine.net.parameters() if p.grad is not None])
    engine.net.zero_grad(set_to_none=True)
    engine.net.load_state_dict(state)
    return found.double()


def exact_gradient(engine: Engine) -> Tensor:
    """The same in float64, layer by layer, from the very weights."""
    state = {name: value.clone() for name, value in engine.net.state_dict().items()}
    clips, labels = first_batch(engine)
    inputs = engine.front(engine.front.scale(clips)).double()
    engine.net.double().train()
    loss = torch.nn.functional.cross_entropy(engine.net(inputs), labels)
    found = torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, list(engine.net.parameters()))]
    )
    engine.net.float().load_state_dict(state)
    return found


def first_batch(engine: Engine) -> tuple[Tensor, Tensor]:
    """Stored clips and their labels."""
    rows = engine.train_indices[: engine.config.batch_size]
    return next(iter(engine._fed([rows])))


def our_kernels(cell: Cell, data: Any) -> list[str]:
    """Names of the Triton kernels that a step started, by torch's profiler."""
    if not torch.cuda.is_available():
        return []
    engine = Engine(cell.model, data, cell.train)
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiled:
        gradient(engine)
        torch.cuda.synchronize()
    return sorted({event.key for event in profiled.key_averages() if event.key in OUR_KERNELS})


def apart(one: Tensor, other: Tensor) -> float:
    """The norm of the difference, relative to the other's."""
    return float((one - other).norm() / other.norm())


if __name__ == "__main__":
    typer.run(main)
