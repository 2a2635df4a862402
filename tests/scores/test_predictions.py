"""What a run answered is read without trust in who made it."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.errors import UserError
from convscope.run import PREDICTIONS, Run
from convscope.scores.predictions import read_predictions

Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def arrays() -> Arrays:
    return {
        "logits": np.array([[1, 0, 0], [0, 2, 0]], np.float32),
        "labels": np.array([0, 2]),
        "ids": np.array(["a.wav", "b.wav"]),
        "scored": np.array([True, False]),
    }


def kept(folder: Path, arrays: Arrays) -> Run:
    run = Run(folder / "run")
    run.write_with(PREDICTIONS, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
    return run


def test_what_was_kept_is_read(tmp_path: Path, arrays: Arrays) -> None:
    found = read_predictions(kept(tmp_path, arrays), n_classes=3)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


class Evil:
    """Unpickled, it touches a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def test_nothing_is_unpickled(tmp_path: Path, arrays: Arrays) -> None:
    marker = tmp_path / "marker"
    evil = np.array([Evil(marker), Evil(marker)], object)
    np.load(io.BytesIO(_npy(evil)), allow_pickle=True)
    assert marker.exists(), "it does what it is here for"
    marker.unlink()
    for name in arrays:
        with pytest.raises(UserError, match=r"predictions\.npz is damaged: expected what convsc"):
            read_predictions(kept(tmp_path, {**arrays, name: evil}), 3)
    assert not marker.exists()


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def test_nothing_is_unpacked_to_more_than_it_takes_on_the_disk(
    tmp_path: Path, arrays: Arrays
) -> None:
    run = Run(tmp_path / "run")
    run.write_with(PREDICTIONS, lambda file: np.savez_compressed(file, **arrays))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="is damaged"):
        read_predictions(run, 3)


@pytest.mark.parametrize("n_clips", [10**9, 10**13, 10**30])
def test_a_header_that_claims_more_than_there_is_asks_for_no_memory(
    tmp_path: Path, arrays: Arrays, n_clips: int
) -> None:
    run = kept(tmp_path, arrays)
    content = _npy(arrays["labels"]).replace(b"(2,), }", f"({n_clips},), }}".encode())
    with zipfile.ZipFile(run.path(PREDICTIONS), "w") as packed:
        for name, array in arrays.items():
            packed.writestr(f"{name}.npy", content if name == "labels" else _npy(array))
    with pytest.raises(UserError, match="is damaged"):
        read_predictions(run, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": np.array([0, 3])},
        {"labels": np.array([-1, 0])},
        {"labels": np.array([0.0, 1.0])},
        {"labels": np.array([0])},
        {"logits": np.zeros((2, 4), np.float32)},
        {"logits": np.zeros((3, 3), np.float32)},
        {"logits": np.float32(0)},
        {"ids": np.array([1, 2])},
        {"scored": np.array([0, 1])},
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(
    tmp_path: Path, arrays: Arrays, change: Arrays
) -> None:
    with pytest.raises(UserError, match=r"predictions\.npz is damaged"):
        read_predictions(kept(tmp_path, {**arrays, **change}), 3)


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    run = Run(tmp_path / "run")
    run.write(PREDICTIONS, content)
    with pytest.raises(UserError, match=r"predictions\.npz is damaged"):
        read_predictions(run, 3)


def test_an_archive_that_lacks_an_array_is_refused(tmp_path: Path, arrays: Arrays) -> None:
    del arrays["scored"]
    with pytest.raises(UserError, match=r"predictions\.npz is damaged"):
        read_predictions(kept(tmp_path, arrays), 3)
