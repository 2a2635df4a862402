"""Pooling: hand-worked cases, and windows that give what the stimulus in one piece gives."""

import numpy as np
import pytest

from convscope.brain.features.pooling import pooled


def test_poolings_are_those_of_their_names() -> None:
    x = np.arange(24.0).reshape(1, 2, 12)
    assert pooled(x, "mean", 4).tolist() == [5.5, 17.5]
    assert pooled(x, "max", 4).tolist() == [11, 23]
    assert pooled(x, "time_bins", 4).tolist() == [1, 4, 7, 10, 13, 16, 19, 22]
    assert pooled(x, "whole", 4).tolist() == list(range(24))
    assert pooled(np.ones((1, 5)), "time_bins", 4).tolist() == [1] * 5
    image = np.arange(8.0).reshape(1, 1, 2, 4)
    assert pooled(image, "time_bins", 2).tolist() == [2.5, 4.5]


@pytest.mark.parametrize("pooling", ["mean", "max", "time_bins"])
def test_windows_side_by_side_give_what_one_piece_gives(pooling: str) -> None:
    whole = np.random.default_rng(0).normal(size=(1, 3, 24))
    windows = whole.reshape(3, 4, 6).swapaxes(0, 1)  # 4 windows of a quarter each
    assert pooled(windows, pooling, 4, 0.25) == pytest.approx(pooled(whole, pooling, 4))


def test_stretches_of_time_are_those_of_the_stimulus_where_windows_overlap() -> None:
    ramp = np.arange(12.0)
    windows = np.stack([ramp[:8], ramp[4:]])[:, None]
    assert pooled(windows, "time_bins", 3, 8 / 12) == pytest.approx([1.5, 5.5, 9.5])


def test_a_short_layer_has_a_mean_for_each_position_at_most() -> None:
    assert pooled(np.array([[[1.0, 2.0, 3.0]]]), "time_bins", 64).tolist() == [1, 2, 3]
