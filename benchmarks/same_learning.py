"""Whether the fast execution learns what the plain one does: curves and accuracies over seeds.

    python benchmarks/same_learning.py RECIPE data.folder=DIR train.epochs=20
    python benchmarks/same_learning.py RECIPE data.folder=DIR train.epochs=2 --limit 2000

Plain is a tutorial's loop in fp32 with its own order of clips and its own dropout; ours is `fit`,
in bf16 on a GPU. The recipe's optimizer must be Adam at a constant rate, without augmentation. Both
keep the epoch of least validation loss and are scored on the test clips. They agree where the mean
accuracies differ by no more than seeds do: by two standard errors of the difference.
"""

import math
from dataclasses import replace
from pathlib import Path
from statistics import mean, variance
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import torch
import typer
from executions import EXECUTIONS, Plain
from measure import Row, alone, tell
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from convscope.data.dataset import Dataset
from convscope.data.load import load_dataset
from convscope.errors import UserError
from convscope.recipes import read_cell
from convscope.training.augment import AugmentConfig
from convscope.training.cell import Cell, make_cell
from convscope.training.engine import EVALUATION_BATCH, pick_device
from convscope.training.fit import fit
from convscope.types import SPLITS, Split

PLAIN, OURS = "plain fp32", "ours"


def main(
    recipe: Annotated[Path, typer.Argument(help="A recipe of one cell.")],
    assignments: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE")] = None,
    seeds: Annotated[str, typer.Option(help="Of both.")] = "0,1,2",
    limit: Annotated[int, typer.Option(help="Clips of each split; 0: all.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Train by both ways with every seed, print a table, write it as JSON with all curves."""
    cell = read_cell(recipe, assignments or [])
    _require_plain(cell)
    precision = "bf16" if pick_device(cell.train.device).type == "cuda" else "fp32"
    runs = []
    for seed in (int(seed) for seed in seeds.split(",")):
        for way, train, own in ((PLAIN, plain, "fp32"), (OURS, ours, precision)):
            one = _with(cell, seed=seed, patience=0, precision=own)
            runs.append({"way": way, "seed": seed, **alone(train, one, limit)})
    tell(f"{cell.model.family}, {cell.train.epochs} epochs", [*map(_row, runs)])
    tell("both ways", [summary(runs)], json_file, runs=runs)


def plain(cell: Cell, limit: int) -> Row:
    """A tutorial's loop: the losses of each epoch, and the test accuracy of the best of them."""
    device = pick_device(cell.train.device)
    data = first_of_each(load_dataset(cell.data), limit)
    cell = make_cell({**cell.config, "data": {**cell.config["data"], **_names(data)}})
    loop = Plain(cell, EXECUTIONS["fp32"], device)
    rng = np.random.default_rng(cell.train.seed)
    curve, best, accuracy = [], math.inf, 0.0
    for _ in range(cell.train.epochs):
        order = torch.from_numpy(rng.permutation(data.indices("train")))
        batches = [rows.numpy() for rows in order.split(cell.train.batch_size) if len(rows) > 1]
        losses = [loop.step(*_on_device(data, rows, device)) for rows in batches]
        loss, _ = _scored(loop, data, "validation", device)
        curve.append({"train_loss": float(torch.stack(losses).mean()), "validation_loss": loss})
        if loss < best:
            best, accuracy = loss, _scored(loop, data, "test", device)[1]
    return {"curve": curve, "accuracy": accuracy}


def ours(cell: Cell, limit: int) -> Row:
    """The same by `fit`."""
    data = first_of_each(load_dataset(cell.data), limit)
    with TemporaryDirectory() as out:
        run = fit(cell.model, data, cell.train, out)
        names = ("train_loss", "validation_loss")
        curve = [{name: row[name] for name in names} for row in run.epochs]
        return {"curve": curve, "accuracy": run.scores["accuracy"]}


def summary(runs: list[Row]) -> Row:
    """Both ways' mean test accuracies, their difference, and two standard errors of it."""
    a, b = ([run["accuracy"] for run in runs if run["way"] == way] for way in (PLAIN, OURS))
    difference = mean(b) - mean(a)
    noise = 2 * math.sqrt(variance(a) / len(a) + variance(b) / len(b)) if len(a) > 1 else None
    return {
        "plain_accuracy": mean(a),
        "our_accuracy": mean(b),
        "difference": difference,
        "two_standard_errors": noise,
        "agree": abs(difference) <= noise if noise is not None else None,
        "largest_gap_of_mean_curves": _gap(runs),
    }


def _gap(runs: list[Row]) -> float:
    """Between the two ways' validation losses, each the mean over seeds, at the worst epoch."""

    def curve(way: str) -> NDArray[np.float64]:
        own = [run["curve"] for run in runs if run["way"] == way]
        losses = np.array([[each["validation_loss"] for each in curve] for curve in own])
        mean_losses: NDArray[np.float64] = losses.mean(axis=0)
        return mean_losses

    return float(np.abs(curve(OURS) - curve(PLAIN)).max())


def _row(run: Row) -> Row:
    first, last = run["curve"][0], run["curve"][-1]
    return {
        "way": run["way"],
        "seed": run["seed"],
        "first_train_loss": first["train_loss"],
        "last_train_loss": last["train_loss"],
        "least_validation_loss": min(each["validation_loss"] for each in run["curve"]),
        "test_accuracy": run["accuracy"],
    }


def first_of_each(data: Dataset, limit: int) -> Dataset:
    """The data with so many clips of each split, evenly chosen; 0 for all."""
    if not limit:
        return data
    parts = [data.indices(split) for split in SPLITS]
    evenly = [np.linspace(0, len(part) - 1, min(limit, len(part))).astype(int) for part in parts]
    kept = np.sort(np.concatenate([part[at] for part, at in zip(parts, evenly, strict=True)]))
    return replace(
        data,
        clips=data.clips[kept],
        labels=data.labels[kept],
        splits=data.splits[kept],
        ids=data.ids[kept],
        exact=data.exact[kept],
    )


def _scored(loop: Plain, data: Dataset, split: Split, device: torch.device) -> tuple[float, float]:
    """Mean loss, and accuracy; on the test clips that count, as `fit` does."""
    rows = data.indices(split)
    rows = rows[data.scored(split)] if split == "test" else rows
    logits, labels = [], []
    for start in range(0, len(rows), EVALUATION_BATCH):
        clips, these = _on_device(data, rows[start : start + EVALUATION_BATCH], device)
        logits.append(loop.answers(clips))
        labels.append(these)
    answers, truth = torch.cat(logits), torch.cat(labels)
    accuracy = float((answers.argmax(1) == truth).float().mean())
    return float(F.cross_entropy(answers, truth)), accuracy


def _on_device(data: Dataset, rows: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    clips = torch.from_numpy(np.ascontiguousarray(data.clips[rows]))
    return clips.to(device), torch.from_numpy(data.labels[rows]).to(device)


def _names(data: Dataset) -> dict[str, list[str]]:
    return {data.config.names_key: list(data.classes)}


def _with(cell: Cell, **train: Any) -> Cell:
    return make_cell({**cell.config, "train": {**cell.config["train"], **train}})


def _require_plain(cell: Cell) -> None:
    train = cell.train
    odd = train.optimizer != "adam" or train.schedule != "constant" or train.label_smoothing
    if odd or train.weight_decay or train.augment != AugmentConfig():
        raise UserError(
            "train: expected plain Adam at a constant rate, got more: remove the preset"
        )


if __name__ == "__main__":
    typer.run(main)
