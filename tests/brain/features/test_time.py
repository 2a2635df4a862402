"""Long recordings: no edge of a window shows; what volumes cannot follow does not come through."""

import numpy as np
import pytest
import torch
from torch import nn

from convscope.brain.features.layers import answers
from convscope.brain.features.net import Net
from convscope.brain.features.time import (
    Windows,
    at_times,
    layers_over_time,
    sound_over_time,
    windows_for,
)


def convolution(dilation: int = 1, rate_hz: int = 100) -> Net:
    """Two convolutions, the second with stride 2, and fields as wide as the dilation makes them."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(1, 3, 9, padding=4 * dilation, dilation=dilation),
        nn.ReLU(),
        nn.Conv1d(3, 4, 9, stride=2, padding=4),
    )
    return Net("conv", net.eval(), nn.Identity(), "sound", rate_hz, (1, 400), ("1", "2"), None, "")


@pytest.mark.parametrize("dilation", [1, 60])
def test_windows_give_what_one_pass_over_the_whole_recording_gives(dilation: int) -> None:
    net = convolution(dilation)  # dilation 60: 240 samples to each side, of clips of 400
    clip = np.random.default_rng(0).normal(0, 0.3, (1, 2730)).astype(np.float32)
    whole = answers(net, torch.from_numpy(clip)[None], net.layers)
    for name, (series, step) in layers_over_time(net, clip, net.layers).items():
        expected = whole[name][0].T
        assert step == pytest.approx(27.30 / len(expected))
        assert series[: len(expected) - 2] == pytest.approx(expected[:-2], abs=1e-5)


def test_fine_layers_are_kept_as_means_of_10_ms() -> None:
    net = convolution(rate_hz=1000)
    clip = np.random.default_rng(0).normal(0, 0.3, (1, 2800)).astype(np.float32)
    whole = answers(net, torch.from_numpy(clip)[None], ("1",))["1"][0].T
    series, step = layers_over_time(net, clip, ("1",))["1"]
    assert step == pytest.approx(0.01)
    assert series == pytest.approx(whole.reshape(280, 10, 3).mean(axis=1), abs=1e-5)


def test_a_net_of_one_length_hears_windows_of_that_length() -> None:
    net = convolution()
    assert windows_for(net) == Windows(kept=400, margin=12)  # 8 samples and 4, up to strides of 2
    flat = nn.Sequential(*net.net, nn.Flatten(), nn.Linear(800, 2))  # type: ignore[misc]
    fixed = Net(**{**net.__dict__, "net": flat})
    assert windows_for(fixed) == Windows(kept=200, margin=100)


def test_a_tone_above_the_nyquist_frequency_of_the_volumes_vanishes_and_one_below_stays() -> None:
    step, tr = 0.01, 2.0
    times = np.arange(0, 400, step)
    volumes = (np.arange(200) + 0.5) * tr
    for hz, expected in ((0.45, 0.0), (0.05, 1.0)):
        series = np.sin(2 * np.pi * hz * times)[:, None]
        inner = at_times(series, step, volumes, tr)[20:-20, 0]
        assert np.abs(inner).max() == pytest.approx(expected, abs=0.05)
        careless = series[(volumes / step).astype(int), 0]
        assert np.abs(careless).max() > 0.9  # without a filter it would come as a slow wave


def test_what_happens_at_a_time_is_found_at_that_time() -> None:
    for step in (0.01, 0.5):
        ramp = (np.arange(100 / step) + 0.5)[:, None] * step  # each step's own middle
        found = at_times(ramp, step, [20.0, 33.3, 70.0], 2.0)
        assert found[:, 0] == pytest.approx([20.0, 33.3, 70.0])
    clicks = np.zeros(3 * 16000)
    clicks[24000] = 1.0  # at 1.5 s
    power, step = sound_over_time(clicks)["power"]
    loud = np.flatnonzero(power[:, 0] > -20)
    assert (loud.mean() + 0.5) * step == pytest.approx(1.5, abs=0.006)


def test_a_constant_stays_itself_up_to_the_ends() -> None:
    found = at_times(np.full((500, 2), 3.0), 0.01, [0.0, 2.5, 4.99, 9.0], 2.0)
    assert found == pytest.approx(np.full((4, 2), 3.0))


def test_the_power_of_a_sound_rises_when_it_begins() -> None:
    wave = np.r_[np.zeros(16000), np.random.default_rng(0).normal(0, 0.1, 16000)]
    found = sound_over_time(wave)
    power, step = found["power"]
    assert step == 0.01
    assert power[:95].max() < -20
    assert power[105:195].min() > -6
    assert found["spectral_all"][0].shape[1] == 129
