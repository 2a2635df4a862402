"""The general linear model: least squares by hand, planted effects, independent figures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.brain.glm.design import CONSTANT, Design, design_of
from convscope.brain.glm.fit import contrast_vector, fit_glm
from convscope.brain.glm.threshold import clusters, threshold
from convscope.brain.inputs.arrays import read_array
from convscope.brain.inputs.nifti import read_mask, read_volumes
from convscope.brain.records import Event, Run, Space
from convscope.errors import UserError

Array = NDArray[np.float64]

EVENTS = tuple(Event(12.0 * i + 3.0, 4.0, ("speech", "music")[i % 2]) for i in range(16))


def simulated(seed: int, effects: Array, noise: float = 1.0) -> tuple[Array, Design]:
    """(200, 40) volumes of one run, whose targets answer to music and speech as planted."""
    run = Run("run-1", 200, EVENTS)
    design = design_of(run, 1.0, "glover", high_pass_seconds=100.0)
    rng = np.random.default_rng(seed)
    signal = design.values[:, :2] @ effects
    return signal + 50 + noise * rng.normal(size=signal.shape), design


def test_least_squares_are_those_of_the_normal_equations() -> None:
    effects = np.random.default_rng(1).normal(size=(2, 40))
    y, design = simulated(0, effects)
    (found,) = fit_glm([y], [design], ["speech - music"], noise="ols")
    x = design.values
    beta, residual, *_ = np.linalg.lstsq(x, y, rcond=None)
    c = contrast_vector("speech - music", design.names)
    spread = np.sqrt(residual / (200 - x.shape[1]) * (c @ np.linalg.inv(x.T @ x) @ c))
    assert found.effect == pytest.approx(c @ beta)
    assert found.t == pytest.approx(c @ beta / spread)
    assert found.n_freedom == 200 - x.shape[1]


def test_runs_are_combined_by_fixed_effects() -> None:
    effects = np.zeros((2, 40))
    effects[0] = 3.0
    runs = [simulated(seed, effects) for seed in range(4)]
    (one,) = fit_glm([runs[0][0]], [runs[0][1]], ["music"])
    (all_four,) = fit_glm([y for y, _ in runs], [d for _, d in runs], ["music"])
    assert all_four.effect.mean() == pytest.approx(3.0, abs=0.15)
    assert np.median(all_four.z) > 1.5 * np.median(one.z)


def test_where_nothing_was_planted_few_pass_and_where_it_was_most_do() -> None:
    shares = []
    for seed in range(20):
        effects = np.zeros((2, 40))
        effects[1, :10] = 3.0
        y, design = simulated(seed, effects)
        (found,) = fit_glm([y], [design], ["speech"])
        passes = threshold(found.z, 0.1, two_sided=True).passes
        assert passes[:10].mean() > 0.7
        shares.append(passes[10:].sum() / max(passes.sum(), 1))
    assert np.mean(shares) < 0.13


def test_targets_that_do_not_vary_are_nan_and_spoil_no_other() -> None:
    y, design = simulated(0, np.ones((2, 40)))
    (whole,) = fit_glm([y], [design], ["speech"])
    y[:, 3], y[5, 7] = 1.0, np.nan
    (found,) = fit_glm([y], [design], ["speech"])
    assert np.flatnonzero(np.isnan(found.t)).tolist() == [3, 7]
    kept = np.isfinite(found.t)
    assert found.effect[kept] == pytest.approx(whole.effect[kept])


def test_contrasts_are_read_as_they_are_written() -> None:
    names = ("speech", "speech_derivative", "music", "constant")
    assert contrast_vector("speech - 0.5 * music", names).tolist() == [1, 0, -0.5, 0]
    assert contrast_vector("- speech_derivative + 2*music", names).tolist() == [0, -1, 2, 0]
    with pytest.raises(UserError, match=r"contrast 'speach': .*did you mean 'speech'"):
        contrast_vector("speach", names)
    with pytest.raises(UserError, match="expected columns with"):
        contrast_vector("speech music", names)


def test_a_constant_is_added_where_no_columns_make_one() -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(size=(1, 30, 2))
    names = ("a", "b")
    without = design_of(
        Run("r", 30, design=given, design_names=names), 2.0, "none", already_convolved=True
    )
    assert without.names == ("a", "b", CONSTANT)
    assert without.added_constant
    given[0, :, 1] = 1 - given[0, :, 0]  # a + b is a constant
    spans = design_of(
        Run("r", 30, design=given, design_names=names), 2.0, "none", already_convolved=True
    )
    assert spans.names == ("a", "b")
    assert not spans.added_constant


def test_a_design_of_more_columns_than_volumes_is_refused() -> None:
    run = Run(
        "r", 12, EVENTS[:1], confounds=np.ones((12, 12)), confound_names=tuple("abcdefghijkl")
    )
    with pytest.raises(UserError, match=r"14 columns for 12 volumes: expected fewer"):
        fit_glm(
            [np.zeros((12, 1)) + np.arange(12)[:, None]], [design_of(run, 1.0, "spm")], ["speech"]
        )
    with pytest.raises(UserError, match=r"r: a GLM needs responses.events or responses.design"):
        design_of(Run("r", 12), 1.0, "spm")


def test_clusters_are_neighbours_of_one_sign_and_small_ones_go() -> None:
    space = Space(np.ones((6, 6, 2), bool), np.diag([2.0, 2.0, 2.0, 1.0]), is_known=True)
    z = np.zeros((6, 6, 2))
    z[0, 0, 0] = z[1, 1, 1] = 5.0  # share a corner
    z[2, 2, 1] = -6.0
    z[5, 5, 0] = 7.0
    passing = threshold(z.ravel(), 0.05, two_sided=True)
    found, kept = clusters(z.ravel(), passing, space, least_voxels=2)
    assert [(each.n_voxels, each.peak_z) for each in found] == [(2, 5.0)]
    assert kept.sum() == 2
    every, _ = clusters(z.ravel(), passing, space)
    assert [(each.n_voxels, each.peak_voxel, each.peak_mm) for each in every][1] == (
        1,
        (5, 5, 0),
        (10.0, 10.0, 0.0),
    )


FIGURES: dict[tuple[str, str], dict[str, Any]] = {
    ("ols", "visual"): {"t": 11.3853, "peak": (34, 10, 1), "high": 275, "one": 340, "two": 414},
    ("ols", "auditory"): {"t": 10.4832, "peak": (47, 27, 2), "high": 315, "one": 453, "two": 556},
    ("ar1", "visual"): {"t": 9.3302, "peak": (29, 9, 3), "high": 284, "one": 334, "two": 475},
    ("ar1", "auditory"): {"t": 10.0028, "peak": (47, 27, 2), "high": 419, "one": 611, "two": 698},
}
"""One fMRI run with visual and auditory blocks, by independent scripts (NumPy, nilearn)."""

NAMES = ("visual", "visual_derivative", "auditory", "auditory_derivative")


@pytest.fixture
def blocks(real_data: Callable[[str], Path]) -> tuple[Array, Run, Space]:
    folder = real_data("fmri_glm")
    space = read_mask(folder / "fmri_mask.nii.gz")
    volumes = read_volumes(folder / "fmri_filtered_func_data.nii.gz", space, 3.0)
    design = read_array("fmri_design.mat", folder, "design")
    run = Run("run-1", 45, design=design[None], design_names=NAMES)
    return volumes.astype(np.float64), run, space


def test_blocks_have_the_independent_figures(blocks: tuple[Array, Run, Space]) -> None:
    volumes, run, space = blocks
    design = design_of(run, 3.0, "none", already_convolved=True)
    for (noise, name), figures in FIGURES.items():
        (found,) = fit_glm([volumes], [design], [name], noise)
        peak = np.argwhere(space.mask)[np.nanargmax(found.t)]
        assert np.nanmax(found.t) == pytest.approx(figures["t"], abs=0.005)
        assert tuple(peak) == figures["peak"]
        assert (found.z > 3.1).sum() == pytest.approx(figures["high"], abs=1)
        assert threshold(found.z, 0.05, False).passes.sum() == pytest.approx(figures["one"], abs=2)
        assert threshold(found.z, 0.05, True).passes.sum() == pytest.approx(figures["two"], abs=2)


def test_without_a_constant_there_is_next_to_nothing(blocks: tuple[Array, Run, Space]) -> None:
    volumes, run, _ = blocks
    given = run.design_for(0)
    assert given is not None
    (found,) = fit_glm([volumes], [Design(NAMES, given, 4, False)], ["visual"], "ols")
    assert np.nanmax(found.t) == pytest.approx(0.376, abs=0.01)
