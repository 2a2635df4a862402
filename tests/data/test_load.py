"""From a recipe's data to a data set."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convscope.data.config import (
    DataConfig,
    ImagesConfig,
    ManifestConfig,
    MnistConfig,
    SoundsConfig,
    WordsConfig,
)
from convscope.data.decoding.sound_files import decode_sound
from convscope.data.listing.splits import official_split
from convscope.data.load import load_dataset
from convscope.errors import UserError
from convscope.types import SPLITS

Make = Callable[..., Path]
SHORT = {"seconds": 0.1}


@pytest.fixture
def words(tmp_path: Path, cache: Path, make_words: Make) -> Path:
    return make_words(tmp_path / "words", ("bed", "cat", "yes"))


def test_words_come_labelled_split_and_in_order(words: Path) -> None:
    dataset = load_dataset(WordsConfig(folder=str(words), words=("yes", "bed"), **SHORT))
    assert dataset.classes == ("yes", "bed")
    assert dataset.clips.shape == (80, 1, 1600)
    assert dataset.clips.dtype == np.int16
    assert list(dataset.ids) == sorted(dataset.ids)
    for i in (0, 33, 79):
        word, name = str(dataset.ids[i]).split("/")
        assert dataset.classes[dataset.labels[i]] == word
        assert SPLITS[dataset.splits[i]] == official_split(name)
        np.testing.assert_array_equal(
            dataset.clips[i], decode_sound(words / dataset.ids[i], 16_000, 1600)[0]
        )
    assert dataset.exact.all()
    assert dataset.left_out == ()


def test_all_words_are_those_of_the_folder_sorted(words: Path) -> None:
    config = WordsConfig(folder=str(words), **SHORT)
    assert load_dataset(config).classes == ("bed", "cat", "yes")


def test_the_order_of_words_changes_labels_alone(words: Path) -> None:
    one = load_dataset(WordsConfig(folder=str(words), words=("bed", "cat"), **SHORT))
    other = load_dataset(WordsConfig(folder=str(words), words=("cat", "bed"), **SHORT))
    assert one.fingerprint == other.fingerprint
    np.testing.assert_array_equal(one.labels, 1 - other.labels)


def test_exact_says_which_clips_were_neither_padded_nor_cropped(words: Path) -> None:
    for seconds, exact in ((0.1, True), (0.05, False), (0.2, False)):
        config = WordsConfig(folder=str(words), seconds=seconds)
        assert (load_dataset(config).exact == exact).all()


def test_the_same_data_set_for_any_number_of_workers(
    words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = WordsConfig(folder=str(words), **SHORT)
    one = load_dataset(config, workers=1)
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "other"))
    two = load_dataset(config, workers=2)
    assert one.fingerprint == two.fingerprint
    np.testing.assert_array_equal(one.clips, two.clips)


def test_a_folder_of_classes_with_sounds(words: Path) -> None:
    dataset = load_dataset(SoundsConfig(folder=str(words), classes=("cat", "bed"), **SHORT))
    assert dataset.classes == ("cat", "bed")
    assert {len(dataset.indices(split)) > 0 for split in SPLITS} == {True}


@pytest.mark.parametrize("name", ["manifest.csv", ""])
def test_a_manifest_by_its_name_or_its_folder(words: Path, name: str) -> None:
    rows = [
        f"{word}/{i:08x}_nohash_0.wav,{word},{split}"
        for word in ("bed", "yes")
        for i, split in enumerate(SPLITS)
    ]
    (words / "manifest.csv").write_text("\n".join(["path,label,split", *rows]))
    dataset = load_dataset(ManifestConfig(folder=str(words / name), **SHORT))
    assert dataset.classes == ("bed", "yes")
    assert dataset.splits.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_bad_file_is_left_out_named_and_counted(words: Path) -> None:
    (words / "cat" / "00000000_nohash_0.wav").write_bytes(b"")
    (words / "bed" / "00000001_nohash_0.wav").write_bytes(b"RIFF, but no more than that: a stub")
    dataset = load_dataset(WordsConfig(folder=str(words), **SHORT))
    assert len(dataset.clips) == 118
    assert [bad.path for bad in dataset.left_out] == [
        "bed/00000001_nohash_0.wav",
        "cat/00000000_nohash_0.wav",
    ]
    assert dataset.left_out[1].reason == "is empty (0 bytes)"
    assert not set(dataset.ids) & {bad.path for bad in dataset.left_out}


def test_more_bad_files_than_the_stated_share_are_an_error(words: Path) -> None:
    for i in range(7):
        (words / "cat" / f"{i:08x}_nohash_0.wav").write_bytes(b"")
    message = (
        r"7 of 120 files in .*words cannot be used \(cat/00000000_nohash_0\.wav is empty .*"
        r"and 4 more\), over data\.max_bad_share=0\.05"
    )
    with pytest.raises(UserError, match=message):
        load_dataset(WordsConfig(folder=str(words), **SHORT))
    tolerant = WordsConfig(folder=str(words), max_bad_share=0.06, **SHORT)
    assert len(load_dataset(tolerant).clips) == 113


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (WordsConfig(words=("bed", "cat")), r"data\.folder is missing"),
        (WordsConfig(folder="/nowhere"), r"data\.folder: /nowhere does not exist"),
        (MnistConfig(), r"data\.folder is missing"),
    ],
)
def test_a_folder_must_be_there(config: DataConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_dataset(config)


@pytest.mark.parametrize("kind", [WordsConfig, SoundsConfig, ImagesConfig])
def test_an_empty_folder_is_refused(tmp_path: Path, kind: type[DataConfig]) -> None:
    (tmp_path / "README.txt").write_text("nothing else")
    message = r"data\.folder: .* is empty or holds other things: expected \w+/"
    with pytest.raises(UserError, match=message):
        load_dataset(kind(folder=str(tmp_path)))


def test_a_word_that_is_not_there_is_named_with_those_that_are(words: Path) -> None:
    (words / "happy").mkdir()
    message = (
        r"data\.words: no clips of 'bad' in .* \(did you mean 'bed'\?\): there are bed, cat, y"
    )
    with pytest.raises(UserError, match=message):
        load_dataset(WordsConfig(folder=str(words), words=("cat", "bad")))
    with pytest.raises(UserError, match=r"data\.words: no clips of 'happy' in"):
        load_dataset(WordsConfig(folder=str(words), words=("cat", "happy")))
    with pytest.raises(UserError, match=r"data\.classes: no clips of 'dog' in"):
        load_dataset(SoundsConfig(folder=str(words), classes=("cat", "dog")))


def test_a_single_class_is_refused(tmp_path: Path, make_words: Make, cache: Path) -> None:
    make_words(tmp_path / "one", ("bed",), 2)
    with pytest.raises(UserError, match="holds only one class, 'bed': expected at least two"):
        load_dataset(WordsConfig(folder=str(tmp_path / "one")))


def split_folder(root: Path, write_sound: Make, *names: str) -> SoundsConfig:
    for name in names:
        write_sound(root / f"{name}.wav", np.full(100, len(name), np.int16))
    return SoundsConfig(folder=str(root), seconds=0.01)


BOTH = ("train/a/1", "train/a/2", "train/b/1", "train/b/2")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("train/a/1", "train/a/2", "train/b/1", "val/a/3", "test/a/4"),
            r"data\.classes: 'b' has only one clip in .*: expected several",
        ),
        (
            ("train/a/1", "val/a/2", "val/b/1", "test/b/2"),
            r"data\.classes: 'b' has no training clips in .*, only 1 to validate and 1 to test",
        ),
        (
            (*BOTH, "test/a/9"),
            r"data\.folder: no validation clips in .*, 4 to train and 1 to test: expected some",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(
    tmp_path: Path, cache: Path, write_sound: Make, names: tuple[str, ...], message: str
) -> None:
    config = split_folder(tmp_path / "sounds", write_sound, *names)
    with pytest.raises(UserError, match=message):
        load_dataset(config)
    assert len(load_dataset(config, for_training=False).clips) == len(names)


def test_without_test_clips_nothing_is_trained(
    tmp_path: Path, cache: Path, write_sound: Make
) -> None:
    rows = [("train", 3), ("val", 2), ("test", 2)]
    names = [
        (f"{part}/{label}/{i}.wav", label, part)
        for part, n in rows
        for i in range(n)
        for label in "ab"
    ]
    for name, _, part in names:
        write_sound(tmp_path / name, np.ones(100, np.int16))
        if part == "test":
            (tmp_path / name).write_bytes(b"")
    (tmp_path / "manifest.csv").write_text(
        "path,label,split\n" + "".join(f"{','.join(row)}\n" for row in names)
    )
    config = ManifestConfig(folder=str(tmp_path), seconds=0.01, max_bad_share=1)
    message = r"data\.folder: no test clips in .*, 6 to train and 4 to validate: expected some, to"
    with pytest.raises(UserError, match=message):
        load_dataset(config)
    assert len(load_dataset(config, for_training=False).clips) == 10


def test_without_test_clips_of_the_full_length_that_shall_count_nothing_is_trained(
    tmp_path: Path, cache: Path, write_sound: Make
) -> None:
    names = (*BOTH, "val/a/1", "test/b/1", "test/a/1")
    config = split_folder(tmp_path / "sounds", write_sound, *names)
    full = config.model_copy(update={"only_full_second": True})
    write_sound(tmp_path / "sounds" / "test/a/1.wav", np.ones(160, np.int16))
    assert load_dataset(full).n_classes == 2
    write_sound(tmp_path / "sounds" / "test/a/1.wav", np.ones(159, np.int16))
    message = (
        r"^data\.only_full_second=true: none of the 2 test clips in .* has exactly the "
        r"data\.seconds=0\.01 asked for: .* set data\.only_full_second=false$"
    )
    with pytest.raises(UserError, match=message):
        load_dataset(full)
    assert load_dataset(config).n_classes == 2
    assert len(load_dataset(full, for_training=False).clips) == 7


def test_a_class_may_lack_validation_or_test_clips(
    tmp_path: Path, cache: Path, write_sound: Make
) -> None:
    config = split_folder(tmp_path / "sounds", write_sound, *BOTH, "val/a/1", "test/b/1")
    assert load_dataset(config).n_classes == 2


def test_every_message_is_one_line(words: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_dataset(WordsConfig(folder=str(words), words=("cat", "dog")))
    assert "\n" not in str(caught.value)


def test_a_clip_needs_at_least_one_sample() -> None:
    with pytest.raises(ValueError, match=r"data\.seconds: expected at least 6\.25e-05, one sample"):
        WordsConfig(seconds=1e-6)


def test_the_real_recordings_of_the_reports_load_whole(
    real_data: Callable[[str], Path], cache: Path
) -> None:
    dataset = load_dataset(WordsConfig(folder=str(real_data("words_reports16"))))
    assert dataset.clips.shape == (840, 1, 16_000)
    assert dataset.n_classes == 16
    assert len(dataset.indices("test")) == 175
    assert dataset.left_out == ()


def test_real_images_load_with_one_held_out_part_as_test(
    real_data: Callable[[str], Path], cache: Path, tmp_path: Path
) -> None:
    source = real_data("images6")
    for file in (*source.glob("train/[bt]*/*[05].jpg"), *source.glob("val/[bt]*/*0.jpg")):
        copy = tmp_path / "images" / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(file)
    dataset = load_dataset(ImagesConfig(folder=str(tmp_path / "images"), image_size=16))
    assert dataset.classes == ("bed", "bird", "tree")
    assert dataset.clips.shape[1:] == (3, 16, 16)
    assert dataset.clips.dtype == np.uint8
    assert {name.split("/")[0] for name in dataset.ids[dataset.indices("test")]} == {"val"}


def test_a_class_is_found_however_a_disk_spells_its_accents(
    tmp_path: Path, make_words: Make, cache: Path
) -> None:
    typed, on_disk = "caf\u00e9", "cafe\u0301"
    root = make_words(tmp_path / "words", (on_disk, "tea"))
    named = load_dataset(WordsConfig(folder=str(root), words=("tea", typed), **SHORT))
    found = load_dataset(WordsConfig(folder=str(root), **SHORT))
    assert named.classes == ("tea", typed)
    assert found.classes == (typed, "tea")
    assert np.bincount(named.labels).tolist() == [40, 40]


def test_a_pattern_gives_the_classes_of_one_folder(
    tmp_path: Path, cache: Path, write_sound: Make, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    for i in range(120):
        path = tmp_path / "all" / f"{'xy'[i % 2]}_{'abc'[i % 3]}_{i}.wav"
        write_sound(path, rng.integers(-9000, 9000, 1600).astype(np.int16))
    write_sound(tmp_path / "all" / "other.wav", np.zeros(1600, np.int16))
    settings = {"folder": str(tmp_path / "all"), "pattern": "{label}_{who}_{take}", **SHORT}
    dataset = load_dataset(SoundsConfig(**settings, split="stratified"))
    assert dataset.classes == ("x", "y")
    assert [(bad.path, bad.reason) for bad in dataset.left_out] == [
        ("other.wav", "does not match data.pattern")
    ]
    assert np.bincount(dataset.splits).tolist() == [96, 12, 12]
    folds = [
        load_dataset(SoundsConfig(**settings, folds={"n": 5}, fold=fold)) for fold in range(1, 6)
    ]
    tested = [set(each.ids[each.indices("test")]) for each in folds]
    assert sum(map(len, tested)) == len(set.union(*tested)) == 120
    assert len({each.fingerprint for each in [dataset, *folds]}) == 1
    assert not caplog.records
    load_dataset(SoundsConfig(**settings, group="who"))
    assert "data.group=who: 3 groups in" in caplog.text
