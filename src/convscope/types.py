"""Array aliases: what an array holds, its shape and its unit.

Sizes are named the same everywhere: n_clips, n_channels, n_times, n_bins, n_frames, n_classes.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Split: TypeAlias = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Shape: TypeAlias = tuple[int, ...]
"""(n_channels, n_times), (n_channels, n_bins, n_frames) or (n_channels, height, width)."""

Clips: TypeAlias = NDArray[np.int16] | NDArray[np.uint8]
"""(n_clips, *Shape): sound as int16, images as uint8."""

Waveform: TypeAlias = NDArray[np.float32]
"""(n_times,), full scale is 1."""

Labels: TypeAlias = NDArray[np.int64]
"""(n_clips,): indices into the classes."""

Logits: TypeAlias = NDArray[np.float32]
"""(n_clips, n_classes): before the softmax."""

ConfusionMatrix: TypeAlias = NDArray[np.int64]
"""(n_classes, n_classes): rows are the actual classes, columns the predicted ones."""
