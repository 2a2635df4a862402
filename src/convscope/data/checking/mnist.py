"""What is in a folder of MNIST's four idx files, and which of them are broken, by name."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import BadFile
from convscope.data.decoding.mnist import (
    DIGITS,
    IMAGES,
    LABELS,
    TRAIN_SHARES,
    find_idx,
    read_digits,
    read_images,
)
from convscope.data.listing.files import Progress, Unreadable
from convscope.types import SPLITS, Split

Counts: TypeAlias = dict[str, dict[Split, int]]
"""Usable clips by class and split."""

_PARTS = ("train", "t10k")


def idx_files(folder: Path) -> list[Path]:
    """Those of MNIST's files that are in a folder."""
    names = [f"{part}-{what}" for part in _PARTS for what in (IMAGES, LABELS)]
    return [path for name in names if (path := find_idx(folder, name))]


def check_mnist(folder: Path, progress: Progress | None = None) -> tuple[Counts, list[BadFile]]:
    """Read the four files: clips by digit and split, that of the reports, and what is unreadable.

    A part of which one file is missing or broken has no clips.
    """
    counts: Counts = {digit: dict.fromkeys(SPLITS, 0) for digit in DIGITS}
    bad: list[BadFile] = []
    for n_done, part in enumerate(_PARTS, 1):
        digits = _read_part(folder, part, bad)
        for split, some in _split(part, digits):
            for digit, n in zip(DIGITS, np.bincount(some, minlength=len(DIGITS)), strict=True):
                counts[digit][split] += int(n)
        if progress:
            progress(n_done, len(_PARTS))
    return counts, bad


def _read_part(folder: Path, part: str, bad: list[BadFile]) -> NDArray[np.uint8]:
    """The digits of a part that can be used, else none; what is wrong with it goes to `bad`."""
    images = _read(folder, f"{part}-{IMAGES}", read_images, bad)
    digits = _read(folder, f"{part}-{LABELS}", read_digits, bad)
    if images is not None and digits is not None:
        if len(images) == len(digits):
            return digits
        reason = f"has {len(digits):,} labels for {len(images):,} images"
        bad.append(BadFile(f"{part}-{LABELS}", reason))
    return np.zeros(0, np.uint8)


def _read(
    folder: Path, name: str, read: Callable[[Path], NDArray[np.uint8]], bad: list[BadFile]
) -> NDArray[np.uint8] | None:
    path = find_idx(folder, name)
    if path is None:
        bad.append(BadFile(name, "is missing"))
        return None
    try:
        return read(path)
    except Unreadable as error:
        bad.append(BadFile(path.name, str(error)))
        return None


def _split(part: str, digits: NDArray[np.uint8]) -> list[tuple[Split, NDArray[np.uint8]]]:
    if part == "t10k":
        return [("test", digits)]
    n_train = int(len(digits) * TRAIN_SHARES["reports"])
    return [("train", digits[:n_train]), ("validation", digits[n_train:])]
