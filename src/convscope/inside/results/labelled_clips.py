"""All clips of a data set with their splits, for the parts that learn from them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convscope.data.listing.files import Progress
from convscope.data.load import load_dataset
from convscope.inside.results.parts import NotApplicable
from convscope.inside.subject.subject import Examples, Subject
from convscope.training.cell import cell_of
from convscope.types import SPLITS

TEST_SHARE = 0.3
"""Of clips that come without splits, so many test."""


@dataclass(frozen=True)
class SplitExamples:
    """Clips with the part of the data that each belongs to.

    Attributes:
        examples: the clips, all of a known class.
        splits: (n_clips,) indices into train, validation and test.
        drawn: whether the splits were drawn here, as the clips came without.
    """

    examples: Examples
    splits: NDArray[np.int8]
    drawn: bool = False

    def __len__(self) -> int:
        return len(self.splits)

    @property
    def is_test(self) -> NDArray[np.bool_]:
        """(n_clips,)."""
        return np.asarray(self.splits == SPLITS.index("test"))

    def take(self, indices: NDArray[np.int64]) -> "SplitExamples":
        """Some of them."""
        return replace(self, examples=self.examples.take(indices), splits=self.splits[indices])


def all_clips(subject: Subject, seed: int = 0, progress: Progress | None = None) -> SplitExamples:
    """All clips of a run's own data, or those that a user brought, split at random.

    Raises:
        NotApplicable: there are none, or none with a label.
    """
    if subject.run is not None:
        config = cell_of(subject.run).data
        data = load_dataset(config, progress=progress, for_training=False)
        return SplitExamples(Examples(data.clips, data.labels, data.ids), data.splits)
    if subject.examples is None or not (subject.examples.labels >= 0).any():
        raise NotApplicable("no clips whose class is known: give a folder of class/file as --clips")
    known = subject.examples.take(np.flatnonzero(subject.examples.labels >= 0))
    drawn = np.random.default_rng(seed).random(len(known)) < TEST_SHARE
    splits = np.where(drawn, SPLITS.index("test"), SPLITS.index("train")).astype(np.int8)
    return SplitExamples(known, splits, drawn=True)


def at_most(clips: SplitExamples, n_train: int, n_test: int, seed: int) -> SplitExamples:
    """At most so many clips to train on (and validate), and to test, drawn at random."""
    rng = np.random.default_rng(seed)
    kept = []
    for is_part, most in ((~clips.is_test, n_train), (clips.is_test, n_test)):
        part = np.flatnonzero(is_part)
        kept.append(rng.choice(part, min(most, len(part)), replace=False))
    return clips.take(np.sort(np.concatenate(kept)))
