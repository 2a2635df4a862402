"""One data set in memory, shared by the worker processes of a machine.

The clips travel as an open file, so that all workers map the same pages; what is little travels
beside it. A data set that is no map of the cache is written to a file without a name: it leaves
nothing behind, whatever is killed.
"""

import os
import tempfile
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from convscope.data.caching.folder import ELSEWHERE, cache_root
from convscope.data.dataset import Dataset
from convscope.data.disk import writing_to
from convscope.types import Clips


@dataclass(frozen=True)
class Head:
    """All of a data set but its clips, and where these lie in the file."""

    dataset: Dataset
    dtype: str
    shape: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class SharedDataset:
    """A data set that other processes can map: hand them `head` and the file."""

    head: Head
    file: BinaryIO


def share(dataset: Dataset) -> SharedDataset:
    """Make a data set one that other processes can map.

    Raises:
        UserError: where the cache's folder has no place for it.
    """
    clips = dataset.clips
    file, offset = _file_of(clips) or (_written(clips), 0)
    bare = replace(dataset, clips=clips[:0].copy())
    return SharedDataset(Head(bare, clips.dtype.str, clips.shape, offset), file)


def attach(head: Head, descriptor: int) -> Dataset:
    """The data set of a head and the descriptor of its file, which this closes."""
    with os.fdopen(descriptor, "rb") as file:
        clips = np.memmap(file, head.dtype, "r", head.offset, head.shape)
    return replace(head.dataset, clips=np.asarray(clips))


def _file_of(clips: Clips) -> tuple[BinaryIO, int] | None:
    """The file that the clips are a map of, if it is still there, and where in it they begin."""
    base = clips
    while isinstance(base.base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    if not isinstance(base, np.memmap) or not clips.flags.c_contiguous:
        return None
    inside = clips.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    try:
        return open(str(base.filename), "rb"), base.offset + inside
    except OSError:
        return None


def _written(clips: Clips) -> BinaryIO:
    root = cache_root()
    with writing_to(root, ELSEWHERE):
        root.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=root)  # noqa: SIM115  # it is kept open for workers
        file.write(np.ascontiguousarray(clips).data)
        file.flush()
    return file
