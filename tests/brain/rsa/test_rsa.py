"""Dissimilarities and their comparison, beside rsatoolbox and closed forms."""

import warnings
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.brain.rsa.compare import (
    bootstrap_stimuli,
    ceiling,
    compare,
    null_of_stimuli,
)
from convscope.brain.rsa.rdm import (
    correlation_distance,
    crossnobis_distance,
    euclidean_distance,
    noise_covariance,
    rdm,
    square,
)
from convscope.errors import UserError

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def theirs():  # type: ignore[no-untyped-def]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("rsatoolbox")


def patterns(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def test_distances_are_those_of_rsatoolbox(theirs) -> None:  # type: ignore[no-untyped-def]
    x = patterns(12, 6)
    data = theirs.data.Dataset(x)
    for name, ours in (("correlation", correlation_distance), ("euclidean", euclidean_distance)):
        expected = theirs.rdm.calc_rdm(data, method=name).dissimilarities[0]
        assert ours(x) == pytest.approx(expected, abs=1e-9)


def test_crossnobis_and_its_noise_are_those_of_rsatoolbox(theirs) -> None:  # type: ignore[no-untyped-def]
    x = patterns(4, 12, 6)
    data = theirs.data.Dataset(
        x.reshape(-1, 6),
        obs_descriptors={"s": np.tile(np.arange(12), 4), "r": np.repeat(np.arange(4), 12)},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, of arrays that it fills with nan
        precision = theirs.data.noise.prec_from_measurements(
            data, "s", dof=36, method="shrinkage_diag"
        )
        expected = theirs.rdm.calc_rdm(
            data, method="crossnobis", descriptor="s", noise=precision, cv_descriptor="r"
        ).dissimilarities[0]
    assert np.linalg.inv(noise_covariance(x)) == pytest.approx(precision, abs=1e-9)
    assert crossnobis_distance(x) == pytest.approx(expected, abs=1e-9)


def test_comparisons_are_those_of_rsatoolbox_with_ties(theirs) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (2, 66)).astype(float)
    first, second = (theirs.rdm.RDMs(each[None]) for each in (a, b))
    for name in ("spearman", "tau-a", "rho-a", "cosine"):
        expected = theirs.rdm.compare(first, second, method=name)[0, 0]
        assert compare(a, b, name) == pytest.approx(expected, abs=1e-9)


def test_nearly_equal_stimuli_in_one_feature_keep_their_distance() -> None:
    x = np.array([[1e6], [1e6 + 1e-3], [1e6 + 3e-3]])
    exact = [(a - b) ** 2 for a, b in combinations(x[:, 0], 2)]
    assert euclidean_distance(x) == pytest.approx(exact, rel=1e-9)
    cancelled = [a**2 + b**2 - 2 * a * b for a, b in combinations(x[:, 0], 2)]
    assert cancelled != pytest.approx(exact, rel=1e-2)


def test_crossnobis_is_zero_on_average_where_there_is_no_signal() -> None:
    found = [crossnobis_distance(patterns(3, 60, 5, seed=seed)).mean() for seed in range(100)]
    assert np.mean(found) == pytest.approx(0, abs=3 * np.std(found) / 10)
    assert min(found) < 0 < max(found)


def test_scaling_decides_which_layer_wins() -> None:
    x = patterns(30, 2)
    loud = np.hstack([x[:, :1], 100 * x[:, 1:]])
    brain = rdm(x[:, :1], "euclidean")
    raw = compare(rdm(loud, "euclidean"), brain)
    scaled = compare(rdm(loud, "euclidean", "z"), brain)
    assert scaled > raw + 0.3


def test_what_cannot_be_computed_is_told() -> None:
    with pytest.raises(UserError, match="correlation needs at least two features"):
        correlation_distance(patterns(5, 1))
    with pytest.raises(UserError, match="crossnobis needs at least two repeats"):
        crossnobis_distance(patterns(1, 5, 3))
    assert rdm(patterns(5, 1), "correlation") == pytest.approx(euclidean_distance(patterns(5, 1)))


def test_a_triangle_and_its_square_hold_the_same() -> None:
    pairs = euclidean_distance(patterns(4, 3))
    matrix = square(pairs)
    assert matrix[0, 1] == pairs[0]
    assert matrix[2, 3] == matrix[3, 2] == pairs[-1]


def test_the_ceiling_holds_what_subjects_share() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(190)
    rdms = truth + 0.3 * rng.normal(size=(8, 190))
    found = ceiling(rdms)
    of_the_truth = np.mean([compare(each, truth) for each in rdms])
    assert found.lower < of_the_truth < found.upper


def test_the_interval_covers_the_score_and_the_null_lies_around_zero() -> None:
    x = patterns(40, 8)
    brain = rdm(x + 0.8 * patterns(40, 8, seed=1), "euclidean")
    models = [rdm(x, "euclidean"), rdm(patterns(40, 8, seed=2), "euclidean")]
    scores = [compare(each, brain) for each in models]
    low, high = np.quantile(bootstrap_stimuli(models, brain, 60, 0, "spearman"), [0.025, 0.975], 0)
    assert low[0] < scores[0] < high[0]
    assert low[0] > 0
    null = null_of_stimuli(models, brain, 100, 0, "spearman")
    assert abs(null.mean()) < 0.03
    assert scores[0] > null.max()


NATSOUND = {
    "mel_mean": (0.23886368775842298, 0.15528755166865751, 0.25665972126198405),
    "modulation": (0.2818870024972938, 0.2622249804244802, 0.45187309754746396),
    "spectral_all": (0.1947362630184244, 0.18594311784837383, 0.3206356737578281),
}
"""Spearman with 11,065 voxels (correlation): raw correlation, raw Euclidean, z correlation."""


def test_natural_sounds_have_the_independent_figures(real_data: Callable[[str], Path]) -> None:
    from convscope.brain.features.acoustic import ACOUSTIC
    from convscope.brain.features.stimuli import sound

    folder = real_data("natsound165")
    data = np.load(folder / "responses.npz")
    brain = rdm(data["component_responses"] @ data["component_voxel_weights"])
    waves = [sound(folder / "sounds" / f"{name}.flac", 16000)[0] for name in data["sounds"]]
    for name, figures in NATSOUND.items():
        x = np.stack([ACOUSTIC[name](wave) for wave in waves])
        found = (
            compare(rdm(x), brain),
            compare(rdm(x, "euclidean"), brain),
            compare(rdm(x, scaling="z"), brain),
        )
        assert found == pytest.approx(figures, abs=1e-6)
