"""The batches of several cells for the same step, each in its cell's own order."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from convscope.training import seeding
from convscope.training.augment import AugmentConfig, augment, mixup
from convscope.training.engine import Engine


class JointBatch(NamedTuple):
    """A step's clips of each cell, as the net takes them: as `Batch`, with cells first.

    `weight` is None where no cell mixes its clips.
    """

    clips: Tensor
    labels: Tensor
    partners: Tensor
    weight: Tensor | None


class JointBatches:
    """The batches of an epoch of each of several engines on the same data."""

    def __init__(self, engines: Sequence[Engine], epochs: Sequence[int]) -> None:
        self._configs = [each.config.augment for each in engines]
        self._engine = engines[0]
        orders = [list(each._batches(epoch)) for each, epoch in zip(engines, epochs, strict=True)]
        self._rows = [np.concatenate(rows) for rows in zip(*orders, strict=True)]
        self.sizes = torch.tensor([len(rows) for rows in orders[0]])
        self._generators = [
            torch.Generator(each.device).manual_seed(
                seeding.stream(each.config.seed, seeding.AUGMENTATION, epoch)
            )
            for each, epoch in zip(engines, epochs, strict=True)
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[JointBatch]:
        for clips, labels in self._engine._fed(self._rows):
            yield self._changed(self._engine.front.scale(clips), labels)

    def _changed(self, clips: Tensor, labels: Tensor) -> JointBatch:
        """Each cell's clips, augmented and mixed in its own way."""
        n_cells = len(self._configs)
        clips, labels = clips.unflatten(0, (n_cells, -1)), labels.unflatten(0, (n_cells, -1))
        partners, weight = labels, None
        if any(config != AugmentConfig() for config in self._configs):
            changed = zip(clips, self._configs, self._generators, strict=True)
            rate = self._engine._rate_hz
            mixed = [mixup(augment(*each, rate), *each[1:]) for each in changed]
            clips = torch.stack([each.clips for each in mixed])
            partners = labels.gather(1, torch.stack([each.partner for each in mixed]))
            weight = torch.stack([each.weight for each in mixed])
        front = self._engine.front(clips.flatten(0, 1)).unflatten(0, (n_cells, -1))
        return JointBatch(front, labels, partners, weight)
