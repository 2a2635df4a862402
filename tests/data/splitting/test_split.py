"""Real-like folders: spoken digits in one folder, sounds with a published fold, lists of splits."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.data.config import DataConfig, ImagesConfig, ManifestConfig, SoundsConfig
from convscope.data.listing.fields import crossing_groups, groups_by_split, values_of
from convscope.data.listing.files import ClipFile
from convscope.data.listing.find import find_clips, layout_of
from convscope.data.listing.listing import left_beside, list_clips
from convscope.data.listing.manifest import list_manifest
from convscope.data.listing.splits import hashed_split
from convscope.data.listing.write_manifest import write_manifest
from convscope.data.splitting.split import chosen_clips
from convscope.errors import UserError
from convscope.settings import validated
from convscope.types import SPLITS

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
DIGITS = "{label}_{speaker}_{take}"
SOUNDS = "{label}/{fold}-{take}-{}"
Listed = Callable[..., list[ClipFile]]


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    names = [f"{d}_{who}_{take}.wav" for d in range(3) for who in SPEAKERS for take in range(4)]
    return touch(tmp_path / "digits", *names)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    names = [
        f"{label}/{fold}-{1000 * i + fold}-{'AB'[i % 2]}.ogg"
        for label in ("001 - Dog bark", "002 - Rain")
        for fold in range(1, 6)
        for i in range(8)
    ]
    return touch(tmp_path / "sounds", *names)


def listed(root: Path, kind: type[DataConfig] = SoundsConfig, **values: Any) -> list[ClipFile]:
    config = validated(kind, {"folder": str(root), **values}, "data")
    listing = list_clips(config)
    return chosen_clips(listing, {file.label for file in listing.files}, config)


def counts(files: list[ClipFile]) -> dict[tuple[str, str], int]:
    return Counter((file.label, file.split) for file in files)


def test_names_give_labels_and_fields(digits: Path) -> None:
    files = listed(digits, pattern=DIGITS)
    assert len(files) == 72
    first = files[0]
    assert (first.id, first.label) == ("0_george_0.wav", "0")
    assert first.fields == {"label": "0", "speaker": "george", "take": "0"}
    assert [file.split for file in files] == [hashed_split(file.path.stem) for file in files]


def test_folders_and_names_together(environment: Path) -> None:
    files = listed(environment, pattern=SOUNDS, rename={"001 - Dog bark": "dog"})
    assert {file.label for file in files} == {"dog", "002 - Rain"}
    assert Counter(file.fields["fold"] for file in files) == dict.fromkeys("12345", 16)


def test_images_are_listed_by_the_same_pattern(tmp_path: Path) -> None:
    root = touch(tmp_path, "cat_ann.png", "dog_bob.jpg", "notes.txt", "cat_ann.wav")
    files = listed(root, ImagesConfig, pattern="{label}_{}")
    assert [file.id for file in files] == ["cat_ann.png", "dog_bob.jpg"]


def test_two_labels_of_one_new_name_are_one_class(digits: Path) -> None:
    files = listed(digits, pattern=DIGITS, rename={"0": "low", "1": "low", "2": "high"})
    assert Counter(file.label for file in files) == {"low": 48, "high": 24}
    with pytest.raises(UserError, match=r"data\.rename: no clips of '9'; known: 0, 1, 2"):
        listed(digits, pattern=DIGITS, rename={"9": "nine"})


def test_another_field_may_be_the_label(digits: Path) -> None:
    assert {file.label for file in listed(digits, pattern=DIGITS, label="speaker")} == {*SPEAKERS}


def test_what_does_not_match_is_named_beyond_the_bad_share(digits: Path) -> None:
    touch(digits, "readme_of.wav", ".0_hidden_1.wav", "_aside/0_x_1.wav", "deep/er/x.wav")
    config = validated(SoundsConfig, {"folder": str(digits), "pattern": DIGITS}, "data")
    assert list_clips(config).unmatched == ("deep/er/x.wav", "readme_of.wav")
    strict = config.model_copy(update={"max_bad_share": 0.02})
    words = r"2 of 74 files in .* do not match '{label}_{speaker}_{take}', the first is deep/er/x"
    with pytest.raises(UserError, match=words):
        list_clips(strict)


def test_of_other_endings_it_is_told_and_of_unmatched_files_not_twice(digits: Path) -> None:
    touch(digits, "a.m4a", "readme_of.wav")
    config = validated(SoundsConfig, {"folder": str(digits), "pattern": DIGITS}, "data")
    assert [each.ending for each in left_beside(list_clips(config), config)] == [".m4a"]


def test_a_field_split_says_the_split(tmp_path: Path) -> None:
    root = touch(tmp_path, "train/a_1.wav", "val/a_2.wav", "test/a_3.wav")
    files = listed(root, pattern="{split}/{label}_{}")
    assert [file.split for file in files] == ["test", "train", "validation"]
    touch(tmp_path, "dev/a_4.wav")
    with pytest.raises(UserError, match=r"dev/a_4\.wav: expected a field split of train"):
        listed(root, pattern="{split}/{label}_{}")


def test_stratified_gives_each_class_its_exact_share(environment: Path) -> None:
    assert counts(listed(environment, split="stratified")) == {
        (label, split): n
        for label in ("001 - Dog bark", "002 - Rain")
        for split, n in (("train", 32), ("validation", 4), ("test", 4))
    }
    halves = listed(environment, split="stratified", shares=[0.5, 0.25, 0.25])
    assert sorted(counts(halves).values()) == [10, 10, 10, 10, 20, 20]


def test_no_group_stands_on_two_sides(digits: Path) -> None:
    files = listed(digits, pattern=DIGITS, split="stratified", group="speaker")
    speakers = values_of(files, "data.group", "speaker")
    assert crossing_groups(files, speakers) == ()
    assert groups_by_split(files, speakers) == {"train": 4, "validation": 1, "test": 1}


def test_a_hash_of_the_group_keeps_it_on_one_side(tmp_path: Path) -> None:
    names = [f"{label}_s{i}_{take}.wav" for label in "ab" for i in range(80) for take in range(2)]
    files = listed(touch(tmp_path, *names), pattern=DIGITS, split="hash", group="speaker")
    assert [file.split for file in files] == [hashed_split(f.fields["speaker"]) for f in files]


def test_a_class_that_would_be_empty_on_a_side_is_refused(digits: Path) -> None:
    with pytest.raises(UserError, match=r"which has 24 in 6 groups by speaker: choose .*=stratif"):
        listed(digits, pattern=DIGITS, split="hash", group="speaker")
    for name in digits.glob("2_[jlnty]*"):
        name.unlink()
    with pytest.raises(UserError, match=r"clips of '2', which has 4 in 1 groups by speaker: add"):
        listed(digits, pattern=DIGITS, split="stratified", group="speaker")


def test_groups_that_cross_are_told_with_their_clips(digits: Path) -> None:
    files = listed(digits, pattern=DIGITS)
    crossing = crossing_groups(files, values_of(files, "data.group", "speaker"))
    split_of = {who: Counter(f.split for f in files if f"_{who}_" in f.id) for who in SPEAKERS}
    expected = {who: splits for who, splits in split_of.items() if len(splits) > 1}
    assert {each.name: each.counts for each in crossing} == expected
    assert len(expected) > 2
    counts_of = expected["george"]
    told = ", ".join(f"{counts_of[s]} in {s}" for s in SPLITS if counts_of[s])
    assert str(crossing[0]) == f"george: {told}"


def test_published_folds_are_taken_as_they_are(environment: Path) -> None:
    for fold in range(1, 6):
        files = listed(environment, pattern=SOUNDS, folds={"by": "fold"}, fold=fold)
        tested = {file.fields["fold"] for file in files if file.split == "test"}
        validated_on = {file.fields["fold"] for file in files if file.split == "validation"}
        assert (tested, validated_on) == ({str(fold)}, {str(fold % 5 + 1)})
    with pytest.raises(UserError, match=r"data\.fold: expected a fold from 1 to 5, got 6"):
        listed(environment, pattern=SOUNDS, folds={"by": "fold"}, fold=6)


def test_made_folds_test_every_clip_once_and_no_group_twice(digits: Path) -> None:
    tested: Counter[str] = Counter()
    for fold in (1, 2, 3):
        files = listed(digits, pattern=DIGITS, folds={"n": 3, "by": "speaker"}, fold=fold)
        speakers = values_of(files, "data.group", "speaker")
        assert crossing_groups(files, speakers) == ()
        tested.update(file.id for file in files if file.split == "test")
    assert len(tested) == 72
    assert set(tested.values()) == {1}
    with pytest.raises(UserError, match=r"'0' has too few groups by speaker for 7 folds, 1 would"):
        listed(digits, pattern=DIGITS, folds={"n": 7, "by": "speaker"}, fold=1)


def test_data_group_stays_together_where_folds_name_none(digits: Path) -> None:
    grouped = listed(digits, pattern=DIGITS, folds={"n": 3}, fold=1, group="speaker")
    assert grouped == listed(digits, pattern=DIGITS, folds={"n": 3, "by": "speaker"}, fold=1)


def test_lists_say_what_is_held_out(environment: Path) -> None:
    ids = sorted(f"{path.parent.name}/{path.name}" for path in environment.rglob("*.ogg"))
    (environment / "testing_list.txt").write_text("\n".join(ids[:7]) + "\n")
    (environment / "validation_list.txt").write_text("\n".join(ids[7:12]))
    files = listed(environment, split="lists")
    assert [file.split for file in files] == ["test"] * 7 + ["validation"] * 5 + ["train"] * 68
    with (environment / "validation_list.txt").open("a") as file:
        file.write("\n002 - Rain/gone.ogg\n")
    with pytest.raises(UserError, match=r"line 6 of .*validation_list\.txt, '002 - Rain/gone"):
        listed(environment, split="lists")


def test_lists_that_are_not_there_or_disagree_are_refused(environment: Path) -> None:
    with pytest.raises(UserError, match=r"expected validation_list\.txt or testing_list\.txt in"):
        listed(environment, split="lists")
    for name in ("testing_list.txt", "validation_list.txt"):
        (environment / name).write_text("002 - Rain/1-1-A.ogg\n")
    with pytest.raises(UserError, match="stands in both lists"):
        listed(environment, split="lists")


def test_a_manifest_that_was_written_reads_back_the_same(digits: Path) -> None:
    files = listed(
        digits, pattern=DIGITS, split="stratified", group="speaker", rename={"0": "zero, or o"}
    )
    write_manifest(digits / "all.csv", files)
    back = list_manifest(digits / "all.csv")
    assert [(f.id, f.label, f.split) for f in back] == [(f.id, f.label, f.split) for f in files]
    assert back[0].fields["speaker"] == files[0].fields["speaker"]
    with pytest.raises(UserError, match="is there already"):
        write_manifest(digits / "all.csv", files)


def test_a_manifest_lies_in_the_folder_or_above_it(digits: Path) -> None:
    files = listed(digits, pattern=DIGITS)
    with pytest.raises(UserError, match="put it into the data folder"):
        write_manifest(digits.parent / "elsewhere" / "all.csv", files)
    write_manifest(digits.parent / "all.csv", files)
    assert list_manifest(digits.parent / "all.csv")[0].id == "digits/0_george_0.wav"


def test_columns_of_a_manifest_may_be_label_group_and_fold(tmp_path: Path) -> None:
    rows = [f"{i}.wav,{'ab'[i % 2]},{'xyz'[i % 3]},{i % 4}" for i in range(24)]
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["path,label,word,session", *rows]))
    assert {f.label for f in listed(path, ManifestConfig, label="word")} == {*"xyz"}
    folds = listed(path, ManifestConfig, folds={"by": "session"}, fold=4)
    assert {f.fields["session"] for f in folds if f.split == "validation"} == {"0"}
    with pytest.raises(UserError, match="speaker is no field or column of these data; known"):
        listed(path, ManifestConfig, group="speaker", split="hash")
    path.write_text("\n".join(["path,label,word,session", *rows, "x.wav,a,,1"]))
    with pytest.raises(UserError, match=r"data\.group: x\.wav has no word: expected one of every"):
        listed(path, ManifestConfig, group="word", split="hash")


def test_what_a_folder_holds_is_found_out(digits: Path, tmp_path: Path) -> None:
    config, listing = find_clips(digits, {"pattern": DIGITS, "folds": {"n": 3}})
    assert (layout_of(config), len(listing.files)) == ("sounds", 72)
    assert isinstance(config, SoundsConfig)
    assert config.fold == 1
    images = touch(tmp_path / "images", "cat_1.png", "cat_2.png", "cat_1.wav")
    assert layout_of(find_clips(images, {"pattern": "{label}_{}"})[0]) == "images"
