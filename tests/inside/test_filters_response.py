"""Frequency responses against closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from convscope.errors import UserError
from convscope.inside.filters.response import frequency_response
from convscope.inside.filters.scales import (
    SCALES,
    distance,
    erb_hz,
    erb_number,
    mel,
    spaced_evenly,
)

RATE_HZ = 16000


def gabor(centre_hz: float, sigma_s: float, n_taps: int = 801) -> np.ndarray:
    times = (np.arange(n_taps) - n_taps // 2) / RATE_HZ
    return np.exp(-(times**2) / (2 * sigma_s**2)) * np.cos(2 * np.pi * centre_hz * times)


@given(centre_hz=st.floats(1000, 7000))
def test_a_band_pass_gives_its_centre_within_a_bin(centre_hz: float) -> None:
    response = frequency_response(gabor(centre_hz, 0.004)[None, None], RATE_HZ)
    bin_hz = response.frequencies_hz[1]
    assert bin_hz <= RATE_HZ / 4096
    assert response.centre_hz[0] == pytest.approx(centre_hz, abs=bin_hz)


@given(sigma_s=st.floats(0.001, 0.005))
def test_the_bandwidth_of_a_gabor_is_that_of_its_gaussian(sigma_s: float) -> None:
    """|H|² = exp(-(2πσ (f - f0))²) is a half at f - f0 = sqrt(ln 2) / (2πσ)."""
    response = frequency_response(gabor(4000, sigma_s)[None, None], RATE_HZ)
    expected = np.sqrt(np.log(2)) / (np.pi * sigma_s)
    assert response.bandwidth_hz[0] == pytest.approx(expected, rel=0.01)
    assert response.q[0] == pytest.approx(4000 / expected, rel=0.02)


def test_the_bandwidth_of_a_long_rectangle_is_that_of_the_sinc() -> None:
    """sinc² is a half at 0.443 of its first zero, and the axis ends at 0 Hz."""
    response = frequency_response(np.ones((1, 1, 1000)), RATE_HZ)
    assert response.centre_hz[0] == 0
    assert response.bandwidth_hz[0] == pytest.approx(0.44295 * RATE_HZ / 1000, rel=0.01)


@given(delay=st.integers(0, 24))
def test_a_delay_is_flat_with_a_straight_phase_and_one_group_delay(delay: int) -> None:
    weights = np.zeros((1, 1, 25))
    weights[0, 0, delay] = -2.0
    response = frequency_response(weights, RATE_HZ)
    np.testing.assert_allclose(response.magnitude_db, 20 * np.log10(2), atol=1e-9)
    np.testing.assert_allclose(response.group_delay_s, delay / RATE_HZ, atol=1e-12)
    slopes = np.diff(response.phase[0]) / np.diff(2 * np.pi * response.frequencies_hz)
    np.testing.assert_allclose(slopes, -delay / RATE_HZ, atol=1e-12)
    assert response.bandwidth_hz[0] == pytest.approx(RATE_HZ / 2)


def test_magnitude_and_group_delay_are_those_of_scipy() -> None:
    taps = np.random.default_rng(0).normal(size=31)
    response = frequency_response(taps[None, None], RATE_HZ)
    _, expected = signal.freqz(taps, worN=response.frequencies_hz, fs=RATE_HZ)
    np.testing.assert_allclose(response.magnitude_db[0], 20 * np.log10(np.abs(expected)))
    _, delays = signal.group_delay((taps, [1.0]), w=response.frequencies_hz, fs=RATE_HZ)
    np.testing.assert_allclose(response.group_delay_s[0] * RATE_HZ, delays, rtol=1e-6, atol=1e-6)


def test_the_magnitude_is_the_rms_over_input_channels() -> None:
    """Channels of 3 and 4 that are flat: sqrt((9 + 16) / 2)."""
    weights = np.zeros((1, 2, 5))
    weights[0, :, 2] = 3, 4
    response = frequency_response(weights, RATE_HZ)
    np.testing.assert_allclose(response.magnitude_db, 10 * np.log10(12.5))


def test_the_group_delay_weighs_channels_by_their_power() -> None:
    """(9 · 0 + 16 · 4) / 25 taps."""
    weights = np.zeros((1, 2, 5))
    weights[0, 0, 0], weights[0, 1, 4] = 3, 4
    response = frequency_response(weights, RATE_HZ)
    np.testing.assert_allclose(response.group_delay_s * RATE_HZ, 64 / 25)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_filter_of_zeros_or_worse_is_nan_and_its_neighbour_is_not(value: float) -> None:
    weights = np.stack([np.full((1, 9), value), np.ones((1, 9))])
    response = frequency_response(weights, RATE_HZ)
    for name in ("magnitude_db", "phase", "group_delay_s", "centre_hz", "bandwidth_hz", "q"):
        values = getattr(response, name)
        assert np.isnan(values[0]).all(), name
    assert response.centre_hz[1] == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_arrays_and_tensors_give_the_same(dtype: torch.dtype, requires_grad: bool) -> None:
    weights = torch.randn(3, 2, 25, dtype=dtype, generator=torch.Generator().manual_seed(0))
    from_array = frequency_response(weights.numpy(), RATE_HZ)
    from_tensor = frequency_response(weights.requires_grad_(requires_grad), RATE_HZ)
    np.testing.assert_array_equal(from_array.magnitude_db, from_tensor.magnitude_db)
    assert from_tensor.centre_hz.shape == (3,)
    assert weights.grad is None


def test_more_taps_than_4096_are_all_used() -> None:
    tone = np.sin(2 * np.pi * 3000 * np.arange(10000) / RATE_HZ)[None, None]
    response = frequency_response(tone, RATE_HZ)
    assert response.centre_hz[0] == pytest.approx(3000, abs=RATE_HZ / 10000)
    assert response.bandwidth_hz[0] == pytest.approx(0.8859 * RATE_HZ / 10000, rel=0.02)


def test_weights_of_another_shape_and_no_rate_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"weights: expected \(n_filters, n_channels, n_taps\), got"
    ):
        frequency_response(np.ones((3, 25)), RATE_HZ)
    with pytest.raises(UserError, match="rate_hz: expected samples a second, more than 0, got 0"):
        frequency_response(np.ones((3, 1, 25)), 0)


def test_the_scales_have_their_published_values() -> None:
    assert mel(np.array(1000.0)) == pytest.approx(1000, abs=0.1)
    assert erb_hz(np.array(1000.0)) == pytest.approx(132.6, abs=0.1)
    assert erb_number(np.array(1000.0)) == pytest.approx(15.6, abs=0.1)


@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_is_undone_and_has_no_distance_to_its_own_spread(scale: str) -> None:
    forth, back = SCALES[scale]
    frequencies = np.linspace(0, 8000, 50)
    np.testing.assert_allclose(back(forth(frequencies)), frequencies, atol=1e-9)
    own = spaced_evenly(scale, 40, 8000.0)
    assert distance(scale, own, 8000.0) == pytest.approx(1 / 80)
    for other in set(SCALES) - {scale}:
        assert distance(other, own, 8000.0) > 1 / 40
    assert np.isnan(distance(scale, np.array([np.nan]), 8000.0))
