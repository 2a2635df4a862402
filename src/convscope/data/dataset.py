"""A data set in memory: decoded clips, their labels, splits and names."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from convscope.data.config import DataConfig
from convscope.types import SPLITS, Clips, Labels, Split


@dataclass(frozen=True)
class BadFile:
    """A file that is left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """All clips of a recipe's data, decoded; sound and image alike.

    Attributes:
        config: what the recipe says of its data, the folder included.
        classes: class names in the order of the logits.
        clips: (n_clips, *shape) int16 sound (n_clips, 1, n_times) or uint8 image
            (n_clips, n_channels, height, width), often a memory map.
        labels: (n_clips,) indices into `classes`.
        splits: (n_clips,) indices into `SPLITS`.
        ids: (n_clips,) each clip's path below the folder, or its row (MNIST).
        exact: (n_clips,) whether the file had exactly the asked-for length, so that its clip is
            neither padded nor cropped; with `data.only_full_second` only such test clips are
            scored. Images are always exact.
        left_out: the files that could not be used.
        fingerprint: a hash of the names, sizes and contents of the files.
    """

    config: DataConfig
    classes: tuple[str, ...]
    clips: Clips
    labels: Labels
    splits: NDArray[np.int8]
    ids: NDArray[np.str_]
    exact: NDArray[np.bool_]
    fingerprint: str
    left_out: tuple[BadFile, ...] = field(default=())

    def indices(self, split: Split) -> NDArray[np.int64]:
        """Where the clips of a split stand, in the order of `clips`."""
        return np.flatnonzero(self.splits == SPLITS.index(split))

    def scored(self, split: Split) -> NDArray[np.bool_]:
        """Which clips of a split count in scores: all, or with `data.only_full_second` the exact.

        Shape (n_clips of the split,).
        """
        exact = self.exact[self.indices(split)]
        return exact if getattr(self.config, "only_full_second", False) else np.ones_like(exact)

    @property
    def n_classes(self) -> int:
        return len(self.classes)
