"""A voice sounds where its envelope is loud, and classes driven through it get what they want."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convscope.inside.maximise import voice as module
from convscope.inside.maximise.maximise import Ascent
from convscope.inside.maximise.parametrise import box
from convscope.inside.maximise.spoken import ASCENT, spoken
from convscope.inside.maximise.voice import HISS, Voice, mel


def density(wave: Tensor) -> float:
    return float(wave.square().mean().sqrt())


@pytest.mark.parametrize(("n_times", "rate_hz"), [(16000, 16000), (8000, 8000), (777, 1000)])
def test_a_silent_envelope_is_hiss_of_the_level_that_is_said(n_times: int, rate_hz: int) -> None:
    voice = Voice(n_times, rate_hz)
    waves = voice(torch.zeros(8, *voice.shape))
    assert waves.shape == (8, 1, n_times)
    assert math.log(density(waves)) == pytest.approx(HISS, abs=0.1)


@pytest.mark.parametrize("hertz", [400, 2500, 6000])
def test_a_loud_band_and_frame_sound_at_their_frequency_and_time(hertz: int) -> None:
    voice = Voice(16000, 16000, hush=8)
    envelope = torch.zeros(1, *voice.shape)
    share = float(mel(torch.tensor(float(hertz))) / mel(torch.tensor(8000.0)))
    band = round(share * (voice.shape[1] - 1))
    envelope[0, 0, band, 12] = 6  # of 25 frames: the middle of the second
    wave = voice(envelope)[0, 0].numpy()
    power = np.abs(np.fft.rfft(wave)) ** 2
    centre = (power * np.arange(len(power))).sum() / power.sum()
    assert centre == pytest.approx(hertz, rel=0.15, abs=60)
    middle = (wave**2 * np.arange(16000)).sum() / (wave**2).sum()
    assert middle == pytest.approx(8000, abs=400)


def test_low_bands_buzz_and_high_bands_hiss() -> None:
    """A buzz is louder at its pulses: its peaks stand far above its root mean square."""
    voice = Voice(16000, 16000, hush=8)
    low, high = torch.zeros(2, *voice.shape)
    low[..., 8:26, :], high[..., 32:, :] = 5, 5
    crests = []
    for envelope in (low, high):
        wave = voice(envelope[None])[0, 0, 6000:10000]
        crests.append(float(wave.abs().max() / wave.square().mean().sqrt()))
    assert crests[0] > 1.15 * crests[1]


def test_each_sound_has_a_source_of_its_own_and_a_seed_gives_the_same_again() -> None:
    one, same, other = (Voice(4000, 8000, seed) for seed in (0, 0, 1))
    envelope = torch.ones(2, *one.shape)
    first = one(envelope)
    torch.testing.assert_close(first, same(envelope))
    assert (first - other(envelope)).abs().max() > 0.01
    assert (first[0] - first[1]).abs().max() > 0.01
    assert (first - one(envelope)).abs().max() > 0.01


def test_shifts_move_a_sound_by_no_more_than_they_may() -> None:
    voice = Voice(8000, 8000, shift_s=0.1, hush=8)
    envelope = torch.zeros(40, *voice.shape)
    envelope[:, :, 20, 12] = 6
    power = voice(envelope)[:, 0].square().detach()
    middles = (power * torch.arange(8000)).sum(1) / power.sum(1)
    assert float((middles - 4000).abs().max()) < 800 + 250
    assert float(middles.std()) > 200


def test_random_numbers_are_left_as_they_were() -> None:
    before = torch.get_rng_state()
    voice = Voice(4000, 8000)
    voice(torch.zeros(1, *voice.shape))
    torch.testing.assert_close(torch.get_rng_state(), before)


class Bands(nn.Module):
    """Class 0 wants 500 Hz in the first half of a clip, class 1 1.5 kHz in the second."""

    def __init__(self) -> None:
        super().__init__()
        turns = torch.arange(256) / 8000 * 2 * math.pi
        waves = [f(hertz * turns) for hertz in (500, 1500) for f in (torch.cos, torch.sin)]
        self.conv = nn.Conv1d(1, 4, 256, stride=64, bias=False)
        self.conv.weight.data = torch.stack(waves)[:, None] / 16

    def forward(self, waves: Tensor) -> Tensor:
        energy = self.conv(waves).square().unflatten(1, (2, 2)).sum(2)
        loud = (energy + 1e-3).log().unflatten(2, (-1, energy.shape[2] // 2)).mean(3)
        return torch.stack([loud[:, 0, 0] - loud[:, 0, 1], loud[:, 1, 1] - loud[:, 1, 0]], 1)


def test_a_class_that_wants_a_band_and_a_time_gets_them() -> None:
    ascent = Ascent(steps=40, rate=0.1, bound=box(0, 6))
    found = spoken(Bands(), [0, 1], (1, 8128), 8000, ascent=ascent)
    early, late = np.split(found.inputs[:, 0], 2, axis=1)
    assert found.inputs.shape == (2, 1, 8128)
    assert (early[0] ** 2).mean() > 4 * (late[0] ** 2).mean()
    assert (late[1] ** 2).mean() > 4 * (early[1] ** 2).mean()
    powers = np.abs(np.fft.rfft(found.inputs[:, 0])) ** 2
    hertz = np.fft.rfftfreq(8128, 1 / 8000)
    low, high = (powers * hertz).sum(1) / powers.sum(1)
    assert low == pytest.approx(500, rel=0.3)
    assert high == pytest.approx(1500, rel=0.3)
    with torch.no_grad():
        logits = Bands()(torch.from_numpy(found.inputs)).numpy()
    np.testing.assert_allclose(found.values, logits.diagonal(), rtol=1e-4)


def test_defaults_hold_an_envelope_between_hiss_and_the_loudest() -> None:
    assert ASCENT.bound is not None
    held = ASCENT.bound(torch.tensor([[-1.0, 3.0, 99.0]]))
    assert held.tolist() == [[0, 3, 6]]
    assert Voice(4000, 8000).shape[1] == module.N_BANDS


@pytest.mark.parametrize("precision", [torch.float64, torch.bfloat16])
def test_a_net_of_another_precision_is_driven_as_well(precision: torch.dtype) -> None:
    ascent = Ascent(steps=2, rate=0.1, bound=box(0, 6))
    found = spoken(Bands().to(precision), [1], (1, 8128), 8000, ascent=ascent)
    assert found.inputs.dtype == np.float32
    assert np.isfinite(found.values).all()
