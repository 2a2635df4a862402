"""Whether it pays to train cells together: some seconds of both ways, on random clips.

It is run as a process of its own, so that what it holds of a GPU is let go of:

    python -m convscope.sweeps.local.speedup < CELLS

reads a JSON list of `Cell.config`, of one `likeness`, and prints
{"alone": clips a second, "together": clips a second}.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.data.config import SoundConfig
from convscope.data.dataset import Dataset
from convscope.training.cell import Cell, make_cell
from convscope.training.engine import Engine
from convscope.training.together.epoch import JointEpoch

SECONDS = 1.0
"""So long each of the two ways is measured, once it is warm."""
STEPS = 16
"""In an epoch of the measurement."""
SOME_CLASSES = 10
"""Where only the data folder knows how many there are."""
WORTH = 1.2
"""Together pays from so many times the clips a second of alone."""


@dataclass(frozen=True)
class Speeds:
    """Clips a second in training, of all cells that are trained at once."""

    alone: float
    together: float

    @property
    def ratio(self) -> float:
        return self.together / self.alone

    @property
    def worthwhile(self) -> bool:
        return self.ratio >= WORTH


def measure(cells: Sequence[Cell], seconds: float = SECONDS, steps: int = STEPS) -> Speeds:
    """Train the first cell alone, then all of them together, for some seconds each.

    Args:
        cells: of one `likeness`.
        seconds: of each way, after a first epoch that is not counted.
        steps: of an epoch.
    """
    data = random_clips(cells[0], steps)
    n_clips = len(data.indices("train"))
    first = Engine(cells[0].model, data, cells[0].train)
    alone = _rate(lambda epoch: first.train_epoch(epoch, _silent), n_clips, seconds)
    engines = [Engine(cell.model, data, cell.train, first.feed) for cell in cells]
    together = _rate(
        lambda epoch: JointEpoch(engines, [epoch] * len(engines)).train(_silent),
        n_clips * len(engines),
        seconds,
    )
    return Speeds(alone, together)


def random_clips(cell: Cell, steps: int) -> Dataset:
    """As many clips as some steps of a cell take, of the shape and type of its data."""
    n_clips, rng = steps * cell.train.batch_size, np.random.default_rng(0)
    is_sound = isinstance(cell.data, SoundConfig)
    most, kind = (2**15, np.dtype(np.int16)) if is_sound else (2**8, np.dtype(np.uint8))
    clips: Any = rng.integers(0, most, (n_clips, *cell.data.clip_shape), dtype=kind)
    classes = tuple(cell.data.names or map(str, range(SOME_CLASSES)))
    return Dataset(
        config=cell.data,
        classes=classes,
        clips=clips,
        labels=np.arange(n_clips) % len(classes),
        splits=np.zeros(n_clips, dtype=np.int8),
        ids=np.arange(n_clips).astype(str),
        exact=np.ones(n_clips, dtype=bool),
        fingerprint="random",
    )


def _rate(train: Callable[[int], object], n_clips: int, seconds: float) -> float:
    """Clips a second; an epoch ends by reading its losses, so that nothing is under way then."""
    train(1)
    started, epochs = time.perf_counter(), 0
    while epochs == 0 or time.perf_counter() - started < seconds:
        epochs += 1
        train(1)
    return epochs * n_clips / (time.perf_counter() - started)


def _silent(*_: int) -> None:
    pass


def main() -> None:
    """Measure the cells on standard input."""
    speeds = measure([make_cell(config) for config in json.load(sys.stdin)])
    print(json.dumps({"alone": speeds.alone, "together": speeds.together}))


if __name__ == "__main__":
    main()
