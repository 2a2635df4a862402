"""MNIST's idx files: what is read, how it is split, and what is refused."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.data.config import MnistConfig
from convscope.data.decoding.mnist import load_mnist
from convscope.errors import UserError

N_TRAIN, N_TEST = 30, 10
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array: NDArray[np.uint8]) -> bytes:
    """The idx format, written out: 0, 0, type 8, dimensions; big-endian sizes; bytes."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


@pytest.fixture
def arrays() -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return {
        IMAGES: rng.integers(0, 256, (N_TRAIN, 28, 28), np.uint8),
        LABELS: (np.arange(N_TRAIN) % 10).astype(np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (N_TEST, 28, 28), np.uint8),
        "t10k-labels-idx1-ubyte": (9 - np.arange(N_TEST) % 10).astype(np.uint8),
    }


@pytest.fixture
def folder(tmp_path: Path, arrays: dict[str, NDArray[np.uint8]]) -> Path:
    for name, array in arrays.items():
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


def config(folder: Path, **keys: object) -> MnistConfig:
    return MnistConfig.model_validate({"folder": str(folder), **keys})


def test_clips_and_labels_are_those_of_the_files(
    folder: Path, arrays: dict[str, NDArray[np.uint8]]
) -> None:
    data = load_mnist(config(folder))
    assert data.clips.shape == (N_TRAIN + N_TEST, 1, 28, 28)
    assert data.clips.dtype == np.uint8
    np.testing.assert_array_equal(data.clips[:N_TRAIN, 0], arrays[IMAGES])
    np.testing.assert_array_equal(data.labels[:N_TRAIN], arrays[LABELS])
    np.testing.assert_array_equal(data.labels[N_TRAIN:], arrays["t10k-labels-idx1-ubyte"])
    assert data.ids[12] == "train-00012"
    assert data.ids[N_TRAIN + 3] == "t10k-00003"
    assert data.exact.all()


@pytest.mark.parametrize(("split", "sizes"), [("reports", (20, 10, 10)), ("whole", (27, 3, 10))])
def test_first_rows_train_next_rows_validate(
    folder: Path, split: str, sizes: tuple[int, int, int]
) -> None:
    splits = load_mnist(config(folder, split=split)).splits
    np.testing.assert_array_equal(splits, np.repeat([0, 1, 2], sizes))


def test_fewer_classes_keep_every_row_in_its_split(folder: Path) -> None:
    every, some = load_mnist(config(folder)), load_mnist(config(folder, classes=["7", "2"]))
    assert some.classes == ("7", "2")
    split_of = dict(zip(every.ids, every.splits, strict=True))
    assert [split_of[i] for i in some.ids] == list(some.splits)
    digit_of = dict(zip(every.ids, every.labels, strict=True))
    assert [digit_of[i] for i in some.ids] == [(7, 2)[label] for label in some.labels]
    assert len(some.ids) == 8


def test_gzipped_files_are_the_same_data(folder: Path) -> None:
    plain = load_mnist(config(folder))
    for path in list(folder.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    gzipped = load_mnist(config(folder))
    np.testing.assert_array_equal(gzipped.clips, plain.clips)
    assert gzipped.fingerprint == plain.fingerprint


def test_fingerprint_follows_every_pixel(folder: Path) -> None:
    before = load_mnist(config(folder)).fingerprint
    content = bytearray((folder / IMAGES).read_bytes())
    content[-1] ^= 1
    (folder / IMAGES).write_bytes(content)
    assert load_mnist(config(folder)).fingerprint != before


def damage(path: Path, kind: str) -> None:
    content = path.read_bytes()
    match kind:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "magic":
            path.write_bytes(content[:3] + b"\x07" + content[4:])
        case "truncated":
            path.write_bytes(content[:-1])
        case "longer":
            path.write_bytes(content + b"\0")
        case "broken gzip":
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content)[:-9])
            path.unlink()
        case "no gzip":
            path.rename(path.with_name(f"{path.name}.gz"))


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        (IMAGES, "missing", rf"expected {IMAGES} or {IMAGES}.gz in .*, found neither: name the"),
        (IMAGES, "empty", r"expected a header of 16 bytes, got 0 bytes in all"),
        (IMAGES, "magic", r"expected the magic number 2051, got 2055\): get the file again"),
        (LABELS, "magic", r"expected the magic number 2049, got 2055"),
        (IMAGES, "truncated", r"expected 23520 bytes for 30 rows, got 23519"),
        (LABELS, "longer", r"expected 30 bytes for 30 rows, got 31"),
        (IMAGES, "broken gzip", rf"{IMAGES}.gz cannot be read \(.*\): get the file again"),
        (IMAGES, "no gzip", rf"{IMAGES}.gz cannot be read \(Not a gzipped file.*\): get"),
    ],
)
def test_damaged_file_is_named(folder: Path, name: str, kind: str, words: str) -> None:
    damage(folder / name, kind)
    with pytest.raises(UserError, match=words) as error:
        load_mnist(config(folder))
    assert name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        (IMAGES, np.zeros((30, 32, 32), np.uint8), r"expected images of 28×28, got 32×32"),
        (IMAGES, np.zeros((29, 28, 28), np.uint8), r"as many labels as images, got 29 images"),
        (LABELS, np.full(30, 10, np.uint8), r"expected labels from 0 to 9, got a label 10"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    folder: Path, name: str, array: NDArray[np.uint8], words: str
) -> None:
    (folder / name).write_bytes(idx(array))
    with pytest.raises(UserError, match=words):
        load_mnist(config(folder))


def test_class_that_is_no_digit_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data.classes: expected digits from 0 to 9, got 'ten'"):
        load_mnist(config(folder, classes=["1", "ten"]))


def test_real_files_split_as_in_the_reports(real_data: Callable[[str], Path]) -> None:
    data = load_mnist(config(real_data("mnist")))
    sizes = [len(data.indices(split)) for split in ("train", "validation", "test")]
    assert sizes == [40_000, 20_000, 10_000]
    assert np.bincount(data.labels).tolist() == [
        6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958,
    ]  # fmt: skip
