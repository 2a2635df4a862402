"""What is wrong with a clip by itself, whatever any net says of it."""

import hashlib
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from convscope.data.decoding.sound_files import FULL_SCALE, SILENT_PEAK
from convscope.types import Clips, Labels

OFFSET = 0.02
"""A sound whose mean lies that far from 0, full scale 1, has a DC offset (-34 dB)."""

CLIPPED = 0.05
"""A sound of which so many samples stand at full scale is distorted beyond what speech stands."""

SHORT_SHARE = 0.2
"""A sound that is 0 but for so little of its clip is too short."""

FLAT_RANGE = 8
"""An image none of whose channels spans more of its 256 levels is of one colour."""


def broken(clips: Clips, ids: NDArray[np.str_], labels: Labels, batch: int = 512) -> dict[int, str]:
    """Why clips are broken, by their place: silence, clipping, an offset, one colour, duplicates.

    Args:
        clips: (n_clips, …) int16 sound or uint8 images; of others duplicates alone are found.
        ids: (n_clips,) their names, to say of which one a clip is a copy.
        labels: (n_clips,) their classes.
        batch: so many are read at once.
    """
    found: dict[int, str] = {}
    same: dict[bytes, list[int]] = defaultdict(list)
    for start in range(0, len(clips), batch):
        part = np.asarray(clips[start : start + batch])
        found |= {start + i: reason for i, reason in _reasons(part).items()}
        for i, clip in enumerate(part, start):
            same[hashlib.sha256(np.ascontiguousarray(clip).tobytes()).digest()].append(i)
    for group in same.values():
        found |= _duplicates([i for i in group if i not in found], ids, labels)
    return found


def _duplicates(group: list[int], ids: NDArray[np.str_], labels: Labels) -> dict[int, str]:
    """All clips of the same samples under two labels; under one label all but the first."""
    if len(group) < 2:
        return {}
    if len({int(labels[i]) for i in group}) > 1:
        others = {i: next(j for j in group if labels[j] != labels[i]) for i in group}
        return {i: f"same samples under another label: {ids[j]}" for i, j in others.items()}
    return dict.fromkeys(group[1:], f"same samples as {ids[group[0]]}")


def _reasons(clips: NDArray[np.generic]) -> dict[int, str]:
    if clips.dtype == np.int16:
        return _sound_reasons(clips.reshape(len(clips), -1).astype(np.float64) / FULL_SCALE)
    if clips.dtype == np.uint8:
        return _image_reasons(clips)
    return {}


def _sound_reasons(waves: NDArray[np.float64]) -> dict[int, str]:
    """Of waveforms (n_clips, n_times) of full scale 1; of several reasons the first."""
    full_scale = (FULL_SCALE - 1) / FULL_SCALE
    checks: list[tuple[str, Callable[[NDArray[np.float64]], NDArray[np.bool_]]]] = [
        ("silent", lambda w: np.abs(w).max(axis=1) < SILENT_PEAK),
        ("too short", lambda w: _share_sounding(w) < SHORT_SHARE),
        ("clipped", lambda w: (np.abs(w) >= full_scale).mean(axis=1) >= CLIPPED),
        ("DC offset", lambda w: np.abs(w.mean(axis=1)) > OFFSET),
    ]
    return _first([(name, check(waves)) for name, check in checks])


def _share_sounding(waves: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the first sample that is not 0 to the last, as a share of the clip."""
    sounding = waves != 0
    n_times = waves.shape[1]
    first = sounding.argmax(axis=1)
    last = n_times - sounding[:, ::-1].argmax(axis=1)
    return np.asarray(np.where(sounding.any(axis=1), last - first, 0) / n_times)


def _image_reasons(images: NDArray[np.generic]) -> dict[int, str]:
    """Of images (n_clips, n_channels, height, width)."""
    flat = images.reshape(*images.shape[:2], -1).astype(np.int16)
    spans = flat.max(axis=2) - flat.min(axis=2)
    return _first([("one colour", (spans <= FLAT_RANGE).all(axis=1))])


def _first(checks: list[tuple[str, NDArray[np.bool_]]]) -> dict[int, str]:
    found: dict[int, str] = {}
    for name, bad in checks:
        for i in np.flatnonzero(bad):
            found.setdefault(int(i), name)
    return found
