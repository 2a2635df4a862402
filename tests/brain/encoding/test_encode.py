"""Encoding models: against closed forms, planted truths and independent figures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.brain.encoding.choice import choose_layer
from convscope.brain.encoding.draws import block_draws, stimulus_draws
from convscope.brain.encoding.encode import encode
from convscope.brain.encoding.folds import Fold
from convscope.brain.encoding.partition import partition
from convscope.brain.encoding.ridge import at_ends, fit_predict, penalty_grid, standardised
from convscope.brain.encoding.scores import correlation, explained_variance
from convscope.brain.inference.bootstrap import draw_counts

Array = NDArray[np.float64]

GRID = penalty_grid((1e-3, 1e5, 17))


def slow_ridge(x: Array, y: Array, fold: Fold) -> tuple[Array, Array]:
    """Predictions and penalties by solving anew for each sample that is left out."""
    a, b, _ = standardised(x, fold)
    train = y[fold.train]
    predictions, penalties = np.empty((len(b), y.shape[1])), np.empty(y.shape[1])
    for t in range(y.shape[1]):
        losses = []
        for penalty in GRID:
            errors = [
                train[i, t] - solve(np.delete(a, i, 0), np.delete(train[:, t], i), a[i], penalty)
                for i in range(len(a))
            ]
            losses.append(np.mean(np.square(errors)))
        penalties[t] = GRID[int(np.argmin(losses))]
        predictions[:, t] = [solve(a, train[:, t], row, penalties[t]) for row in b]
    return predictions, penalties


def solve(a: Any, y: Any, row: Any, penalty: float) -> float:
    centre, mean = a.mean(axis=0), y.mean()
    a = a - centre
    weights = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ (y - mean))
    return float((row - centre) @ weights + mean)


def planted(n: int = 120, noise: float = 1.0, seed: int = 0) -> tuple[Array, Array, Array]:
    """Two layers of features, and responses that the first makes."""
    rng = np.random.default_rng(seed)
    layers = rng.normal(size=(2, n, 10))
    signal = layers[0] @ rng.normal(size=(10, 4))
    return layers[0], layers[1], signal / signal.std(axis=0) + noise * rng.normal(size=(n, 4))


def test_penalties_and_predictions_are_those_of_solving_anew_for_each_sample_left_out() -> None:
    x, _, y = planted(24)
    fold = Fold(np.arange(18), np.arange(18, 24))
    fit = fit_predict(x, y, fold, GRID, None)
    predictions, penalties = slow_ridge(x, y, fold)
    assert fit.penalties == pytest.approx(penalties)
    assert fit.predictions == pytest.approx(predictions, abs=1e-5)


def test_both_ways_of_choosing_penalties_give_the_same_ridge_at_one_penalty() -> None:
    x, _, y = planted(60)
    fold = Fold(np.arange(45), np.arange(45, 60))
    inner = [Fold(np.arange(0, 30), np.arange(30, 45)), Fold(np.arange(15, 45), np.arange(15))]
    one = np.array([9.99, 10.0])
    by_folds = fit_predict(x, y, fold, one, inner)
    one_out = fit_predict(x, y, fold, one, None)
    assert by_folds.predictions == pytest.approx(one_out.predictions, abs=2e-3)


def test_the_layer_that_made_the_responses_wins_and_r_comes_near_the_ceiling() -> None:
    first, second, y = planted(400, noise=1.0)
    draws = stimulus_draws(range(400), 8, 1, seed=0)
    fits = [encode(x, y, draws, GRID) for x in (second, first)]
    choice = choose_layer(fits, y, draws)
    assert (choice.layer == 1).mean() > 0.95
    ceiling = np.sqrt(1 / 2)  # of the variance, half is signal
    assert choice.chosen.r(y).mean() == pytest.approx(ceiling, abs=0.04)
    assert fits[0].r(y).mean() < 0.1


def test_unique_variance_is_what_was_planted() -> None:
    rng = np.random.default_rng(1)
    n = 500
    a, b = rng.normal(size=(2, n, 6))
    y = a @ rng.normal(size=(6, 3)) / 6**0.5 + 0.5 * b @ rng.normal(size=(6, 3)) / 6**0.5
    y += rng.normal(size=(n, 3))
    draws = stimulus_draws(range(n), 5, 1, seed=0)
    fits = [encode(x, y, draws, GRID) for x in (a, b)]
    both = encode([b, a], y, draws, GRID)
    parts = partition(fits[0], fits[1], both, y, draw_counts(n, 200, 0))
    truth = [np.linalg.lstsq(x, y, rcond=None)[0] for x in (a, b)]
    own = (a @ truth[0]).var(axis=0) / y.var(axis=0)
    assert parts.unique_net == pytest.approx(own, abs=0.06)
    assert abs(parts.shared).max() < 0.05
    low, high = parts.unique_net_interval
    assert (low < parts.unique_net).all()
    assert (parts.unique_net < high).all()


def test_choosing_on_the_test_claims_more_than_there_is_among_layers_of_noise() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(160, 4))
    draws = stimulus_draws(range(160), 8, 1, seed=0)
    fits = [encode(rng.normal(size=(160, 12)), y, draws, GRID) for _ in range(18)]
    choice = choose_layer(fits, y, draws)
    assert choice.best_on_test.mean() > 0.08
    assert abs(choice.chosen.r(y).mean()) < 0.08


def test_predictions_times_three_have_the_same_r_and_a_ruinous_r2() -> None:
    y = np.random.default_rng(0).normal(size=(200, 1))
    predicted = 0.6 * y + 0.4 * np.random.default_rng(1).normal(size=(200, 1))
    assert correlation(3 * predicted, y) == pytest.approx(correlation(predicted, y))
    assert explained_variance(predicted, y)[0] > 0.4
    assert explained_variance(3 * predicted, y)[0] < -0.5


def test_a_grid_that_ends_too_early_shows_at_its_end() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 200)), rng.normal(size=(60, 2))
    narrow = encode(x, y, stimulus_draws(range(60), 5, 1, 0), np.logspace(-8, -6, 5))
    wide = encode(x, y, stimulus_draws(range(60), 5, 1, 0), np.logspace(-2, 9, 23))
    assert narrow.at_ends == 1.0
    assert wide.at_ends < 0.95
    assert at_ends(np.array([1.0, 2.0, 3.0, 3.0]), np.array([1.0, 2.0, 3.0])) == 0.75


def test_targets_with_nan_or_without_variance_come_out_as_nan_and_spoil_no_other() -> None:
    x, _, y = planted(60)
    spoiled = y.copy()
    spoiled[3, 1], spoiled[:, 2] = np.nan, 7.0
    draws = stimulus_draws(range(60), 5, 1, 0)
    r = encode(x, spoiled, draws, GRID).r(spoiled)[0]
    assert np.isnan(r[1:3]).all()
    assert r[[0, 3]] == pytest.approx(encode(x, y, draws, GRID).r(y)[0, [0, 3]])


def test_constant_features_are_dropped_by_the_training_samples_alone() -> None:
    x, _, y = planted(40)
    x = np.hstack([x, np.full((40, 1), 3.0)])
    x[39, -1] = 1e6  # varies in the test alone
    fold = Fold(np.arange(30), np.arange(30, 40))
    fit = fit_predict(x, y, fold, GRID, None)
    assert fit.n_dropped == 1
    assert fit.predictions == pytest.approx(fit_predict(x[:, :-1], y, fold, GRID, None).predictions)
    none = fit_predict(np.ones((40, 2)), y, fold, GRID, None)
    assert none.predictions[0] == pytest.approx(y[:30].mean(axis=0), rel=1e-5)


def test_more_targets_than_fit_at_once_are_the_same_in_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, _, y = planted(50)
    draws = block_draws(np.zeros(50), 5, 2)
    whole = encode(x, y, draws, GRID), encode(x, y, stimulus_draws(range(50), 5, 1, 0), GRID)
    monkeypatch.setattr("convscope.brain.encoding.ridge.TARGETS_AT_ONCE", 3)
    parts = encode(x, y, draws, GRID), encode(x, y, stimulus_draws(range(50), 5, 1, 0), GRID)
    for a, b in zip(whole, parts, strict=True):
        assert a.predictions == pytest.approx(b.predictions, abs=1e-5)


def test_equal_rank_takes_the_components_of_the_training_samples() -> None:
    x, _, y = planted(60)
    fold = Fold(np.arange(45), np.arange(45, 60))
    a, b, _ = standardised(x, fold)
    axes = np.linalg.eigh(a.T @ a)[1][:, ::-1][:, :3]
    reduced = np.zeros((60, 3))
    reduced[fold.train], reduced[fold.test] = a @ axes, b @ axes
    scaled = fit_predict(x, y, fold, np.array([1.0, 1.0001]), None, rank=3)
    from sklearn.linear_model import Ridge

    model = Ridge(1.0).fit(reduced[fold.train], y[fold.train])
    assert scaled.predictions == pytest.approx(model.predict(reduced[fold.test]), abs=1e-3)


NATSOUND = {
    "power": [0.35865, 0.1863, -0.21527, 0.21788, 0.15855, 0.12815],
    "mel_mean": [0.71218, 0.59772, 0.45128, 0.22643, 0.19767, 0.20822],
    "modulation": [0.54401, 0.7401, 0.74827, 0.86092, 0.7409, 0.68177],
    "temporal_modulation": [0.5107, 0.68961, 0.65448, 0.60626, 0.53379, 0.43332],
    "spectral_all": [0.89231, 0.88576, 0.77478, 0.86037, 0.73985, 0.67885],
}
"""r of the components of 165 natural sounds, computed by an independent script: one fold draw."""


def test_spectral_controls_of_natural_sounds_have_the_independent_figures(
    real_data: Callable[[str], Path],
) -> None:
    from convscope.brain.features.acoustic import ACOUSTIC
    from convscope.brain.features.stimuli import sound

    folder = real_data("natsound165")
    data = np.load(folder / "responses.npz")
    y = data["component_responses"].astype(float)
    waves = [sound(folder / "sounds" / f"{name}.flac", 16000)[0] for name in data["sounds"]]
    draws = stimulus_draws(range(165), 10, 1, seed=0)
    for name, figures in NATSOUND.items():
        x = np.stack([ACOUSTIC[name](wave) for wave in waves])
        assert encode(x, y, draws, GRID).r(y)[0] == pytest.approx(figures, abs=0.002), name
