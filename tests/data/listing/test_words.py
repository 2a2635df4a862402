"""The layout of Speech Commands and its official split."""

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from convscope.data.listing.words import list_words


def test_the_real_words_have_the_official_split(real_data: Callable[[str], Path]) -> None:
    counts = Counter(file.split for file in list_words(real_data("words")))
    assert counts == {"train": 24_885, "validation": 3_378, "test": 4_625}


def test_no_speaker_crosses_splits(real_data: Callable[[str], Path]) -> None:
    splits = defaultdict(set)
    for file in list_words(real_data("words")):
        splits[file.path.name.split("_nohash_")[0]].add(file.split)
    assert len(splits) > 1000
    assert all(len(found) == 1 for found in splits.values())


def test_label_and_id_come_from_the_path(tmp_path: Path) -> None:
    for name in ("LICENSE", "testing_list.txt", "_background_noise_/hum.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("zero/a_nohash_0.ogg", "bed/a_nohash_1.flac", "bed/b_nohash_0.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = list_words(tmp_path)
    assert [(file.id, file.label) for file in files] == [
        ("bed/a_nohash_1.flac", "bed"),
        ("bed/b_nohash_0.wav", "bed"),
        ("zero/a_nohash_0.ogg", "zero"),
    ]
    assert files[0].split == files[2].split
