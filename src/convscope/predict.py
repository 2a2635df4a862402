"""A trained net's answers on files that have no label."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.special import softmax

from convscope.data.config import ImagesConfig, MnistConfig, SoundConfig
from convscope.data.files import Unreadable
from convscope.data.images import image_decoder
from convscope.data.sound_files import read_sound, to_int16
from convscope.errors import UserError
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


def predict_file(trained: Trained, file: Path) -> list[Prediction]:
    """The classes of a file: window by window for a recording longer than the net's input.

    Windows follow each other without overlap; the last one is padded with zeros.

    Raises:
        UserError: for a file that cannot be read.
    """
    try:
        clips, starts = _windows(trained.cell.data, file)
    except Unreadable as error:
        raise UserError(f"{file} cannot be read: {error}") from None
    logits = logits_of(trained.net, trained.front, clips, np.arange(len(clips)))
    probabilities = softmax(logits.astype(np.float64), axis=1)
    return [
        _prediction(trained, file, start, row)
        for start, row in zip(starts, probabilities, strict=True)
    ]


def _prediction(
    trained: Trained, file: Path, start: float | None, row: NDArray[np.float64]
) -> Prediction:
    ranked = {trained.classes[i]: float(row[i]) for i in np.argsort(-row, kind="stable")}
    end = None if start is None else start + trained.cell.data.seconds
    return Prediction(str(file), start, end, next(iter(ranked)), ranked)


def _windows(config: object, file: Path) -> tuple[Clips, list[float | None]]:
    """Clips (n_windows, n_channels, ...) of a file, and where each starts, in seconds."""
    if isinstance(config, SoundConfig):
        samples = to_int16(read_sound(file, config.rate_hz))
        n_windows = -(-len(samples) // config.n_times)
        padded = np.pad(samples, (0, n_windows * config.n_times - len(samples)))
        clips = padded.reshape(n_windows, 1, config.n_times)
        return clips, [i * config.n_times / config.rate_hz for i in range(n_windows)]
    if isinstance(config, ImagesConfig):
        return image_decoder(config)(file)[0][np.newaxis], [None]
    raise UserError(f"predict takes sounds and images, and this run was trained on {config.kind}")


def prediction_table(predictions: list[Prediction]) -> Table:
    """The three most probable classes of every window."""
    table = Table("file", "from s", "to s", "label", "probability", "then")
    for each in predictions:
        first, *others = list(each.probabilities.items())[:3]
        then = ", ".join(f"{name} {probability:.3f}" for name, probability in others)
        window = ["" if t is None else f"{t:.2f}" for t in (each.start_seconds, each.end_seconds)]
        table.add_row(each.file, *window, first[0], f"{first[1]:.3f}", then)
    return table
