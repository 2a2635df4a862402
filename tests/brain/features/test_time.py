"""Long recordings: no edge of a window shows; what volumes cannot follow does not come through."""

import numpy as np
import pytest
import torch
from torch import nn

from convscope.brain.features.layers import answers
from convscope.brain.features.net import Net
from convscope.brain.features.time import at_times, layers_over_time, sound_over_time


def convolution() -> Net:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 3, 9, padding=4), nn.ReLU(), nn.Conv1d(3, 4, 9, padding=4))
    return Net("conv", net.eval(), nn.Identity(), "sound", 1000, (1, 400), ("1", "2"), None, "")


def test_windows_give_what_one_pass_over_the_whole_recording_gives() -> None:
    net = convolution()
    clip = np.random.default_rng(0).normal(0, 0.3, (1, 2730)).astype(np.float32)
    whole = answers(net, torch.from_numpy(clip)[None], net.layers)
    for name, (series, step) in layers_over_time(net, clip, net.layers).items():
        assert step == pytest.approx(1 / 1000)
        assert series[:2700] == pytest.approx(whole[name][0].T[:2700], abs=1e-5)


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
