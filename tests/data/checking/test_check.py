"""What is in a folder, and what is wrong with it, by name."""

import errno
import gzip
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from convscope.data.checking.check import Duplicates, check_folder
from convscope.data.dataset import BadFile
from convscope.errors import UserError

Make = Callable[..., Path]


@pytest.fixture
def words(tmp_path: Path, make_words: Make) -> Path:
    return make_words(tmp_path / "words", ("bed", "cat"), 30)


def test_a_sound_folder_has_nothing_to_report(words: Path) -> None:
    report = check_folder(words)
    assert (report.layout, report.n_files) == ("words", 60)
    assert (report.rate_hz, report.seconds) == (16_000, 0.1)
    assert {word: sum(counts.values()) for word, counts in report.counts.items()} == {
        "bed": 30,
        "cat": 30,
    }
    assert report.counts["bed"] == report.counts["cat"], "the same speakers, the same splits"
    for problem in ("unreadable", "empty", "silent", "clipped", "off_rate", "odd_length"):
        assert getattr(report, problem) == ()
    assert report.duplicates == ()


def test_every_fault_is_named(words: Path, write_sound: Make) -> None:
    bed = words / "bed"
    noise = np.random.default_rng(9).normal(0, 0.1, 1600)
    loud = np.r_[np.ones(2), noise[2:]]
    (bed / "empty.wav").touch()
    (bed / "text.wav").write_text("this is no sound, whatever its name may say of it")
    write_sound(bed / "none.wav", np.zeros(0))
    write_sound(bed / "nan.wav", np.full(1600, np.nan), subtype="FLOAT")
    write_sound(bed / "silent.wav", noise / np.abs(noise).max() * 0.0009)
    write_sound(bed / "quiet.wav", noise / np.abs(noise).max() * 0.0011)
    write_sound(bed / "clipped.wav", loud)
    write_sound(bed / "touching.wav", np.r_[np.ones(1), noise[1:]])
    write_sound(bed / "fast.wav", noise[:800], 8_000)
    write_sound(bed / "short.wav", noise[:800])
    report = check_folder(words)
    assert [bad.path for bad in report.unreadable] == ["bed/nan.wav", "bed/text.wav"]
    assert report.unreadable[1].reason == "is no readable sound (Format not recognised)"
    assert report.empty == ("bed/empty.wav", "bed/none.wav")
    assert [each.path for each in report.silent] == ["bed/silent.wav"]
    assert report.clipped == ("bed/clipped.wav",)
    assert report.off_rate == ("bed/fast.wav",)
    assert report.odd_length == ("bed/short.wav",)
    assert report.n_files == 70
    assert sum(report.counts["bed"].values()) == 36


def test_duplicates_say_what_they_cross(tmp_path: Path, write_sound: Make) -> None:
    root = tmp_path / "sounds"
    for i, name in enumerate(("train/a/1", "train/a/2", "val/a/3", "test/b/4")):
        write_sound(root / f"{name}.wav", np.full(100, 1000 + i, np.int16))
    shutil.copy(root / "train/a/1.wav", root / "train/a/1 copy.wav")
    shutil.copy(root / "train/a/2.wav", root / "val/a/2.wav")
    shutil.copy(root / "test/b/4.wav", root / "test/a-4.wav")
    (root / "test/a").mkdir()
    (root / "test/a-4.wav").rename(root / "test/a/4.wav")
    assert set(check_folder(root).duplicates) == {
        Duplicates(("train/a/1 copy.wav", "train/a/1.wav"), False, False),
        Duplicates(("train/a/2.wav", "val/a/2.wav"), False, True),
        Duplicates(("test/a/4.wav", "test/b/4.wav"), True, False),
    }


def test_images_are_checked_too(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split / "cat").mkdir(parents=True)
        Image.new("RGB", (8, 8), "red").save(tmp_path / split / "cat" / "red.png")
    (tmp_path / "train" / "cat" / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "train" / "cat" / "empty.jpg").touch()
    report = check_folder(tmp_path)
    assert report.layout == "images"
    assert [bad.path for bad in report.unreadable] == ["train/cat/broken.jpg"]
    assert report.empty == ("train/cat/empty.jpg",)
    assert report.duplicates[0].across_splits
    assert (report.rate_hz, report.silent, report.odd_length) == (None, (), ())


def test_the_report_is_plain_data_and_the_same_for_any_number_of_workers(words: Path) -> None:
    steps: list[tuple[int, int]] = []
    one = check_folder(words, 1, lambda *step: steps.append(step))
    assert json.loads(json.dumps(asdict(one)))["counts"]["bed"].keys() == {
        "train",
        "validation",
        "test",
    }
    assert one == check_folder(words, 2)
    assert steps[-1] == (60, 60)


def test_a_folder_that_cannot_be_opened_is_named_and_the_others_are_read(
    words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, words / "bed")
    report = check_folder(words)
    assert report.unreadable == (BadFile("bed", "cannot be read (Permission denied)"),)
    assert (report.layout, report.n_files, list(report.counts)) == ("words", 30, ["cat"])


def test_a_folder_of_which_nothing_can_be_opened_is_an_error(
    words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, words)
    with pytest.raises(
        UserError, match=r"words cannot be read \(Permission denied\): expected a f"
    ):
        check_folder(words)


def close(monkeypatch: pytest.MonkeyPatch, closed: Path) -> None:
    """As for a user without permission; the tests may run as root, who always has it."""
    scandir = os.scandir

    def scan(folder: Path) -> "Iterator[os.DirEntry[str]]":
        if folder == closed:
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr("os.scandir", scan)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    for part, n in (("train", 30), ("t10k", 10)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", np.zeros((n, 28, 28), np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", (np.arange(n) % 10).astype(np.uint8))
    return tmp_path


def test_mnist_is_counted_by_digit_and_split(mnist: Path) -> None:
    report = check_folder(mnist)
    assert (report.layout, report.n_files, report.unreadable) == ("mnist", 4, ())
    assert report.counts == {
        digit: {"train": 2, "validation": 1, "test": 1} for digit in "0123456789"
    }


def test_files_of_mnist_that_are_broken_or_missing_are_named(mnist: Path) -> None:
    labels = mnist / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:-9])
    (mnist / "t10k-images-idx3-ubyte.gz").unlink()
    report = check_folder(mnist)
    assert report.n_files == 3
    broken, missing = report.unreadable
    assert broken.path == "train-labels-idx1-ubyte.gz"
    assert broken.reason.startswith("cannot be read (")
    assert missing == BadFile("t10k-images-idx3-ubyte", "is missing")
    assert sum(sum(counts.values()) for counts in report.counts.values()) == 0


def test_labels_of_mnist_that_are_too_few_are_named(mnist: Path) -> None:
    write_idx(mnist / "t10k-labels-idx1-ubyte.gz", np.zeros(9, np.uint8))
    report = check_folder(mnist)
    assert report.unreadable == (BadFile("t10k-labels-idx1-ubyte", "has 9 labels for 10 images"),)
    assert report.counts["0"] == {"train": 2, "validation": 1, "test": 0}


def test_a_folder_without_sounds_or_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds neither sounds nor images: expected"):
        check_folder(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        check_folder(tmp_path / "nowhere")


def test_the_real_recordings_of_the_reports(real_data: Callable[[str], Path]) -> None:
    report = check_folder(real_data("words_reports16"))
    assert report.n_files == 840
    assert sum(counts["test"] for counts in report.counts.values()) == 175
    assert not report.unreadable
    assert not report.empty


def test_groups_and_folds_are_counted_and_crossing_groups_named(
    tmp_path: Path, write_sound: Make
) -> None:
    rng = np.random.default_rng(0)
    for label in "ab":
        for who in ("ann", "bob", "eve"):
            for take in range(8):
                path = tmp_path / f"{label}_{who}_{take}.wav"
                write_sound(path, rng.integers(-9000, 9000, 400).astype(np.int16))
    write_sound(tmp_path / "odd.wav", rng.integers(-9000, 9000, 400).astype(np.int16))
    by_name = {"pattern": "{label}_{speaker}_{take}", "group": "speaker"}
    report = check_folder(tmp_path, settings=by_name)
    assert (report.layout, report.group, report.unmatched) == ("sounds", "speaker", ("odd.wav",))
    assert [each.name for each in report.crossing] == ["ann", "bob", "eve"]
    report = check_folder(tmp_path, settings={**by_name, "split": "stratified"})
    assert report.crossing == ()
    assert report.groups == {"train": 1, "validation": 1, "test": 1}
    assert report.counts["a"] == {"train": 8, "validation": 8, "test": 8}
    report = check_folder(tmp_path, settings={**by_name, "folds": {"n": 3}})
    assert report.folds == {"a": [8, 8, 8], "b": [8, 8, 8]}
    report = check_folder(tmp_path, settings={**by_name, "classes": ["a", "b"], "label": "take"})
    assert report.counts == {}
    json.dumps(asdict(report))


def test_the_same_sound_is_found_on_two_sides_of_the_split_that_was_asked_for(
    tmp_path: Path, write_sound: Make
) -> None:
    rng = np.random.default_rng(0)
    for i in range(40):
        path = tmp_path / f"{'ab'[i % 2]}_{i}.wav"
        write_sound(path, rng.integers(-9000, 9000, 400).astype(np.int16))
    for i in range(0, 40, 2):
        shutil.copy(tmp_path / f"a_{i}.wav", tmp_path / f"a_{i}copy.wav")
    settings = {"pattern": "{label}_{}", "split": "stratified"}
    report = check_folder(tmp_path, settings=settings)
    assert any(each.across_splits for each in report.duplicates)
