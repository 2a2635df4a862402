"""A run as what is looked at: which of its clips are shown."""

import numpy as np
import pytest

from convscope.inside.own_run import _evenly


@pytest.mark.parametrize("most", [1, 2, 3, 7, 10, 20, 100])
def test_never_more_clips_are_shown_than_asked_for(most: int) -> None:
    labels = np.repeat([0, 1, 2, 3, 4], [2, 3, 5, 8, 13])
    indices = np.arange(0, 31)[::-1]
    kept = _evenly(indices, labels, most)
    assert len(kept) == min(most, 31)
    assert len(set(kept)) == len(kept)


def test_the_classes_take_turns_and_each_is_spread_over_all_its_clips() -> None:
    labels = np.repeat([0, 1, 2], [2, 101, 11])
    kept = _evenly(np.arange(114), labels, 8)
    assert np.bincount(labels[kept]).tolist() == [2, 3, 3]
    assert kept.tolist() == [0, 1, 2, 52, 102, 103, 108, 113]


def test_only_the_indices_given_are_chosen_from() -> None:
    kept = _evenly(np.array([3, 5, 9]), np.zeros(10, np.int64), 2)
    assert kept.tolist() == [3, 9]
