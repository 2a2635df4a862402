"""Run folders with real files, as training leaves them, without training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from convscope.run import RESULTS, Run
from convscope.scores.intervals import wilson
from convscope.training.cell import make_cell

CLASSES = [f"word{i}" for i in range(16)]
N_CLIPS = 1000

MakeRun = Callable[..., Run]


def write_run(
    folder: Path,
    accuracy: float | None = 0.9,
    params: int = 1000,
    fingerprint: str = "same",
    status: dict[str, Any] | None = None,
    n_epochs: int = 2,
    **settings: Any,
) -> Run:
    """A run below `folder`, done where it has an accuracy.

    Args:
        settings: of the cell, by keys such as model__dropout.
    """
    recipe: dict[str, dict[str, Any]] = {
        "data": {"kind": "words", "words": CLASSES, "folder": "words"},
        "model": {"family": "custom"},
        "train": {},
    }
    for key, value in settings.items():
        section, _, name = key.partition("__")
        recipe[section][name] = value
    cell = make_cell(recipe)
    run = Run(folder / (cell.name if fingerprint == "same" else f"{cell.name}-{fingerprint}"))
    files = {
        "config.yaml": yaml.safe_dump(cell.config, sort_keys=False),
        "environment.json": json.dumps(
            {"classes": CLASSES, "data": {"fingerprint": fingerprint}, "device": "cpu"}
        ),
        "epochs.csv": "epoch,train_loss,validation_loss,seconds\n"
        + "".join(f"{i},{2 / i},{3 / i},1.5\n" for i in range(1, n_epochs + 1)),
        "status.json": json.dumps(
            {"state": "running" if accuracy is None else "done", "chance": False, **(status or {})}
        ),
    }
    if accuracy is not None:
        n_right = round(accuracy * N_CLIPS)
        scores = {"accuracy": accuracy, "interval": list(wilson(n_right, N_CLIPS)), "n": N_CLIPS}
        scores |= {"params": params, "best_epoch": 1, "macro": {"f1": accuracy}}
        files |= {name: "" for name in RESULTS if name not in files}
        files |= {"scores.json": json.dumps(scores), "manifest.json": '{"sha256": {}}'}
    run.folder.mkdir(parents=True)
    for name, text in files.items():
        run.path(name).write_text(text)
    return run


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`make_run(accuracy, params, model__dropout=0.25, train__seed=1, ...)`: a run in tmp_path."""

    def make(accuracy: float | None = 0.9, params: int = 1000, **more: Any) -> Run:
        return write_run(tmp_path / "runs", accuracy, params, **more)

    return make
