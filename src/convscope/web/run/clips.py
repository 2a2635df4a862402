"""The clips behind a confusion, and what a run says of each of them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError
from convscope.names import find_name
from convscope.run import Run
from convscope.scores.predictions import read_predictions
from convscope.settings import suggest
from convscope.web.frame.catalogue import Entry, Gone

N_KEPT = 32
"""Runs whose answers are kept in memory: 4,625 clips of 16 classes are 0.6 MB."""


@dataclass(frozen=True)
class Clip:
    """A test clip and how a run labelled it.

    Attributes:
        index: its row among the run's predictions: names it in addresses.
        id: its path below the data folder; shown, never opened for an address.
        probability: of the predicted class.
    """

    index: int
    id: str
    actual: str
    predicted: str
    probability: float

    @property
    def is_right(self) -> bool:
        return self.actual == self.predicted


@dataclass(frozen=True)
class Answers:
    """What a run answered on its test clips.

    Attributes:
        probabilities: (n_clips, n_classes) by the softmax.
        labels, scored: (n_clips,).
        ids: of the clips.
    """

    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    ids: NDArray[np.str_]
    scored: NDArray[np.bool_]

    def clip(self, index: int) -> Clip:
        """One clip.

        Raises:
            Gone: for a number that is none.
        """
        if not 0 <= index < len(self.labels):
            raise Gone(f"This run has no test clip {index}: it has {len(self.labels)}.")
        best = int(self.probabilities[index].argmax())
        return Clip(
            index,
            str(self.ids[index]),
            self.classes[self.labels[index]],
            self.classes[best],
            float(self.probabilities[index, best]),
        )

    def ranked(self, index: int) -> list[tuple[str, float]]:
        """The classes of a clip with their probabilities, the most probable first."""
        row = self.probabilities[index]
        return [(self.classes[i], float(row[i])) for i in np.argsort(-row, kind="stable")]

    def behind(self, actual: str | None, predicted: str | None) -> list[Clip]:
        """The scored clips of one class taken for one, the surest first; without a class all.

        Without either: all that are wrong.

        Raises:
            UserError: for a name that is no class.
        """
        answers = self.probabilities.argmax(axis=1)
        chosen = self.scored.copy()
        if actual is None and predicted is None:
            chosen &= answers != self.labels
        if actual is not None:
            chosen &= self.labels == self.index_of(actual)
        if predicted is not None:
            chosen &= answers == self.index_of(predicted)
        clips = [self.clip(i) for i in np.flatnonzero(chosen).tolist()]
        return sorted(clips, key=lambda clip: -clip.probability)

    def index_of(self, name: str) -> int:
        """The number of a class; a UserError for a name that is none."""
        found = find_name(name, self.classes)
        if found is None:
            raise UserError(f"{name!r} is not a class of this run{suggest(name, self.classes)}")
        return self.classes.index(found)


def answers_of(entry: Entry) -> Answers:
    """What the run of an entry answered.

    Raises:
        UserError: where it is not done, or what it kept is damaged.
    """
    if not entry.run.is_done:
        raise UserError("This run is not done: its test clips are labelled at its end.")
    return _answers(_Kept(entry.run, (entry.key, entry.stamp)))


class _Kept:
    """A run that is the same as long as its files are."""

    def __init__(self, run: Run, identity: Any) -> None:
        self.run = run
        self._identity = identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and self._identity == other._identity


@lru_cache(N_KEPT)
def _answers(kept: _Kept) -> Answers:
    from scipy.special import softmax

    run = kept.run
    classes = tuple(each["name"] for each in run.scores["classes"])
    found = read_predictions(run, len(classes))
    probabilities = softmax(found["logits"].astype(np.float64), axis=1)
    return Answers(classes, probabilities, found["labels"], found["ids"], found["scored"])
