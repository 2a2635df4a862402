"""Initial weights against the closed forms, over all initializers."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from convscope.models.cnn import build
from convscope.models.initializers import INITIALIZERS, fans, filter_bank
from convscope.models.spec import Initializer, make_spec

SHAPE = (96, 48, 5, 7)
FAN_IN, FAN_OUT = 48 * 35, 96 * 35
VARIANCE = {"glorot": 2 / (FAN_IN + FAN_OUT), "he": 2 / FAN_IN}


def drawn(name: str, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    weight = torch.empty(SHAPE)
    INITIALIZERS[name](weight)
    return weight


def test_every_initializer_of_a_spec_is_there() -> None:
    assert set(INITIALIZERS) == set(get_args(Initializer))


def test_fans_count_the_positions_of_a_filter() -> None:
    assert fans(torch.empty(SHAPE)) == (FAN_IN, FAN_OUT)
    assert fans(nn.Linear(7, 3).weight) == (7, 3)
    assert fans(nn.Conv1d(8, 8, 9, groups=8).weight, groups=8) == (9, 9)
    assert fans(nn.Conv1d(8, 4, 5, groups=2).weight, groups=2) == (20, 10)


def test_a_depthwise_convolution_is_drawn_for_the_one_input_of_each_filter() -> None:
    torch.manual_seed(0)
    weights = build(make_spec({"family": "residual"}), (1, 16_000), 16).state_dict()
    limit = math.sqrt(6 / (9 + 9)) / math.sqrt(3)  # this family's scale
    assert 0.95 * limit < float(weights["block1.conv3.weight"].abs().max()) <= limit


@pytest.mark.parametrize(
    ("name", "spread"), [("glorot_uniform", 5.7), ("he_uniform", 8.0), ("he_normal", 8.0)]
)
def test_keras_draws_depthwise_filters_as_many_times_narrower_as_the_page_says(
    name: str, spread: float
) -> None:
    torch.manual_seed(0)
    weight = nn.Conv1d(64, 64, 9, groups=64).weight
    INITIALIZERS[name](weight, 64)
    # Its kernel (9, 64, 1) is counted as one with 64 inputs and 1 filter.
    fan_in, fan_out = 64 * 9, 1 * 9
    keras = math.sqrt(2 / (fan_in + fan_out if name == "glorot_uniform" else fan_in))
    assert float(weight.detach().std()) / keras == pytest.approx(spread, rel=0.05)


def band_energies(frequency_hz: float, phase: float) -> torch.Tensor:
    """The energy of a pure tone of amplitude 1 in each of 40 bands of 400 samples at 16 kHz."""
    tone = torch.cos(2 * math.pi * frequency_hz * torch.arange(400) / 16_000 + phase)
    answers = filter_bank(40, 400, 16_000)[:, 0] @ tone
    return answers[:40].square() + answers[40:].square()


def centres_hz() -> list[float]:
    """Evenly spaced in mel between 60 Hz and 7.6 kHz, the edges left out."""
    edges = [2595 * math.log10(1 + f / 700) for f in (60, 7600)]
    mels = [edges[0] + (edges[1] - edges[0]) * (i + 1) / 41 for i in range(40)]
    return [700 * (10 ** (mel / 2595) - 1) for mel in mels]


@pytest.mark.parametrize("band", [5, 20, 39])
def test_a_tone_has_most_energy_in_its_own_band_whatever_its_phase(band: int) -> None:
    energies = [band_energies(centres_hz()[band], phase) for phase in (0.0, 0.7, 2.1)]
    assert all(int(energy.argmax()) == band for energy in energies)
    np.testing.assert_allclose(energies[1][band], energies[0][band], rtol=1e-3)
    np.testing.assert_allclose(energies[2][band], energies[0][band], rtol=1e-3)


def test_the_two_phases_of_a_band_are_even_and_odd_in_time() -> None:
    cosines, sines = filter_bank(40, 400, 16_000)[:, 0].chunk(2)
    np.testing.assert_allclose(cosines.flip(1), cosines, atol=1e-5)
    np.testing.assert_allclose(sines.flip(1), -sines, atol=1e-5)


def test_all_bands_of_a_filter_bank_are_equally_strong() -> None:
    energy = filter_bank(40, 400, 16_000).square().mean((1, 2))
    np.testing.assert_allclose(energy[:40] + energy[40:], 2.44**2, rtol=1e-5)  # cos² + sin² = 1


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000])
def test_a_sound_has_the_same_band_energies_at_every_rate(rate_hz: int) -> None:
    def energies(rate_hz: int) -> torch.Tensor:
        spec = make_spec({"family": "residual", "conv_layers": 6}).for_rate(rate_hz)  # type: ignore[union-attr]
        times = torch.arange(rate_hz) / rate_hz
        sound = sum(torch.sin(2 * math.pi * hz * times) for hz in (200, 1_000, 3_000))
        assert isinstance(sound, torch.Tensor)
        net = build(spec, (1, rate_hz), 2)
        assert isinstance(net, nn.Sequential)
        energies: torch.Tensor = net[:2](sound.view(1, 1, -1))[0].mean(-1).detach()
        return energies

    expected = energies(16_000)
    loud = expected > 5  # elsewhere is what little leaks from tones far off
    assert 5 <= int(loud.sum()) <= 10
    np.testing.assert_allclose(energies(rate_hz)[loud], expected[loud], atol=0.1)


def test_bands_of_slow_rates_lie_below_their_highest_frequency() -> None:
    spectra = torch.fft.rfft(filter_bank(40, 200, 8_000)[:40, 0], 8_000).abs()
    peaks = spectra.argmax(-1)
    assert 60 < int(peaks[0]) < 120
    assert 3_500 < int(peaks[-1]) < 3_800


def test_a_residual_net_starts_from_the_filter_bank_whatever_the_seed() -> None:
    for seed in (1, 2):
        torch.manual_seed(seed)
        net = build(make_spec({"family": "residual"}), (1, 16_000), 16)
        assert torch.equal(net.state_dict()["conv1.weight"], filter_bank(40, 400, 16_000))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_mean_and_variance_are_those_of_the_closed_form(name: str) -> None:
    weight = drawn(name).double()
    variance = VARIANCE[name.split("_")[0]]
    assert abs(weight.mean()) < 4 * math.sqrt(variance / weight.numel())
    assert weight.var() == pytest.approx(variance, rel=0.015)  # 161,280 weights: 4 s.e. is 1.4 %


@pytest.mark.parametrize("name", ["glorot_uniform", "he_uniform"])
def test_uniform_weights_fill_their_bounds(name: str) -> None:
    limit = math.sqrt(3 * VARIANCE[name.split("_")[0]])
    largest = float(drawn(name).abs().max())
    assert 0.999 * limit < largest <= limit * (1 + 1e-6)


@pytest.mark.parametrize("name", ["glorot_normal", "he_normal"])
def test_normal_weights_are_cut_off_at_two_standard_deviations_before_the_cut(name: str) -> None:
    # Var of a standard normal cut off at ±2: 1 - 4 φ(2) / (Φ(2) - Φ(-2))
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    cut = math.sqrt(1 - 4 * density / math.erf(2 / math.sqrt(2)))
    limit = 2 * math.sqrt(VARIANCE[name.split("_")[0]]) / cut
    weight = drawn(name)
    assert 0.99 * limit < float(weight.abs().max()) <= limit * (1 + 1e-6)
    inner = (weight.abs() < limit / 2).double().mean()  # within one standard deviation: 71.5 %
    assert inner == pytest.approx(
        math.erf(1 / math.sqrt(2)) / math.erf(2 / math.sqrt(2)), abs=0.005
    )


@pytest.mark.parametrize("name", INITIALIZERS)
def test_the_seed_decides_every_weight_and_biases_are_zero(name: str) -> None:
    spec = make_spec({"family": "mnist", "initializer": name, "base_channels": 4, "fc_hidden": 1})
    nets = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        nets.append(build(spec, (1, 28, 28), 10).state_dict())
    first, again, other = nets
    for key, value in first.items():
        assert torch.equal(value, again[key])
        if key.endswith("bias"):
            assert not value.any()
        else:
            assert not torch.equal(value, other[key])
