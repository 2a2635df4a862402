"""Balancing classes: how many clips of each, and what a loss weighs them with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from convscope.data.balance import balanced_indices, class_weights
from convscope.data.config import Balance

LABELS = np.array([0] * 7 + [1] * 2 + [2] * 4 + [0], dtype=np.int64)  # 8, 2 and 4 clips
label_lists = st.lists(st.integers(0, 3), min_size=1, max_size=40)


def draw(labels: list[int] | np.ndarray, balance: Balance, seed: int = 0) -> np.ndarray:
    return balanced_indices(np.asarray(labels), balance, np.random.default_rng(seed))


@pytest.mark.parametrize("balance", ["none", "weights"])
def test_without_a_draw_every_clip_comes_once(balance: Balance) -> None:
    np.testing.assert_array_equal(draw(LABELS, balance), np.arange(len(LABELS)))


def test_undersampling_keeps_as_many_as_the_rarest_has() -> None:
    drawn = draw(LABELS, "undersample")
    assert np.bincount(LABELS[drawn]).tolist() == [2, 2, 2]


@given(label_lists)
def test_undersampling_repeats_no_clip(labels: list[int]) -> None:
    drawn = draw(labels, "undersample")
    assert len(set(drawn)) == len(drawn)


def test_oversampling_fills_up_to_the_commonest() -> None:
    drawn = draw(LABELS, "oversample")
    assert np.bincount(LABELS[drawn]).tolist() == [8, 8, 8]


@given(label_lists)
def test_oversampling_uses_every_clip_of_a_class_equally_often(labels: list[int]) -> None:
    times = np.bincount(draw(labels, "oversample"), minlength=len(labels))
    for label in set(labels):
        of_class = times[np.asarray(labels) == label]
        assert of_class.min() >= 1
        assert of_class.max() - of_class.min() <= 1


@pytest.mark.parametrize("balance", ["undersample", "oversample"])
def test_same_seed_draws_the_same_clips(balance: Balance) -> None:
    labels = np.repeat([0, 1, 2], [50, 20, 30])
    np.testing.assert_array_equal(draw(labels, balance, 3), draw(labels, balance, 3))
    assert draw(labels, balance, 3).tolist() != draw(labels, balance, 4).tolist()


def test_class_weights_by_hand() -> None:
    np.testing.assert_allclose(class_weights(LABELS, 3), [14 / 24, 14 / 6, 14 / 12], rtol=1e-6)


def test_class_weights_are_those_of_scikit_learn() -> None:
    labels = np.random.default_rng(0).integers(0, 5, 200)
    expected = compute_class_weight("balanced", classes=np.arange(5), y=labels)
    np.testing.assert_allclose(class_weights(labels, 5), expected, rtol=1e-6)


def test_class_weights_average_to_one_over_the_clips() -> None:
    assert class_weights(LABELS, 3)[LABELS].mean() == pytest.approx(1)


def test_class_without_a_clip_weighs_nothing() -> None:
    assert class_weights(LABELS, 4)[3] == 0
