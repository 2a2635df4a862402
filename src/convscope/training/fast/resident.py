"""Where the clips of a data set lie: on the device, or read ahead from the memory map.

They travel and lie as they are stored, int16 or uint8; scaling and augmentation are the device's.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.training.accumulation.memory import if_it_fits
from convscope.types import Clips

MOST_SHARE = 0.25
"""Of the device's free memory, that clips may take; the rest is for the steps."""

AHEAD = 3
"""Batches that are read while a step runs."""

_AT_ONCE = 1024

Rows = NDArray[np.int64]


class Feed:
    """Batches of stored clips on a device.

    A GPU holds all clips where they fit. Else a thread reads the next batches from the memory map
    into pinned memory, from where they go to the device without anyone's waiting. A CPU has them
    where they are. All three give the same bytes.
    """

    def __init__(self, clips: Clips, device: torch.device) -> None:
        self._clips = clips
        self._device = device
        self._held = _held(clips, device)
        self.reads_ahead = device.type == "cuda" and self._held is None

    def take(self, rows: Rows) -> Tensor:
        """The clips of some rows, at once."""
        if self._held is not None:
            return self._held.index_select(0, torch.from_numpy(rows).to(self._device))
        return taken(self._clips, self._device, rows)

    def each(self, batches: Sequence[Rows]) -> Iterator[Tensor]:
        """The clips of one batch after the other."""
        if self._held is not None:
            order = torch.from_numpy(np.concatenate(batches)).to(self._device)
            for rows, there in zip(batches, order.split([*map(len, batches)]), strict=True):
                held = self._held  # which a step that does not fit lets go of
                yield self.take(rows) if held is None else held.index_select(0, there)
        elif self.reads_ahead:
            yield from self._streamed(batches)
        else:
            yield from map(self.take, batches)

    def let_go(self) -> bool:
        """Hold no clips on the device any longer; whether it held some."""
        held, self._held = self._held is not None, None
        self.reads_ahead = self._device.type == "cuda"
        return held

    def __str__(self) -> str:
        if self._held is not None:
            return f"clips on the {self._device.type}"
        return "clips read ahead" if self.reads_ahead else "clips in memory"

    def _streamed(self, batches: Sequence[Rows]) -> Iterator[Tensor]:
        coming: deque[Future[Tensor]] = deque()
        with ThreadPoolExecutor(1, "read-ahead") as thread:
            for rows in batches:
                coming.append(thread.submit(self._gathered, rows))
                if len(coming) > AHEAD:
                    yield self._sent(coming.popleft())
            yield from map(self._sent, coming)

    def _sent(self, batch: Future[Tensor]) -> Tensor:
        return batch.result().to(self._device, non_blocking=True)

    def _gathered(self, rows: Rows) -> Tensor:
        return gathered(self._clips, rows, pinned=self._device.type == "cuda")


def gathered(clips: Clips, rows: Rows, pinned: bool = False) -> Tensor:
    """Some clips in memory, in C order, pinned where a GPU is to fetch them.

    NumPy keeps odd strides on axes of length 1; torch would choose another convolution by them,
    and the last bits of a result would depend on how the array came about. Torch gives a pinned
    piece of memory to another batch only when its copy has ended.
    """
    batch = torch.empty((len(rows), *clips.shape[1:]), dtype=_torch_type(clips), pin_memory=pinned)
    # `clip` is the mode that writes to `out` at once; no row is out of range.
    np.take(clips, rows, axis=0, out=batch.numpy(), mode="clip")
    return batch


def taken(clips: Clips, device: torch.device, rows: Rows) -> Tensor:
    """Some clips on the device."""
    return gathered(clips, rows).to(device)


def _held(clips: Clips, device: torch.device) -> Tensor | None:
    """All clips on a GPU; None where they do not fit, and on a CPU, which has them anyway."""
    if device.type != "cuda" or clips.nbytes > MOST_SHARE * _free_bytes(device):
        return None
    return if_it_fits(lambda: _copied(clips, device))


def _free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0]


def _copied(clips: Clips, device: torch.device) -> Tensor:
    """A copy made piece by piece, so that memory never holds all clips twice."""
    held = torch.empty(clips.shape, dtype=_torch_type(clips), device=device)
    for start in range(0, len(clips), _AT_ONCE):
        piece = np.array(clips[start : start + _AT_ONCE])
        held[start : start + len(piece)] = torch.from_numpy(piece)
    return held


def _torch_type(clips: Clips) -> torch.dtype:
    return torch.from_numpy(np.empty(0, clips.dtype)).dtype
