"""The fewest seconds that a training step can take: a bound by arithmetic, and one by memory."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from convscope.models.rows import LayerRow, flops

PASSES = 3
"""A step's FLOPs, in those of a forward pass: forward, and the gradients of input and weights."""

BYTES_PER_ELEMENT = 10
"""Of bfloat16: written, read forward and back, its gradient written and read."""


@dataclass(frozen=True)
class Peak:
    """The most that a device can do: FLOPs and bytes of memory traffic in a second."""

    flops: float
    bytes: float


H200 = Peak(flops=790e12, bytes=4.3e12)
"""What large bfloat16 matrix products and large copies reach on an NVIDIA H200."""


@dataclass(frozen=True)
class Floor:
    """The fewest seconds that one clip can take in a training step.

    Attributes:
        arithmetic: 3 · forward FLOPs / peak FLOPs.
        traffic: 10 · elements that blocks hand on / peak bytes.
    """

    arithmetic: float
    traffic: float

    @property
    def seconds(self) -> float:
        """The larger of the two: at best they overlap."""
        return max(self.arithmetic, self.traffic)

    @property
    def bound(self) -> str:
        """Which of the two it is."""
        return "arithmetic" if self.arithmetic >= self.traffic else "bytes"


def floor(rows: Iterable[LayerRow], peak: Peak = H200) -> Floor:
    """The floor of a network, from its layer table (`describe`).

    It holds for large batches, whose weights are read once for many clips. What a transform of
    long filters (FFT) would save is not taken off.
    """
    rows = tuple(rows)
    return Floor(
        arithmetic=PASSES * flops(rows) / peak.flops,
        traffic=BYTES_PER_ELEMENT * elements_handed_on(rows) / peak.bytes,
    )


def elements_handed_on(rows: Iterable[LayerRow]) -> int:
    """How many numbers the blocks of a network hand on for one clip.

    A block is a convolution or dense layer with all that follows it up to the next: one pass over
    memory can normalise, activate, pool and add. What lies before the first is the clip itself.
    """
    rows = tuple(rows)
    starts = [i for i, row in enumerate(rows) if row.flops]
    return sum(math.prod(rows[end - 1].shape) for _, end in pairwise([*starts, len(rows)]))
