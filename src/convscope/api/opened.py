"""A run folder, opened: its results as records and arrays, its net, what it answers."""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.api.html import table_html
from convscope.api.layers import LayerTable
from convscope.api.looks import Looks, look_at_run
from convscope.data.dataset import Dataset
from convscope.data.load import load_dataset
from convscope.errors import UserError
from convscope.models.describe import describe
from convscope.predict import Prediction, predict_files
from convscope.run import Run
from convscope.scores.errors import WrongClip, wrong_clips_of
from convscope.scores.predictions import read_predictions
from convscope.training.cell import cell_of
from convscope.training.checkpoint import Trained, load_trained
from convscope.types import SPLITS, Split

log = logging.getLogger(__name__)


class OpenRun:
    """A run, finished or not. Opening one runs no code that came with it.

    Args:
        folder: the run's.
        trust_code: whether a network of the user's own that lies in the run may be built, whoever
            trained it.

    Raises:
        UserError: where the folder is no run.
    """

    def __init__(self, folder: Path | str, trust_code: bool = False) -> None:
        self._run = Run.existing(folder)
        self._trust_code = trust_code

    @property
    def name(self) -> str:
        """The family, and a hash of all that decides the result."""
        return self._run.name

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self._run.folder

    @property
    def config(self) -> dict[str, Any]:
        """The whole cell: data, model, train, defaults filled in."""
        return self._run.config

    @property
    def status(self) -> dict[str, Any]:
        """State (running, done, failed, interrupted), reason, attempts, host."""
        return self._run.status

    @property
    def is_done(self) -> bool:
        """Whether it was trained to its end."""
        return self._run.is_done

    @property
    def epochs(self) -> list[dict[str, float]]:
        """A row for each epoch that is kept: losses in nats, accuracies, learning rate, seconds."""
        return self._run.epochs

    @property
    def classes(self) -> tuple[str, ...]:
        """n_classes names, in the order of the logits."""
        return self._run.classes

    @property
    def scores(self) -> dict[str, Any]:
        """On the test clips: `accuracy`, its 95 % `interval`, `classes`, `params` and more.

        Raises:
            UserError: where the run is not done.
        """
        return self._finished().scores

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(n_classes, n_classes): row i, column j has the test clips of class i taken for class j.

        Raises:
            UserError: where the run is not done.
        """
        return np.array(self.scores["confusion"], dtype=np.int64)

    @property
    def predictions(self) -> dict[str, NDArray[Any]]:
        """Of the test clips `logits` (n_clips, n_classes), `labels`, `ids` and `scored` (n_clips,).

        Raises:
            UserError: where the run is not done.
        """
        return read_predictions(self._finished(), len(self.classes))

    def net(self) -> nn.Module:
        """The trained network, in evaluation mode: (n_clips, *input shape) to logits.

        Raises:
            UserError: where the run is not done, was changed since, or its code is not trusted.
        """
        return self._trained.net

    def clips(self, split: Split = "test") -> "SplitClips":
        """The clips of a split, decoded, with their labels.

        Raises:
            UserError: for no such split, or where the data are not there.
        """
        if split not in SPLITS:
            raise UserError(f"split: expected one of {', '.join(SPLITS)}, got {split!r}")
        return SplitClips(self._data, split)

    def inputs(self, clips: NDArray[Any]) -> Tensor:
        """Clips as they are stored, (n_clips, *clip shape), as the net's input."""
        front = self._trained.front
        given: Tensor = front(front.scale(_tensor(clips).to(next(self.net().parameters()).device)))
        return given

    def describe(self) -> LayerTable:
        """The layer table of the run's network."""
        cell = cell_of(self._run)
        rows = describe(cell.model, cell.data.shape, len(self.classes))
        return LayerTable(rows, getattr(cell.data, "rate_hz", None))

    def predict(self, files: Sequence[Path | str]) -> list[Prediction]:
        """Labels with probabilities, window by window for a recording longer than the input.

        Args:
            files: sounds or images.

        Raises:
            UserError: naming each file that cannot be read.
        """
        answers = predict_files(self._trained, [Path(file) for file in files])
        if answers.mistakes:
            raise UserError("; ".join(answers.mistakes))
        for note in answers.notes:
            log.warning("%s", note)
        return answers.predictions

    def errors(self, actual: str | None = None, predicted: str | None = None) -> list[WrongClip]:
        """The wrongly labelled test clips, most confident first.

        Args:
            actual: only clips of this class.
            predicted: only clips taken for this class.

        Raises:
            UserError: where the run is not done, or there is no such class.
        """
        return wrong_clips_of(self._run, actual, predicted)

    def look(self, *what: str, progress: bool = True, **options: Any) -> Looks:
        """What the net has learned: parts such as `filters` or `cam`, as `convscope look`.

        Args:
            what: parts; none: the default ones.
            progress: whether a bar says how far it is.
            options: `layer`, `unit`, `n`, `seed`, `clips` (a folder), `n_clips`, `other` (a run to
                compare with), `out` (a folder; None: `look` in the run's).

        Raises:
            UserError: where the run is not done, for a part, layer or unit that there is not, or
                one that makes no sense for this net.
        """
        return look_at_run(self._run, what, progress, self._trust_code, options)

    @cached_property
    def _trained(self) -> Trained:
        return load_trained(self._run, trust_code=self._trust_code)

    @cached_property
    def _data(self) -> Dataset:
        return load_dataset(cell_of(self._run).data, for_training=False)

    def _finished(self) -> Run:
        if not self._run.is_done:
            state = self.status.get("state", "unfinished")
            raise UserError(f"{self.folder} is not done ({state}): train it to its end first")
        return self._run

    def __repr__(self) -> str:
        return f"<run {self.name}: {_summary(self)}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = [("state", self.status.get("state", "unfinished"))]
        if self.is_done:
            rows = [*_scored(self.scores), *rows]
        flat = [(f"{name}.{k}", v) for name, s in self.config.items() for k, v in s.items()]
        return table_html((self.name, ""), [*rows, *flat])


class SplitClips:
    """The clips of one split of a run's data.

    Attributes:
        clips: (n_clips, *clip shape) as they are stored, int16 sound or uint8 image.
        labels: (n_clips,) indices into the classes.
        ids: (n_clips,) their names below the data folder.
        classes: names of the labels.
        rate_hz: samples a second of sounds; None of images.
    """

    def __init__(self, data: Dataset, split: Split) -> None:
        indices = data.indices(split)
        self.clips: NDArray[Any] = np.asarray(data.clips[indices])
        self.labels: NDArray[np.int64] = data.labels[indices]
        self.ids: NDArray[np.str_] = data.ids[indices]
        self.classes = data.classes
        self.rate_hz: int | None = getattr(data.config, "rate_hz", None)
        self._split = split

    def __len__(self) -> int:
        return len(self.ids)

    def _repr_html_(self) -> str:
        counts = np.bincount(self.labels, minlength=len(self.classes))
        rows = zip(self.classes, counts.tolist(), strict=True)
        return table_html(("class", f"{self._split} clips"), rows, f"{len(self):,} in all")


def open_run(folder: Path | str, trust_code: bool = False) -> OpenRun:
    """A run that was trained before.

    Args:
        folder: the run's.
        trust_code: whether a network of the user's own that lies in the run may be built.

    Raises:
        UserError: where the folder is no run.

    Examples:
        >>> import convscope as cs
        >>> run = cs.open_run(cs.open_runs("runs")[0].folder)
        >>> sorted(run.predictions)
        ['ids', 'labels', 'logits', 'scored']
    """
    return OpenRun(folder, trust_code)


def _scored(scores: Mapping[str, Any]) -> list[tuple[str, object]]:
    low, high = scores["interval"]
    accuracy = f"{scores['accuracy']:.4f} (95 % interval {low:.4f} to {high:.4f})"
    return [("test accuracy", accuracy), ("parameters", f"{scores['params']:,}")]


def _summary(run: OpenRun) -> str:
    if not run.is_done:
        return str(run.status.get("state", "unfinished"))
    return ", ".join(f"{name} {value}" for name, value in _scored(run.scores))


def _tensor(clips: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.require(clips, requirements=["C", "W"]))
