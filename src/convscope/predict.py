"""A trained net's answers on files that have no label."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table
from scipy.special import softmax

from convscope.data.config import DataConfig, ImagesConfig, SoundConfig
from convscope.data.decoding.images import image_decoder
from convscope.data.decoding.sound_files import read_sound, to_int16
from convscope.data.listing.files import Unreadable
from convscope.data.listing.notes import Note
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


@dataclass
class Answers:
    """What is said of files, each of which has predictions or a mistake.

    Attributes:
        predictions: of all files that can be read.
        notes: a line for whatever is wrong with one of those nevertheless.
        mistakes: a line for each of the others.
    """

    predictions: list[Prediction] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)


def predict_files(trained: Trained, files: Sequence[Path]) -> Answers:
    """The classes of all files that can be read, and a line for each of the others.

    Raises:
        UserError: for a run that was trained on no files.
    """
    answers = Answers()
    for file in files:
        try:
            predictions, notes = predict_file(trained, find_path(file))
        except Unreadable as error:
            answers.mistakes.append(f"{file} {error}: expected {_expected(trained.cell.data)}")
        else:
            answers.predictions += predictions
            answers.notes += [f"{file} {note.text}" for note in notes]
    return answers


def predict_file(trained: Trained, file: Path) -> tuple[list[Prediction], tuple[Note, ...]]:
    """The classes of a file, window by window for a recording longer than the net's input, and
    what is wrong with it.

    Windows follow each other without overlap; the last one is padded with zeros.

    Raises:
        Unreadable: saying why.
        UserError: for a run that was trained on no files.
    """
    config = trained.cell.data
    clips, notes = _windows(config, file)
    logits = logits_of(trained.net, trained.front, clips, np.arange(len(clips)))
    probabilities = softmax(logits.astype(np.float64), axis=1)
    seconds = config.seconds if isinstance(config, SoundConfig) else None
    predictions = [
        _prediction(trained.classes, file, seconds, i, row) for i, row in enumerate(probabilities)
    ]
    return predictions, notes


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


def _windows(config: DataConfig, file: Path) -> tuple[Clips, tuple[Note, ...]]:
    """Clips (n_windows, *clip_shape) of a file, and what is wrong with it."""
    if isinstance(config, SoundConfig):
        sound = read_sound(file, config.rate_hz)
        samples = to_int16(sound.waveform)
        n_windows = -(-len(samples) // config.n_times)
        padded = np.pad(samples, (0, n_windows * config.n_times - len(samples)))
        return padded.reshape(n_windows, 1, config.n_times), sound.notes
    if isinstance(config, ImagesConfig):
        decoded = image_decoder(config)(file)
        return decoded.clip[np.newaxis], decoded.notes
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
