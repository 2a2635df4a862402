"""MNIST's four idx files, gzipped or not.

Source: Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits (1998),
whose page describes the idx format: a big-endian header of magic number and sizes, then the bytes.
"""

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.config import MnistConfig
from convscope.data.dataset import Dataset
from convscope.data.listing.files import Unreadable, require_folder
from convscope.errors import UserError
from convscope.types import SPLITS, Labels

SIDE = 28
DIGITS = tuple("0123456789")
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
"""The files' names, behind `train-` or `t10k-`."""

TRAIN_SHARES = {"reports": Fraction(2, 3), "whole": Fraction(9, 10)}
"""The share of the train files that trains; the rest validates. Of 60,000: 40,000 or 54,000."""

_UNSIGNED_BYTES = 0x800  # the magic number's third byte says the type, its fourth the dimensions


def load_mnist(config: MnistConfig) -> Dataset:
    """All clips (n_clips, 1, 28, 28) of the four files in `data.folder`, in the files' order.

    The first 40,000 of the train files train and the next 20,000 validate (`reports`), or 54,000
    and 6,000 (`whole`); the 10,000 of the t10k files test. Where some classes alone are asked for,
    the others' rows are left out and no row changes its split. Ids are the rows: `train-00042`.
    The fingerprint is the same for gzipped files and plain ones.

    Raises:
        UserError: for a file that is missing, damaged or not what its name says, for a class that
            is no digit.
    """
    digits = _digits(config.names)
    folder = require_folder(config.folder)
    train, test = _read_part(folder, "train"), _read_part(folder, "t10k")
    n_train = int(len(train.digits) * TRAIN_SHARES[config.split])
    sizes = (n_train, len(train.digits) - n_train, len(test.digits))
    all_digits = np.concatenate([train.digits, test.digits])
    kept = np.isin(all_digits, digits)
    return Dataset(
        config=config,
        classes=config.names,
        clips=np.concatenate([train.images, test.images])[kept],
        labels=_labels(all_digits[kept], digits),
        splits=np.repeat(np.arange(len(SPLITS), dtype=np.int8), sizes)[kept],
        ids=np.concatenate([train.ids, test.ids])[kept],
        exact=np.ones(int(kept.sum()), dtype=np.bool_),
        fingerprint=hashlib.sha256((train.fingerprint + test.fingerprint).encode()).hexdigest(),
    )


@dataclass(frozen=True)
class _Part:
    """The train or the t10k files: images (n, 1, 28, 28), digits (n,), ids (n,), a hash of all."""

    images: NDArray[np.uint8]
    digits: NDArray[np.uint8]
    ids: NDArray[np.str_]
    fingerprint: str


def _read_part(folder: Path, part: str) -> _Part:
    images_file, images = _read(folder, f"{part}-{IMAGES}", read_images)
    labels_file, digits = _read(folder, f"{part}-{LABELS}", read_digits)
    if len(images) != len(digits):
        raise UserError(
            f"data.folder: expected as many labels as images, got {len(images)} images in "
            f"{images_file} and {len(digits)} labels in {labels_file}: get both files again"
        )
    return _Part(
        images=images[:, None],
        digits=digits,
        ids=np.array([f"{part}-{row:05d}" for row in range(len(digits))]),
        fingerprint=_fingerprint(part, images) + _fingerprint(part, digits),
    )


def _read(
    folder: Path, name: str, read: Callable[[Path], NDArray[np.uint8]]
) -> tuple[Path, NDArray[np.uint8]]:
    """Where the file of an idx name lies, and its array."""
    path = find_idx(folder, name)
    if path is None:
        raise UserError(
            f"data.folder: expected {name} or {name}.gz in {folder}, found neither: "
            "name the folder with MNIST's four idx files"
        )
    try:
        return path, read(path)
    except Unreadable as error:
        raise UserError(f"data.folder: {path} {error}: get the file again") from None


def find_idx(folder: Path, name: str) -> Path | None:
    """The file of an idx name, gzipped or not; None where there is none."""
    paths = (folder / name, folder / f"{name}.gz")
    return next((path for path in paths if os.path.isfile(path)), None)  # a closed folder has none


def read_images(path: Path) -> NDArray[np.uint8]:
    """(n, 28, 28); raises `Unreadable`."""
    return _read_idx(path, (SIDE, SIDE))


def read_digits(path: Path) -> NDArray[np.uint8]:
    """(n,), from 0 to 9; raises `Unreadable`."""
    digits = _read_idx(path, ())
    if digits.size and digits.max() > 9:
        raise _damaged("labels from 0 to 9", f"a label {digits.max()}")
    return digits


def _read_idx(path: Path, row_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """(n_rows, *row_shape)."""
    content = _content(path)
    n_rows, start = _checked_header(content, row_shape)
    data = np.frombuffer(content, np.uint8, offset=start)
    n_bytes = n_rows * math.prod(row_shape)
    if data.size != n_bytes:
        raise _damaged(f"{n_bytes} bytes for {n_rows} rows", str(data.size))
    return data.reshape(n_rows, *row_shape)


def _checked_header(content: bytes, row_shape: tuple[int, ...]) -> tuple[int, int]:
    """The number of rows that the header states, and the header's own length in bytes."""
    n_sizes = 1 + len(row_shape)
    n_bytes = 4 * (1 + n_sizes)
    if len(content) < n_bytes:
        raise _damaged(f"a header of {n_bytes} bytes", f"{len(content)} bytes in all")
    magic, n_rows, *sizes = struct.unpack_from(f">{1 + n_sizes}I", content)
    if magic != _UNSIGNED_BYTES + n_sizes:
        raise _damaged(f"the magic number {_UNSIGNED_BYTES + n_sizes}", str(magic))
    if tuple(sizes) != row_shape:
        raise _damaged(f"images of {SIDE}×{SIDE}", "×".join(map(str, sizes)))
    return n_rows, n_bytes


def _content(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                return file.read()
        return path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"cannot be read ({error})") from None


def _damaged(expected: str, came: str) -> Unreadable:
    return Unreadable(f"is damaged or no MNIST (expected {expected}, got {came})")


def _digits(names: tuple[str, ...]) -> list[int]:
    for name in names:
        if name not in DIGITS:
            raise UserError(
                f"data.classes: expected digits from 0 to 9, got {name!r}: leave it out"
            )
    return [int(name) for name in names]


def _labels(digits: NDArray[np.uint8], wanted: list[int]) -> Labels:
    """Each digit's place among the wanted ones."""
    places = np.zeros(len(DIGITS), dtype=np.int64)
    places[wanted] = np.arange(len(wanted))
    return places[digits]


def _fingerprint(name: str, array: NDArray[np.uint8]) -> str:
    """SHA-256 over the name, the sizes and the bytes."""
    header = f"{name} {array.shape}\n".encode()
    return hashlib.sha256(header + array.tobytes()).hexdigest()
