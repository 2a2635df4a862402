"""Feature maps: where and when they answer, which are dead, and their spectra."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convscope.errors import UserError
from convscope.inside.maps.maps import dead_on, feature_maps, step_times
from convscope.inside.maps.stft import stft, window_for
from convscope.inside.results.examples import of_different_classes
from convscope.inside.subject.subject import Examples
from convscope.inside.tracing.layers import layers_of
from convscope.models.cnn import build
from convscope.models.families import FAMILIES
from convscope.models.spec import make_spec

N_TIMES = 4000

SMALLEST = {"baseline1d": 1, "custom": 1, "vgg": 2, "long_filter": 1, "residual": 6}

BLOCK = {"baseline1d": 1, "custom": 1, "vgg": 2, "long_filter": 1, "residual": 4}


def positive_net(family: str, n_blocks: int) -> nn.Module:
    """A net of positive weights, so that whatever sees a click answers more for it."""
    torch.manual_seed(0)
    conv_layers = SMALLEST[family] + BLOCK[family] * (n_blocks - 1)
    spec = make_spec({"family": family, "conv_layers": conv_layers, "base_channels": 2})
    net = build(spec, (1, N_TIMES), 3).eval()
    for name, weight in net.named_parameters():
        if name.endswith("weight"):
            torch.nn.init.uniform_(weight, 0.1, 0.2)
    return net


def test_all_families_on_sound_are_tried() -> None:
    assert set(SMALLEST) == {name for name, rule in FAMILIES.items() if rule.n_dims == 1}


@pytest.mark.parametrize("family", SMALLEST)
@given(n_blocks=st.integers(1, 4), click=st.integers(100, N_TIMES - 100))
@settings(max_examples=12)
def test_a_click_lies_in_the_field_of_each_maps_strongest_step(
    family: str, n_blocks: int, click: int
) -> None:
    net = positive_net(family, n_blocks)
    clip = torch.zeros(1, 1, N_TIMES)
    clip[0, 0, click] = 1.0
    layers = {k: v for k, v in layers_of(net, clip).items() if v.fields}
    (maps,) = feature_maps(net, clip, layers)
    n_seen = 0
    for each in maps.values():
        assert each.layer.fields is not None
        (field,) = each.layer.fields
        for row in each.values:
            if row.max() > row.min():  # a last, partial window may not see the click at all
                start, stop = field.of(int(row.argmax()))
                assert start <= click < stop
                n_seen += 1
    assert n_seen > len(maps) >= 2 * n_blocks


def test_the_strongest_step_of_a_narrow_filter_is_drawn_when_the_click_was() -> None:
    """One tap and no pooling: the time of the step is that of the sample."""
    net = nn.Sequential(nn.Conv1d(1, 1, 1), nn.Flatten())
    clip = torch.zeros(1, 1, 800)
    layer = layers_of(net, clip)["conv1"]
    np.testing.assert_allclose(step_times(layer, 16000), np.arange(800) / 16000)


def test_step_times_of_a_net_worked_by_hand() -> None:
    """Taps 5, padding 2: step i at sample i. Pooling by 4: steps at 1.5 + 4 i. Taps 3 without
    padding: at 1.5 + 4 (i + 1)."""
    net = nn.Sequential(
        nn.Conv1d(1, 2, 5, padding=2), nn.MaxPool1d(4), nn.Conv1d(2, 2, 3), nn.Flatten()
    )
    layers = layers_of(net, torch.zeros(1, 1, 40))
    np.testing.assert_allclose(1000 * step_times(layers["conv1"], 1000.0), np.arange(40))
    np.testing.assert_allclose(1000 * step_times(layers["act2"], 1000.0), 5.5 + 4 * np.arange(8))


def test_step_times_of_an_image_have_an_axis_each() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, (3, 1), stride=(2, 1)), nn.Flatten())
    layer = layers_of(net, torch.zeros(1, 1, 9, 4))["conv1"]
    assert step_times(layer, 1, 0).tolist() == [1, 3, 5, 7]
    assert step_times(layer, 1, 1).tolist() == [0, 1, 2, 3]


def test_logits_have_no_times() -> None:
    net = nn.Sequential(nn.Conv1d(1, 1, 3), nn.Flatten(), nn.Linear(7, 2))
    layers = layers_of(net, torch.zeros(1, 1, 9))
    with pytest.raises(UserError, match="logits: expected a layer whose receptive field is known"):
        step_times(layers["logits"], 16000)


@pytest.mark.parametrize(
    ("activation", "dead"),
    [
        (nn.ReLU(), [True, True, False]),
        (nn.GELU(), [True, True, False]),
        (nn.LeakyReLU(), [True, True, False]),
        (nn.Tanh(), [True, False, False]),
        (nn.Identity(), [True, False, False]),
    ],
)
def test_dead_is_constant_or_never_positive_behind_a_rectifier(
    activation: nn.Module, dead: list[bool]
) -> None:
    """Units of weights 0, -1 and 1 on a clip that is never negative."""
    conv = nn.Conv1d(1, 3, 1, bias=False)
    conv.weight = nn.Parameter(torch.tensor([0.0, -1, 1])[:, None, None])
    net = nn.Sequential(conv, activation, nn.Flatten())
    clips = torch.arange(8.0)[None, None]
    (maps,) = feature_maps(net, clips, {"act1": layers_of(net, clips)["act1"]})
    assert maps["act1"].dead.tolist() == dead
    assert maps["act1"].strongest[0] in (1, 2)
    tensor = torch.from_numpy(maps["act1"].values).requires_grad_()
    assert dead_on(tensor, maps["act1"].layer).tolist() == dead


@pytest.mark.parametrize(
    ("n_steps", "expected"),
    [(16000, (512, 128)), (1024, (512, 128)), (1023, (256, 64)), (592, (256, 64)), (16, (8, 2))],
)
def test_windows_are_512_by_128_and_less_for_short_maps(
    n_steps: int, expected: tuple[int, int]
) -> None:
    assert window_for(n_steps) == expected


def test_a_map_of_15_steps_has_no_spectrum() -> None:
    with pytest.raises(UserError, match="expected a map of at least 16 steps, got 15"):
        stft(np.zeros((1, 15)), 100)


@pytest.mark.parametrize("rate_hz", [16000, 16000 / 3, 16000 / 9])
def test_a_beat_of_a_map_is_found_at_its_frequency_in_hz(rate_hz: float) -> None:
    times = np.arange(2000) / rate_hz
    spectra = stft(np.sin(2 * np.pi * rate_hz / 8 * times)[None], rate_hz)
    peak = spectra.frequencies_hz[spectra.power[0].argmax(axis=0)]
    np.testing.assert_allclose(peak, rate_hz / 8)
    assert spectra.hop_s == pytest.approx(128 / rate_hz)


def test_a_click_is_in_the_frames_whose_middle_is_near_it() -> None:
    maps = np.zeros((1, 4000))
    maps[0, 2000] = 1
    spectra = stft(maps, 1000)
    found = spectra.times_s[spectra.power[0].sum(axis=0) > 0]
    assert np.abs(found - 2.0).max() <= 0.256
    strongest = spectra.times_s[spectra.power[0].sum(axis=0).argmax()]
    assert strongest == pytest.approx(2.0, abs=0.064)


def test_spectra_equal_a_slow_sum() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 40))
    spectra = stft(maps, 100.0)
    hann = np.sin(np.pi * np.arange(16) / 16) ** 2
    for u, k, m in np.ndindex(*spectra.power.shape):
        terms = [hann[t] * maps[u, 4 * m + t] * np.exp(-2j * np.pi * k * t / 16) for t in range(16)]
        assert spectra.power[u, k, m] == pytest.approx(abs(sum(terms)) ** 2)


def examples(labels: list[int]) -> Examples:
    ids = np.array([f"{i}.wav" for i in range(len(labels))])
    return Examples(np.zeros((len(labels), 1, 4), np.int16), np.array(labels), ids)


@pytest.mark.parametrize(
    ("labels", "n", "expected"),
    [
        ([0, 0, 1, 1, 2, 2], 3, [0, 2, 4]),
        ([2, 1, 0], 2, [2, 0]),  # the first and the last class
        ([0, 0, 0, 1], 3, [0, 3, 1]),  # each class once, then again
        ([-1, -1], 3, [0, 1]),
    ],
)
def test_clips_to_show_are_of_different_classes(
    labels: list[int], n: int, expected: list[int]
) -> None:
    chosen = of_different_classes(examples(labels), n)
    assert [int(str(each).removesuffix(".wav")) for each in chosen.ids] == expected
