"""Which files a folder holds, and in which split."""

import os
from collections import Counter
from pathlib import Path

import pytest

from convscope.data.listing.files import (
    ClipFile,
    clip_path,
    list_class_folders,
    require_folder,
    settle_splits,
)
from convscope.data.listing.splits import hashed_split, held_out_split
from convscope.errors import UserError

SUFFIXES = {".wav"}


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def splits(files: list[ClipFile]) -> dict[str, str]:
    return {file.id: file.split for file in files}


def test_class_folders_are_split_by_the_name_without_its_ending(tmp_path: Path) -> None:
    names = [f"cat/{i}.wav" for i in range(200)]
    found = list_class_folders(touch(tmp_path, *names), SUFFIXES)
    assert splits(found) == {name: hashed_split(Path(name).stem) for name in names}
    shares = Counter(file.split for file in found)
    assert shares["train"] > 130
    assert min(shares["validation"], shares["test"]) > 8
    assert {file.label for file in found} == {"cat"}
    assert all(file.path == tmp_path / file.id for file in found)


def test_the_ending_does_not_decide_the_split() -> None:
    files = [
        ClipFile(Path(f"a/{i}{ending}"), f"a/{i}{ending}", "a", "train")
        for i in range(50)
        for ending in (".wav", ".flac")
    ]
    settled = settle_splits(files)
    assert [f.split for f in settled[::2]] == [f.split for f in settled[1::2]]


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_three_split_folders_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "train/a/1.wav", f"{name}/a/2.wav", "test/b/3.wav")
    assert splits(list_class_folders(tmp_path, SUFFIXES)) == {
        "train/a/1.wav": "train",
        f"{name}/a/2.wav": "validation",
        "test/b/3.wav": "test",
    }


@pytest.mark.parametrize("held_out", ["val", "test"])
def test_a_single_held_out_part_is_the_test_set(tmp_path: Path, held_out: str) -> None:
    names = [f"train/a/{i}.wav" for i in range(300)]
    found = splits(list_class_folders(touch(tmp_path, f"{held_out}/a/x.wav", *names), SUFFIXES))
    assert found.pop(f"{held_out}/a/x.wav") == "test"
    assert found == {name: held_out_split(name) for name in names}
    assert 15 < Counter(found.values())["validation"] < 50


def test_a_train_folder_alone_is_split_by_hash(tmp_path: Path) -> None:
    names = [f"train/a/{i}.wav" for i in range(100)]
    found = splits(list_class_folders(touch(tmp_path, *names), SUFFIXES))
    assert found == {name: hashed_split(Path(name).stem) for name in names}


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    found = list_class_folders(touch(tmp_path, "train/1.wav", "test/2.wav"), SUFFIXES)
    assert {file.label for file in found} == {"train", "test"}


def test_what_is_no_clip_is_passed_over(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *("README.md", "LICENSE", "loose.wav", ".git/x.wav", "_background_noise_/hum.wav"),
        *("cat/.hidden.wav", "cat/notes.txt", "cat/folder.wav/deep.wav", "cat/LOUD.WAV"),
    )
    assert [file.id for file in list_class_folders(tmp_path, SUFFIXES)] == ["cat/LOUD.WAV"]


def test_names_that_are_no_utf8_have_a_split(tmp_path: Path) -> None:
    name = os.fsdecode(b"cat/\xff.wav")
    try:
        touch(tmp_path, name)
    except OSError:
        pytest.skip("this file system refuses such names")
    assert [file.id for file in list_class_folders(tmp_path, SUFFIXES)] == [name]


def test_two_folders_of_one_split_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.wav", "val/a/2.wav", "valid/a/3.wav")
    with pytest.raises(UserError, match=r"both val and valid, two folders for one split"):
        list_class_folders(tmp_path, SUFFIXES)


def test_a_folder_must_be_named_and_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.folder is missing.*data\.folder=DIR"):
        require_folder(None)
    with pytest.raises(UserError, match=r"data\.folder: .*nowhere does not exist"):
        require_folder(str(tmp_path / "nowhere"))
    file = touch(tmp_path, "a.csv") / "a.csv"
    with pytest.raises(UserError, match=r"a\.csv is a file: expected the folder"):
        require_folder(str(file))
    assert require_folder(str(file), or_file=True) == file


def test_a_folder_that_may_not_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"data\.folder: .* cannot be read \(Permission denied\)"):
        list_class_folders(tmp_path, SUFFIXES)


def test_a_clip_lies_below_its_folder_and_of_a_manifest_beside_the_csv(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,label,split\n")
    assert clip_path(str(tmp_path), "bed/a.wav") == tmp_path / "bed" / "a.wav"
    assert clip_path(str(manifest), "bed/a.wav") == tmp_path / "bed" / "a.wav"
    assert clip_path("~/data", "a.wav") == Path.home() / "data" / "a.wav"


def test_a_copy_of_the_data_whose_disk_spells_accents_otherwise_is_split_alike() -> None:
    names = [f"caf\u00e9 {i}" for i in range(50)]
    respelled = [name.replace("\u00e9", "e\u0301") for name in names]
    assert list(map(hashed_split, names)) == list(map(hashed_split, respelled))
    assert {hashed_split(name) for name in names} == {"train", "validation", "test"}
