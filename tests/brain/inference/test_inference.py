"""Ceilings, bootstrap and permutations, against closed forms and simulated truths."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest

from convscope.brain.encoding.scores import correlation, explained_variance
from convscope.brain.hrf.drift import drift, without
from convscope.brain.inference.bootstrap import (
    draw_counts,
    draw_group_counts,
    drawn_correlation,
    drawn_explained_variance,
    mean_interval,
)
from convscope.brain.inference.ceiling import (
    between_subjects,
    ceiling_of_repeats,
    explainable_variance,
    normalised,
    rank,
    spearman_brown,
    split_half,
)
from convscope.brain.inference.permutation import (
    false_discovery,
    max_p_values,
    null_scores,
    p_values,
    shifted_orders,
    stimulus_orders,
)
from convscope.errors import UserError

Array = NDArray[np.float64]


def smooth(rng: np.random.Generator, n: int, width: int = 9) -> Array:
    return np.convolve(rng.normal(size=n + width), np.hanning(width), "same")[:n]


def test_explainable_variance_and_the_ceiling_are_those_of_the_simulation() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(1, 4000, 3)) * [1.0, 2.0, 0.0]
    repeats = signal + rng.normal(size=(4, 4000, 3))
    assert explainable_variance(repeats) == pytest.approx([0.5, 0.8, 0.0], abs=0.03)
    ceiling = ceiling_of_repeats(repeats)
    of_the_truth = correlation(signal[0], repeats.mean(axis=0))
    assert ceiling[:2] == pytest.approx(of_the_truth[:2], abs=0.02)
    assert np.sqrt(split_half(repeats))[:2] == pytest.approx(ceiling[:2], abs=0.03)
    assert float(spearman_brown(0.5, 2)) == pytest.approx(2 / 3)


def test_a_ratio_above_one_stays_and_an_unreliable_ceiling_gives_nan() -> None:
    assert normalised([0.6, 0.5, 0.1], [0.5, 0.6, 0.1]) == pytest.approx(
        [1.2, 0.5 / 0.6, np.nan], nan_ok=True
    )


def test_ceilings_between_subjects_are_those_of_slow_loops() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(200, 2))
    values = shared + rng.normal(size=(5, 200, 2))
    z = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    found = between_subjects(values)
    for target in range(2):
        others = [np.delete(z[:, :, target], i, 0).mean(axis=0) for i in range(5)]
        slow = [np.corrcoef(z[i, :, target], others[i])[0, 1] for i in range(5)]
        assert found.lower[target] == pytest.approx(np.mean(slow))
        assert found.lower_of[:, target] == pytest.approx(slow)
        pairs = np.corrcoef(z[:, :, target])[np.triu_indices(5, 1)]
        assert found.pairwise[target] == pytest.approx(pairs.mean())
    assert found.of_a_perfect_model == pytest.approx(np.sqrt(found.pairwise))
    assert (found.upper > found.lower).all()


def test_rank_counts_independent_patterns() -> None:
    rng = np.random.default_rng(0)
    denoised = rng.normal(size=(165, 6)) @ rng.normal(size=(6, 900))
    assert rank(denoised) == 6
    assert rank(denoised + rng.normal(size=denoised.shape)) == 165


def test_a_draw_by_counts_is_the_draw_itself() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=(2, 30, 2)) + 100
    counts = draw_counts(30, 3, seed=1)
    for k in range(3):
        picks = np.repeat(np.arange(30), counts[k].astype(int))
        assert drawn_correlation(counts, p, y)[k] == pytest.approx(correlation(p[picks], y[picks]))
        assert drawn_explained_variance(counts, p, y)[k] == pytest.approx(
            explained_variance(p[picks], y[picks])
        )
    together = draw_group_counts([0, 0, 1, 2, 2], 5, seed=0)
    assert (together[:, 0] == together[:, 1]).all()
    assert (together[:, 3] == together[:, 4]).all()


def test_permuted_stimuli_give_uniform_p_values_where_there_is_nothing() -> None:
    rng = np.random.default_rng(0)
    p = []
    for seed in range(200):
        y, predicted = rng.normal(size=(2, 40, 1))
        orders = stimulus_orders(np.arange(40), 99, seed)
        null = null_scores(lambda o, y=y, p=predicted: correlation(p, y[o]), orders)  # type: ignore[misc]
        p.append(p_values(correlation(predicted, y), null)[0])
    assert kstest(p, "uniform").pvalue > 0.01


def test_turned_runs_keep_slow_noise_slow_where_shuffled_volumes_do_not() -> None:
    rng = np.random.default_rng(0)
    runs = np.zeros(300)
    spreads = []
    for orders in (
        shifted_orders(runs, 200, seed=0),
        [rng.permutation(300) for _ in range(200)],
    ):
        x, y = smooth(rng, 300)[:, None], smooth(rng, 300)[:, None]
        null = null_scores(lambda o, y=y, x=x: correlation(x, y[o]), orders)  # type: ignore[misc]
        spreads.append(null.std())
    assert spreads[0] > 1.4 * spreads[1]


def test_runs_turn_by_themselves_and_by_more_than_a_response_lasts() -> None:
    runs = np.repeat([0, 1], 40)
    for order in shifted_orders(runs, 20, seed=0, least=10):
        assert sorted(order[:40]) == list(range(40))
        assert 10 <= (order[0] - 0) % 40 <= 30
    with pytest.raises(UserError, match=r"runs of more than 20 volumes .* got one of 12"):
        shifted_orders(np.repeat([0, 1], [40, 12]), 1, 0)


def test_equal_stimuli_change_places_together() -> None:
    contents = ["a", "a", "b", "b", "c", "c"]
    for order in stimulus_orders(contents, 10, seed=0):
        assert all(contents[order[i]] == contents[order[i + 1]] for i in (0, 2, 4))


def test_false_discoveries_are_as_few_as_asked_and_the_greatest_guards_against_any() -> None:
    rng = np.random.default_rng(0)
    wrong, found = [], []
    for _ in range(60):
        scores = np.r_[rng.normal(3.0, 1, 30), rng.normal(0, 1, 170)]
        null = rng.normal(size=(400, 200))
        taken = false_discovery(p_values(scores, null)) < 0.1
        wrong.append(taken[30:].sum() / max(taken.sum(), 1))
        found.append(taken[:30].mean())
    assert np.mean(wrong) < 0.12
    assert np.mean(found) > 0.4
    any_wrong = [
        (max_p_values(rng.normal(size=50), rng.normal(size=(200, 50))) < 0.05).any()
        for _ in range(200)
    ]
    assert np.mean(any_wrong) < 0.09
    assert false_discovery([0.01, np.nan])[0] == pytest.approx(0.01)


ALICE = {
    "LATL": (0.2865, 0.3745, 0.1072),
    "RATL": (0.2326, 0.3348, 0.078),
    "LPTL": (0.4085, 0.472, 0.1929),
    "LIPL": (0.2735, 0.3648, 0.0998),
    "LPreM": (0.2571, 0.352, 0.0902),
    "LIFG": (0.2077, 0.3168, 0.0657),
}
"""Ceilings of 27 people's responses to a story, computed by an independent script."""


def test_ceilings_of_the_story_have_the_independent_figures(
    real_data: Callable[[str], Path],
) -> None:
    data = np.load(real_data("alice") / "roi_bold.npz")
    trends = drift(362, 2.0, 128.0)
    found = between_subjects(np.stack([without(each, trends) for each in data["bold"]]))
    for i, name in enumerate(data["rois"]):
        figures = found.lower[i], found.upper[i], found.pairwise[i]
        assert figures == pytest.approx(ALICE[str(name)], abs=0.003)
    low, high = mean_interval(found.lower_of[:, 2], 10_000, seed=0)
    assert (low, high) == pytest.approx((0.3661, 0.449), abs=0.003)
