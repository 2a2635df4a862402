"""Responses, delays and drifts: closed forms, slow loops, and nothing across a run's border."""

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.brain.hrf.convolve import convolved, event_predictors, held, responses
from convscope.brain.hrf.delays import delayed
from convscope.brain.hrf.drift import drift, partial_correlation, without, without_drift
from convscope.brain.records import Event

Array = NDArray[np.float64]

RUNS = np.repeat([0, 1], [7, 5])


def test_delays_are_those_of_a_slow_loop_and_end_with_their_run() -> None:
    values = np.random.default_rng(0).normal(size=(12, 2))
    found = delayed(values, RUNS, [-2, 0, 3])
    for t in range(12):
        for d, delay in enumerate((-2, 0, 3)):
            inside = 0 <= t - delay < 12 and RUNS[t - delay] == RUNS[t]
            expected = values[t - delay] if inside else [0, 0]
            assert found[t, 2 * d : 2 * d + 2] == pytest.approx(expected)


def test_a_delayer_that_knows_no_runs_carries_one_runs_end_into_the_next() -> None:
    from himalaya.kernel_ridge import KernelRidge  # noqa: F401  (the extra is there)

    values = np.r_[np.zeros(7), np.ones(5)][:, None][::-1].copy()
    careless = np.r_[np.zeros((2, 1)), values[:-2]]  # a delay of 2 without runs
    own = delayed(values, np.repeat([0, 1], [5, 7]), [2])
    assert careless[5:7].ravel().tolist() == [1, 1]
    assert own[5:7].ravel().tolist() == [0, 0]


def test_an_event_is_answered_by_the_response_itself() -> None:
    tr, model = 1.0, "glover"
    columns = event_predictors([Event(4.0, 0.0, "x")], [[1.0]], 40, tr, model)
    kernel = responses(model, tr / 50)[0]
    expected = np.zeros(40)
    expected[4:36] = kernel[np.arange(32) * 50]
    assert columns[:, 0] == pytest.approx(expected, abs=1e-9)
    assert columns[:, 0].argmax() == 4 + 5  # five seconds later


def test_long_and_high_events_add_up_and_one_before_the_first_volume_still_acts() -> None:
    def one(onset: float, duration: float, height: float) -> Array:
        return event_predictors([Event(onset, duration, "x")], [[height]], 30, 2.0, "spm")

    both = event_predictors(
        [Event(3.0, 4.0, "x"), Event(20.0, 1.0, "x")], [[1.0], [3.0]], 30, 2.0, "spm"
    )
    assert both == pytest.approx(one(3.0, 4.0, 1.0) + 3 * one(20.0, 1.0, 1.0))
    assert one(-4.0, 1.0, 1.0)[0, 0] > 0


def test_derivatives_come_behind_the_canonical_columns() -> None:
    columns = event_predictors(
        [Event(2.0, 1.0, "x")], [[1.0, 2.0]], 30, 1.0, "spm + derivative + dispersion"
    )
    assert columns.shape == (30, 6)
    assert columns[:, 1::2] == pytest.approx(2 * columns[:, ::2])
    slope = np.gradient(columns[:, 0])
    assert np.corrcoef(slope, columns[:, 2])[0, 1] > 0.95


def test_convolution_of_one_run_says_nothing_to_the_next_and_adds_no_step_at_its_start() -> None:
    values = np.r_[np.full(20, 5.0), np.zeros(20)][:, None]
    runs = np.repeat([0, 1], 20)
    assert convolved(values, runs, 2.0, "glover") == pytest.approx(np.zeros((40, 1)))
    values[18] = 9.0
    assert (convolved(values, runs, 2.0, "glover")[20:] == 0).all()


def test_held_is_the_share_of_each_volumes_time() -> None:
    found = held([Event(1.0, 3.0, "x")], [[2.0]], 4, 2.0)
    assert found.ravel().tolist() == [1.0, 2.0, 0.0, 0.0]


def test_drifts_are_orthogonal_cosines_and_a_constant() -> None:
    columns = drift(362, 2.0, 128.0)
    assert columns.shape == (362, 12)
    assert columns[:, :-1].T @ columns[:, :-1] == pytest.approx(np.eye(11), abs=1e-12)
    assert (columns[:, -1] == 1).all()
    assert drift(20, 2.0, None).shape == (20, 1)


def test_each_run_loses_its_own_drift() -> None:
    rng = np.random.default_rng(0)
    runs = np.repeat([0, 1], 100)
    noise = rng.normal(size=(200, 1))
    slow = np.r_[np.linspace(0, 50, 100), np.linspace(30, -80, 100)][:, None]
    left = without_drift(noise + slow, runs, 2.0, 64.0)
    assert abs(left).max() < 6
    assert left[:100].mean() == pytest.approx(0, abs=1e-9)


def test_partial_correlation_is_that_of_the_inverse_covariance() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(200, 1))
    x, y = common + rng.normal(size=(2, 200, 1))
    columns = np.hstack([common, np.ones((200, 1))])
    precision = np.linalg.inv(np.cov(np.hstack([x, y, common]).T))
    expected = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    assert partial_correlation(x, y, columns)[0] == pytest.approx(expected)
    assert without(common, columns) == pytest.approx(np.zeros((200, 1)), abs=1e-9)
