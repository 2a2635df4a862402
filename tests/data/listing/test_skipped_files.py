"""What lies in a data folder and is no clip."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from convscope.data.checking.check import check_folder
from convscope.data.checking.table import problem_lines
from convscope.data.config import ImagesConfig, SoundsConfig
from convscope.data.decoding.sound_files import decode_sound
from convscope.data.listing.files import SOUND_SUFFIXES, list_class_folders
from convscope.data.listing.skipped_files import PassedOver, passed_over
from convscope.data.load import load_dataset
from convscope.errors import UserError

Make = Callable[..., Path]
DEEPER, NOT_READ = "deeper than in the class folder", "not read"


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def left(root: Path) -> list[tuple[str, str, int, str]]:
    files = list_class_folders(root, SOUND_SUFFIXES)
    found = passed_over(root, files, SOUND_SUFFIXES)
    return [(each.folder, each.ending, each.n_files, each.reason) for each in found]


def test_files_are_counted_by_folder_and_ending(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.wav", "cat/2.m4a", "cat/3.M4A", "cat/4", "cat/a/b/5.wav", "cat/a/6.wav")
    touch(tmp_path, "dog/old/7.wav", "8.wav", "loose.m4a")
    assert left(tmp_path) == [
        (".", ".m4a", 1, NOT_READ),
        (".", ".wav", 1, "in no class folder"),
        ("cat", "", 1, NOT_READ),
        ("cat", ".m4a", 2, NOT_READ),
        ("cat", ".wav", 2, DEEPER),
        ("dog", ".wav", 1, DEEPER),
    ]


def test_what_stands_beside_split_folders_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.wav", "test/a/2.m4a", "dev/a/3.wav", "train/4.wav")
    assert left(tmp_path) == [
        ("dev", ".wav", 1, "in no class folder"),
        ("test/a", ".m4a", 1, NOT_READ),
        ("train", ".wav", 1, "in no class folder"),
    ]


def test_hidden_files_texts_and_what_systems_leave_are_not_told(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.wav", "cat/._1.wav", "cat/.DS_Store", "cat/Thumbs.db", ".git/x.wav")
    touch(tmp_path, "README", "LICENSE", "cat/1.TextGrid", "labels.csv", "__MACOSX/cat/._1.wav")
    assert left(tmp_path) == []


def test_folders_set_aside_by_their_name_are_counted_as_such(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.wav", "_background_noise_/hum.wav")
    (hum,) = passed_over(tmp_path, list_class_folders(tmp_path, SOUND_SUFFIXES), SOUND_SUFFIXES)
    assert (hum.folder, hum.is_set_aside) == ("_background_noise_", True)


def test_links_are_followed_to_class_folders_alone(tmp_path: Path) -> None:
    touch(tmp_path, "disk/1.wav", "disk/2.m4a", "data/dog/3.wav")
    (tmp_path / "data/cat").symlink_to(tmp_path / "disk")
    (tmp_path / "data/dog/loop").symlink_to(tmp_path / "data")
    assert left(tmp_path / "data") == [
        ("cat", ".m4a", 1, NOT_READ),
        ("dog", "link to a folder", 1, "only class folders may be links"),
    ]


@pytest.fixture
def sounds(tmp_path: Path, cache: Path, make_words: Make) -> Path:
    return make_words(tmp_path / "sounds", ("bed", "cat"))


def test_training_on_all_classes_refuses_a_class_folder_without_clips(sounds: Path) -> None:
    touch(sounds, "dog/1.m4a", "dog/2.m4a", "yes/new/1.wav")
    config = SoundsConfig(folder=str(sounds), seconds=0.1)
    message = (
        r"^data\.classes: no clips in .*sounds of 'dog', 'yes', only 2 \.m4a in dog \(not read, "
        r"such as dog/1\.m4a\), 1 \.wav in yes \(deeper than .*\): expected class/file .* _$"
    )
    with pytest.raises(UserError, match=message):
        load_dataset(config)
    named = config.model_copy(update={"classes": ("bed", "cat")})
    assert load_dataset(named).classes == load_dataset(config, for_training=False).classes


def test_training_warns_of_what_it_passes_over(
    sounds: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(sounds, "cat/1.m4a", "cat/2.m4a", "_noise/hum.wav")
    load_dataset(SoundsConfig(folder=str(sounds), seconds=0.1))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"2 files in {sounds} passed over: 2 .m4a in cat (not read, such as cat/1.m4a); "
        "convscope data check names all"
    )


def test_training_warns_of_one_clip_in_two_splits_until_it_is_excluded(
    sounds: Path, caplog: pytest.LogCaptureFixture
) -> None:
    splits = {"train": range(20), "test": range(20, 40)}
    for split, speakers in splits.items():
        for label in ("bed", "cat"):
            for i in speakers:
                name = f"{label}/{i:08x}_nohash_0.wav"
                (sounds / split / label).mkdir(parents=True, exist_ok=True)
                (sounds / name).rename(sounds / split / name)
    for label in ("bed", "cat"):
        (sounds / label).rmdir()
    os.link(sounds / "train/bed/00000000_nohash_0.wav", sounds / "test/bed/twin.wav")
    config = SoundsConfig(folder=str(sounds), seconds=0.1)
    load_dataset(config)
    assert "1 clips in" in caplog.text
    assert "test/bed/twin.wav = train/bed/00000000_nohash_0.wav: what is tested" in caplog.text
    caplog.clear()
    load_dataset(config.model_copy(update={"exclude": ("test/bed/twin.wav",)}))
    assert caplog.text == ""


def test_the_check_names_first_what_is_left_out(sounds: Path) -> None:
    touch(sounds, "dog/1.m4a", "cat/deep/2.wav", "_noise/3.wav", "bed/broken.wav")
    (sounds / "far").symlink_to(shutil.copytree(sounds / "cat", sounds.parent / "far"))
    report = check_folder(sounds)
    assert report.no_clips == ("dog",)
    assert report.links_out == (f"far -> {sounds.parent / 'far'}",)
    assert report.passed_over[0] == PassedOver(
        "_noise", ".wav", 1, "_noise/3.wav", "in no class folder"
    )
    kinds = [line.split("  ")[0] for line in problem_lines(report)]
    assert list(dict.fromkeys(kind.split(" ")[0] for kind in kinds)) == [
        *("no", "passed", "empty", "duplicate", "link")
    ]


def test_a_folder_of_nothing_but_unread_files_is_refused_with_their_number(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"idx files, got 2 \.m4a in cat \(not read"):
        check_folder(touch(tmp_path, "cat/1.m4a", "cat/2.m4a"))


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        *[("au", "AU"), ("snd", "AU"), ("caf", "CAF"), ("w64", "W64"), ("rf64", "RF64")],
        *[("aifc", "AIFF"), ("sph", "NIST"), ("voc", "VOC"), ("wave", "WAV")],
    ],
)
def test_sounds_of_all_endings_are_read_as_written(tmp_path: Path, ending: str, kind: str) -> None:
    samples = np.arange(-800, 800, dtype=np.int16) * 20
    path = tmp_path / f"x.{ending}"
    soundfile.write(path, samples, 16_000, format=kind, subtype="PCM_16")
    assert f".{ending}" in SOUND_SUFFIXES
    np.testing.assert_array_equal(decode_sound(path, 16_000, 1600)[0][0], samples)


@pytest.mark.parametrize(("ending", "kind"), [("jfif", "JPEG"), ("jpe", "JPEG"), ("apng", "PNG")])
def test_images_of_rarer_endings_are_clips(
    tmp_path: Path, cache: Path, ending: str, kind: str
) -> None:
    for label in ("cat", "dog"):
        for i in range(3):
            (tmp_path / "images" / label).mkdir(parents=True, exist_ok=True)
            image = Image.new("RGB", (8, 8), (i, 0, 0))
            image.save(tmp_path / "images" / label / f"{i}.{ending}", format=kind)
    config = ImagesConfig(folder=str(tmp_path / "images"), image_size=8)
    assert len(load_dataset(config, for_training=False).clips) == 6
