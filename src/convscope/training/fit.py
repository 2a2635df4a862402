"""One training, from a spec, data and a config to a run folder."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch

from convscope.data.dataset import Dataset
from convscope.models.spec import ModelSpec
from convscope.run import MODEL, PREDICTIONS, SCORES, Run
from convscope.scores.metrics import at_chance, confusion_matrix, scores
from convscope.training.attempt import attempt
from convscope.training.cell import Cell
from convscope.training.checkpoint import Progress, load_progress, save_progress
from convscope.training.config import TrainConfig
from convscope.training.engine import Engine, Evaluation, pick_device
from convscope.training.memory import peak_memory, reset_peak


class Watcher:
    """Is told how a training gets on; this one does nothing."""

    def step(self, epoch: int, done: int, total: int) -> None:
        """`done` of `total` steps of an epoch are made."""

    def epoch(self, row: dict[str, float]) -> None:
        """An epoch is done and kept: its row of epochs.csv."""


SILENT = Watcher()


def fit(
    spec: ModelSpec,
    data: Dataset,
    config: TrainConfig,
    out: Path | str = "runs",
    watcher: Watcher = SILENT,
) -> Run:
    """Train one cell, or go on with it, and return its finished run.

    The weights are those of the epoch with least validation loss; the scores are of the test clips.
    The same call again returns the finished run at once.

    Raises:
        UserError: where the run's folder is in use, or was made for other data.
        RunFailed: for a loss that explodes, or a disk that is full; the last good epoch is kept.
        NoRoom: where memory does not hold a step; the last good epoch is kept.
    """
    cell = Cell(data.config, spec, config)
    run = Run(Path(out) / cell.name)
    with attempt(run, cell, data):
        if run.is_done:
            return run
        reset_peak(pick_device(config.device))
        engine = Engine(spec, data, config)
        progress = load_progress(run, engine)
        first = progress.epoch + 1
        while not progress.is_over(config.epochs, config.patience):
            started = time.monotonic()
            epoch = progress.epoch + 1
            row = {"epoch": epoch, **engine.train_epoch(epoch, watcher.step)}
            row |= engine.validate(epoch)
            row["seconds"] = round(time.monotonic() - started, 3)
            progress.add(row, engine.net)
            if epoch == first or (engine.pieces.divided and not run.status.get("divided")):
                run.write_status(**_measured(engine))
            save_progress(run, engine, progress)
            watcher.epoch(row)
        engine.net.load_state_dict(progress.best)
        _conclude(run, engine, progress)
    return run


def _measured(engine: Engine) -> dict[str, Any]:
    """What the training knows of itself; that batch norm was divided is never taken back."""
    divided = {"divided": True} if engine.pieces.divided else {}
    return {"peak_memory_bytes": peak_memory(engine.device), **divided}


def _conclude(run: Run, engine: Engine, progress: Progress) -> None:
    """Write what the training was for; the manifest last."""
    test = engine.evaluate("test")
    run.write_epochs(progress.rows)
    run.write(MODEL, safetensors.torch.save(progress.best))
    run.write_with(PREDICTIONS, lambda file: np.savez(file, **_predictions(engine.data, test)))
    results = _scores(engine, progress, test)
    run.write_json(SCORES, results)
    run.write_status(state="done", chance=results["chance"], reason=None, **_measured(engine))
    run.finish()


def _predictions(data: Dataset, test: Evaluation) -> dict[str, Any]:
    indices = data.indices("test")
    return {
        "logits": test.logits,
        "labels": test.labels,
        "ids": data.ids[indices],
        "scored": data.scored("test"),
    }


def _scores(engine: Engine, progress: Progress, test: Evaluation) -> dict[str, Any]:
    """The test scores as plain data, and what the board shows beside them."""
    data = engine.data
    scored = data.scored("test")
    predicted = test.logits.argmax(axis=1)
    matrix = confusion_matrix(test.labels[scored], predicted[scored], data.n_classes)
    best = progress.rows[progress.best_epoch - 1]
    return {
        **scores(matrix, data.classes).to_dict(),
        "params": sum(p.numel() for p in engine.net.parameters() if p.requires_grad),
        "best_epoch": progress.best_epoch,
        "epochs": progress.epoch,
        "validation_loss": best["validation_loss"],
        "validation_accuracy": best["validation_accuracy"],
        "chance": at_chance(matrix),
    }
