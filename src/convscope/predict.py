"""A trained net's answers on files that have no label."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table
from scipy.special import softmax

from convscope.data.config import DataConfig, ImagesConfig, SoundConfig
from convscope.data.files import Unreadable
from convscope.data.images import image_decoder
from convscope.data.sound_files import read_sound, to_int16
from convscope.errors import UserError
from convscope.names import find_path
from convscope.training.checkpoint import Trained
from convscope.training.engine import logits_of
from convscope.types import Clips


@dataclass(frozen=True)
class Prediction:
    """The classes of one window of a file, the most probable first.

    Attributes:
        file: as it was given.
        start_seconds, end_seconds: of the window; None for an image.
        label: the most probable class.
        probabilities: class to probability, descending.
    """

    file: str
    start_seconds: float | None
    end_seconds: float | None
    label: str
    probabilities: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def predict_files(trained: Trained, files: Sequence[Path]) -> tuple[list[Prediction], list[str]]:
    """The classes of all files that can be read, and a line for each of the others.

    Raises:
        UserError: for a run that was trained on no files.
    """
    predictions: list[Prediction] = []
    mistakes: list[str] = []
    for file in files:
        try:
            predictions += predict_file(trained, find_path(file))
        except Unreadable as error:
            mistakes.append(f"{file} {error}: expected {_expected(trained.cell.data)}")
    return predictions, mistakes


def predict_file(trained: Trained, file: Path) -> list[Prediction]:
    """The classes of a file: window by window for a recording longer than the net's input.

    Windows follow each other without overlap; the last one is padded with zeros.

    Raises:
        Unreadable: saying why.
        UserError: for a run that was trained on no files.
    """
    config = trained.cell.data
    clips = _windows(config, file)
    logits = logits_of(trained.net, trained.front, clips, np.arange(len(clips)))
    probabilities = softmax(logits.astype(np.float64), axis=1)
    seconds = config.seconds if isinstance(config, SoundConfig) else None
    return [
        _prediction(trained.classes, file, seconds, i, row) for i, row in enumerate(probabilities)
    ]


def _expected(config: DataConfig) -> str:
    return "a sound" if isinstance(config, SoundConfig) else "an image"


def _prediction(
    classes: tuple[str, ...],
    file: Path,
    seconds: float | None,
    window: int,
    row: NDArray[np.float64],
) -> Prediction:
    ranked = {classes[i]: float(row[i]) for i in np.argsort(-row, kind="stable")}
    start, end = (None, None) if seconds is None else (window * seconds, (window + 1) * seconds)
    return Prediction(str(file), start, end, next(iter(ranked)), ranked)


def _windows(config: DataConfig, file: Path) -> Clips:
    """Clips (n_windows, *clip_shape) of a file."""
    if isinstance(config, SoundConfig):
        samples = to_int16(read_sound(file, config.rate_hz)[0])
        n_windows = -(-len(samples) // config.n_times)
        padded = np.pad(samples, (0, n_windows * config.n_times - len(samples)))
        return padded.reshape(n_windows, 1, config.n_times)
    if isinstance(config, ImagesConfig):
        return image_decoder(config)(file)[0][np.newaxis]
    raise UserError(
        "predict takes sound and image files, and this run was trained on MNIST's arrays"
    )


def prediction_table(predictions: list[Prediction]) -> Table:
    """The three most probable classes of every window."""
    table = Table("file", "from s", "to s", "label", "probability", "then", box=SIMPLE)
    for each in predictions:
        first, *others = list(each.probabilities.items())[:3]
        then = ", ".join(f"{name} {probability:.3f}" for name, probability in others)
        window = ["" if t is None else f"{t:.2f}" for t in (each.start_seconds, each.end_seconds)]
        table.add_row(each.file, *window, first[0], f"{first[1]:.3f}", then)
    return table
