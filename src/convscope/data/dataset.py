"""A data set in memory: decoded clips, their labels, splits and names."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from convscope.data.config import DataConfig
from convscope.data.listing.notes import NoteKind
from convscope.types import SPLITS, Clips, Labels, Split


@dataclass(frozen=True)
class BadFile:
    """A file, mostly left out for it, and what is wrong with it, to follow its name."""

    path: str
    reason: str


@dataclass(frozen=True)
class NotedFile:
    """A file that is used although something is wrong with it, and what.

    Attributes:
        path: below the folder.
        kind: as of `Note`.
        text: to follow the path.
    """

    path: str
    kind: NoteKind
    text: str


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
        noted: the files that are used although something is wrong with them.
        fingerprint: a hash of the names, sizes and contents of the files, the excluded ones too.
        n_excluded: clips left out because the recipe says so.
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
    n_excluded: int = 0
    noted: tuple[NotedFile, ...] = ()

    def indices(self, split: Split) -> NDArray[np.int64]:
        """Where the clips of a split stand, in the order of `clips`."""
        return np.flatnonzero(self.splits == SPLITS.index(split))

    def scored(self, split: Split) -> NDArray[np.bool_]:
        """Which clips of a split count in scores: all, or with `data.only_full_second` the exact.

        Shape (n_clips of the split,).
        """
        exact = self.exact[self.indices(split)]
        return exact if getattr(self.config, "only_full_second", False) else np.ones_like(exact)

    def without(self, ids: Collection[str]) -> "Dataset":
        """The same without some clips, as a recipe whose `data.exclude` names them has it.

        The clips that stay are copied into memory.
        """
        if not ids:
            return self
        kept = ~np.isin(self.ids, list(ids))
        exclude = tuple(sorted({*self.config.exclude, *ids}))
        return replace(
            self,
            config=self.config.model_copy(update={"exclude": exclude}),
            clips=self.clips if kept.all() else self.clips[kept],
            labels=self.labels[kept],
            splits=self.splits[kept],
            ids=self.ids[kept],
            exact=self.exact[kept],
            left_out=tuple(bad for bad in self.left_out if bad.path not in ids),
            noted=tuple(note for note in self.noted if note.path not in ids),
            n_excluded=self.n_excluded + int((~kept).sum()),
        )

    @property
    def n_classes(self) -> int:
        return len(self.classes)
