"""Which clips of a run, or of a folder, are shown."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from convscope.inside.subject.clips import evenly, examples_from


@pytest.mark.parametrize("most", [1, 2, 3, 7, 10, 20, 100])
def test_never_more_clips_are_shown_than_asked_for(most: int) -> None:
    labels = np.repeat([0, 1, 2, 3, 4], [2, 3, 5, 8, 13])
    indices = np.arange(0, 31)[::-1]
    kept = evenly(indices, labels, most)
    assert len(kept) == min(most, 31)
    assert len(set(kept)) == len(kept)


def test_the_classes_take_turns_and_each_is_spread_over_all_its_clips() -> None:
    labels = np.repeat([0, 1, 2], [2, 101, 11])
    kept = evenly(np.arange(114), labels, 8)
    assert np.bincount(labels[kept]).tolist() == [2, 3, 3]
    assert kept.tolist() == [0, 1, 2, 52, 102, 103, 108, 113]


def test_only_the_indices_given_are_chosen_from() -> None:
    kept = evenly(np.array([3, 5, 9]), np.zeros(10, np.int64), 2)
    assert kept.tolist() == [3, 9]


def test_so_many_files_of_a_folder_are_shown_evenly_from_all_classes(tmp_path: Path) -> None:
    from PIL import Image

    for folder, n in (("cat", 14), ("dog", 4), ("else", 2)):
        (tmp_path / folder).mkdir()
        for i in range(n):
            Image.new("L", (8, 8)).save(tmp_path / folder / f"{i:02d}.png")

    def shown(classes: tuple[str, ...], most: int) -> list[str]:
        return list(examples_from(tmp_path, (1, 8, 8), None, classes, most).ids)

    for most in (1, 6, 13, 20, 30):
        assert len(shown((), most)) == len(shown(("cat", "dog"), most)) == min(most, 20)
    assert Counter(name.split("/")[0] for name in shown(("cat", "dog"), 6)) == {
        "cat": 2,
        "dog": 2,
        "else": 2,
    }
    assert shown((), 3) == ["cat/00.png", "cat/09.png", "else/01.png"]
