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
from convscope.training.accumulation.memory import peak_memory, reset_peak
from convscope.training.attempt import attempt
from convscope.training.cell import Cell
from convscope.training.checkpoint import Progress, load_progress, save_progress
from convscope.training.config import TrainConfig
from convscope.training.engine import Engine, Evaluation, pick_device


class Watcher:
    """Is told how a training gets on; this one does nothing."""

    def start(self, execution: str) -> None:
        """The first step comes next; `execution` says in a line how steps are executed."""

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
        training = Training(run, Engine(spec, data, config), watcher)
        watcher.start(training.engine.execution)
        while not training.is_over:
            started = time.monotonic()
            row = training.engine.train_epoch(training.epoch, watcher.step)
            training.keep(row, time.monotonic() - started)
        training.conclude()
    return run


class Training:
    """A training whose run is held: how far it is, and what is kept of it.

    Args:
        run: where it is kept; it goes on from what lies there.
        engine: its net and optimizer, fresh.
        watcher: is told of each epoch that is kept.
        n_together: so many trainings share this process's memory.
    """

    def __init__(self, run: Run, engine: Engine, watcher: Watcher, n_together: int = 1) -> None:
        self.engine = engine
        self.watcher = watcher
        self._run = run
        self._n_together = n_together
        self._progress = load_progress(run, engine)
        self._first = self.epoch

    @property
    def epoch(self) -> int:
        """The number of the epoch to come, from 1."""
        return self._progress.epoch + 1

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or the last of them brought no gain."""
        config = self.engine.config
        return self._progress.is_over(config.epochs, config.patience)

    def keep(self, trained: dict[str, float], seconds: float) -> None:
        """Validate, and keep the epoch that is trained.

        Args:
            trained: what `Engine.train_epoch` gives.
            seconds: that it took.
        """
        started = time.monotonic()
        row = {"epoch": self.epoch, **trained, **self.engine.validate(self.epoch)}
        row["seconds"] = round(seconds + time.monotonic() - started, 3)
        self._progress.add(row, self.engine.kept)
        divided = self.engine.micro_batches.divided and not self._run.status.get("divided")
        if row["epoch"] == self._first or divided:
            self._run.write_status(**self._measured())
        save_progress(self._run, self.engine, self._progress)
        self.watcher.epoch(row)

    def conclude(self) -> None:
        """Write what the training was for."""
        self.engine.net.load_state_dict(self._progress.best)
        _conclude(self._run, self.engine, self._progress, self._measured())

    def _measured(self) -> dict[str, Any]:
        """What it knows of itself; that batch norm was divided is never taken back."""
        divided = {"divided": True} if self.engine.micro_batches.divided else {}
        peak = peak_memory(self.engine.device)
        return {
            "peak_memory_bytes": peak and peak // self._n_together,
            "execution": self.engine.execution,
            **divided,
        }


def _conclude(run: Run, engine: Engine, progress: Progress, measured: dict[str, Any]) -> None:
    """Write what the training was for; the manifest last."""
    test = engine.evaluate("test")
    run.write_epochs(progress.rows)
    run.write(MODEL, safetensors.torch.save(progress.best))
    run.write_with(PREDICTIONS, lambda file: np.savez(file, **_predictions(engine.data, test)))
    results = _scores(engine, progress, test)
    run.write_json(SCORES, results)
    run.write_status(state="done", chance=results["chance"], reason=None, **measured)
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
