"""Features: slow references from the definitions, nets that are left as found, controls."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.brain.features.acoustic import (
    ACOUSTIC,
    log_mel,
    mel_bank,
    modulation,
    power,
    spectral_all,
)
from convscope.brain.features.layers import answers, layer_features, pieces
from convscope.brain.features.net import (
    Net,
    calibrated,
    default_layers,
    permuted,
    weights_key,
)
from convscope.brain.features.pixels import colour, spatial_frequency
from convscope.brain.features.spaces import one_hot, spaces_of, stimulus_spaces, variants
from convscope.brain.records import Stimuli
from convscope.brain.settings import FeatureSettings
from convscope.errors import UserError

Array = NDArray[np.float64]

RATE_HZ = 16000


def noise(n: int = 8000, seed: int = 0) -> Array:
    return 0.1 * np.random.default_rng(seed).normal(size=n)


def tiny(n_times: int = 400, global_pool: bool = True) -> Net:
    """A net of two convolutions with batch norm, fresh weights by a seed."""

    def fresh(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        head: list[nn.Module] = (
            [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(5, 3)]
            if global_pool
            else [nn.Flatten(), nn.Linear(5 * n_times, 3)]
        )
        return nn.Sequential(
            nn.Conv1d(1, 4, 5, padding=2),
            nn.BatchNorm1d(4),
            nn.ReLU(),
            nn.Conv1d(4, 5, 5, padding=2),
            nn.ReLU(),
            *head,
        ).eval()

    net = fresh(7)
    return Net(
        name="tiny",
        net=net,
        front=nn.Identity(),
        kind="sound",
        rate_hz=RATE_HZ,
        clip_shape=(1, n_times),
        layers=default_layers(net, (1, n_times)),
        fresh=fresh,
        key=weights_key(net),
    )


def test_the_log_mel_spectrogram_is_that_of_slow_loops() -> None:
    wave = noise(2000)
    found = log_mel(wave)
    assert found.shape == (64, (2000 - 400) // 160 + 1)
    window = [0.5 - 0.5 * np.cos(2 * np.pi * i / 400) for i in range(400)]
    for frame in (0, 7):
        piece = wave[frame * 160 : frame * 160 + 400] * window
        times = np.arange(400)
        spectrum = [
            abs(np.sum(piece * np.exp(-2j * np.pi * k * times / 512))) ** 2 for k in range(257)
        ]
        assert found[:, frame] == pytest.approx(np.log(mel_bank() @ spectrum + 1e-10))
    bank = mel_bank()
    centres = np.fft.rfftfreq(512, 1 / 16000)[bank.argmax(axis=1)]
    assert (np.diff(centres) >= 0).all()
    assert bank.max() <= 1


def test_a_sound_that_changes_four_times_a_second_stands_out_at_that_rate() -> None:
    times = np.arange(32000) / RATE_HZ
    carrier = np.random.default_rng(0).normal(size=32000)
    flat = modulation(0.1 * carrier)
    beating = modulation(0.1 * carrier * (1 + 0.9 * np.sin(2 * np.pi * 4 * times)))
    gain = (beating - flat).reshape(7, 5)[:, 0]  # scale 0: all bands together
    assert gain.argmax() == 3  # 3 to 6 changes a second


def test_all_acoustic_controls_have_their_sizes_and_power_is_a_logarithm() -> None:
    sizes = {name: len(each(noise())) for name, each in ACOUSTIC.items()}
    assert sizes == {
        "power": 1,
        "mel_mean": 64,
        "modulation": 35,
        "temporal_modulation": 48,
        "spectral_all": 147,
    }
    assert power(2 * noise())[0] - power(noise())[0] == pytest.approx(np.log(4))
    assert np.isfinite(spectral_all(np.zeros(8000))).all()


def test_stripes_stand_out_at_their_frequency_and_orientation() -> None:
    x = np.arange(128)
    stripes = np.sin(2 * np.pi * x / 8)  # 0.125 cycles/pixel: the third octave from above
    for image, sector in ((np.tile(stripes, (128, 1)), 0), (np.tile(stripes, (128, 1)).T, 4)):
        found = spatial_frequency(image[None]).reshape(5, 8)
        assert found.argmax() % 8 == sector
        assert found.argmax() // 8 in (1, 2)
    red = np.zeros((3, 8, 8))
    red[0] = 1.0
    assert colour(red) == pytest.approx([0.2126, 0, 1, 0, 0])


def test_layers_answer_as_the_modules_do_and_the_net_is_left_as_found() -> None:
    net = tiny()
    before = {name: values.clone() for name, values in net.net.state_dict().items()}
    clip = noise(400).astype(np.float32)[None]
    found = answers(net, torch.from_numpy(clip)[None], ("2", "act2", "logits"))
    assert isinstance(net.net, nn.Sequential)
    with torch.no_grad():
        expected = net.net[:3](torch.from_numpy(clip)[None])
    assert found["2"] == pytest.approx(expected.numpy())
    assert found["act2"].shape == (1, 5, 400)
    assert found["logits"].shape == (1, 3)
    assert all((before[k] == v).all() for k, v in net.net.state_dict().items())
    assert not any(module._forward_hooks for module in net.net.modules())


def test_a_long_stimulus_goes_through_whole_where_it_can_else_in_windows_averaged() -> None:
    clip = noise(1000).astype(np.float32)[None]
    windows = pieces(tiny(), clip, in_windows=True)
    assert windows.shape == (3, 1, 400)
    assert windows[-1, 0].numpy() == pytest.approx(clip[0, -400:])
    assert pieces(tiny(), clip[:, :100], in_windows=True).shape == (1, 1, 400)
    clips = [noise(1000, seed).astype(np.float32)[None] for seed in range(6)]
    fixed = tiny(global_pool=False)
    found = layer_features(fixed, clips.__getitem__, 6, ["3"])["3"].values
    by_hand = [
        answers(fixed, pieces(fixed, clip, True), ("3",))["3"].mean(axis=(0, 2)) for clip in clips
    ]
    assert found == pytest.approx(np.stack(by_hand), abs=1e-6)
    with pytest.raises(UserError, match=r"tiny does not take stimuli of shape \(1, 1000\)"):
        layer_features(fixed, clips.__getitem__, 6, ["4"], windows="whole")


def test_stimuli_of_unequal_length_all_go_in_windows_where_one_does_not_fit_whole() -> None:
    clips = [noise(n, n).astype(np.float32)[None] for n in (400, 700, 1000, 400)]
    net = tiny(global_pool=False)
    found = layer_features(net, clips.__getitem__, 4)
    asked = layer_features(net, clips.__getitem__, 4, windows="windows")
    assert (found["act2"].values == asked["act2"].values).all()
    whole = layer_features(tiny(), clips.__getitem__, 4, ["3"])["3"].values
    one = answers(tiny(), torch.from_numpy(clips[1])[None], ("3",))["3"][0]
    assert whole[1] == pytest.approx(one.mean(axis=1))


def test_layers_project_as_they_come_in_and_all_positions_need_equal_lengths() -> None:
    clips = [noise(400, seed).astype(np.float32)[None] for seed in range(5)]
    found = layer_features(tiny(), clips.__getitem__, 5, ["3"], pooling="whole", project=16)
    assert found["3"].values.shape == (5, 16)
    clips[3] = clips[3][:, :300]
    with pytest.raises(UserError, match="3 has 1500 to 2000 features, as the stimuli differ"):
        layer_features(tiny(), clips.__getitem__, 5, ["3"], pooling="whole")


def test_a_convolution_is_reached_by_the_name_that_look_gives_it() -> None:
    clips = [noise(400, seed).astype(np.float32)[None] for seed in range(5)]
    found = layer_features(tiny(), clips.__getitem__, 5, ["conv2", "3"])
    assert (found["conv2"].values == found["3"].values).all()


def test_a_module_that_is_not_called_is_told() -> None:
    net = tiny()
    net.net[0].spare = nn.Identity()  # type: ignore[index]
    with pytest.raises(UserError, match=r"features.layers: 0.spare gives no tensor"):
        layer_features(net, lambda _: noise(400).astype(np.float32)[None], 2, ["0.spare"])


def test_a_layer_that_is_not_there_is_told() -> None:
    with pytest.raises(UserError, match=r"features.layers: act9 is no layer of tiny"):
        layer_features(tiny(), lambda _: noise(400).astype(np.float32)[None], 2, ["act9"])


def test_calibrated_norms_have_the_statistics_of_the_stimuli() -> None:
    net = tiny()
    inputs = torch.randn(16, 1, 400, generator=torch.Generator().manual_seed(0)) * 3 + 1
    made = calibrated(net, lambda: iter([inputs]))
    assert isinstance(made, nn.Sequential)
    with torch.no_grad():
        normed = made[:2](inputs)
    assert normed.mean(dim=(0, 2)).numpy() == pytest.approx(np.zeros(4), abs=1e-4)
    assert normed.std(dim=(0, 2)).numpy() == pytest.approx(np.ones(4), abs=1e-2)
    plain = Net(**{**net.__dict__, "net": nn.Sequential(nn.Conv1d(1, 2, 3))})
    assert calibrated(plain, lambda: iter([inputs])) is None


def test_permuted_weights_are_the_same_numbers_elsewhere() -> None:
    net = tiny().net
    made = permuted(net, 0)
    for (name, a), (_, b) in zip(net.named_parameters(), made.named_parameters(), strict=True):
        assert sorted(a.flatten().tolist()) == sorted(b.flatten().tolist()), name
    first, moved, again = (each.state_dict()["0.weight"] for each in (net, made, permuted(net, 0)))
    assert not torch.equal(first, moved)
    assert torch.equal(moved, again)


@pytest.fixture
def stimuli(tmp_path: Path) -> Stimuli:
    files = []
    for i in range(6):
        files.append(tmp_path / f"{i}.wav")
        soundfile.write(files[-1], noise(1200, i), RATE_HZ)
    names = tuple(path.stem for path in files)
    return Stimuli(
        "sound", names, tuple(files), names, np.full(6, 0.075), ("a", "a", "b", "b", "c", "c")
    )


def test_controls_stand_beside_the_net_with_their_seeds(stimuli: Stimuli) -> None:
    settings = FeatureSettings(n_untrained=2)
    found = variants(tiny(), stimuli, settings)
    assert [each.name for each in found] == [
        "trained",
        "untrained-0",
        "untrained-1",
        "untrained_calibrated-0",
        "untrained_calibrated-1",
        "permuted-0",
    ]
    spaces = [space for each in found for space in spaces_of(each, stimuli, settings)]
    assert {each.role for each in spaces} == {
        "trained",
        "untrained",
        "untrained_calibrated",
        "permuted",
    }
    by_name = {(each.role, each.seed, each.name): each.values for each in spaces}
    first, second = (by_name["untrained", seed, "act2"] for seed in (0, 1))
    assert first.shape != second.shape or not np.allclose(first, second)
    again = spaces_of(found[1], stimuli, settings)
    assert (again[1].values == by_name["untrained", 0, "act2"]).all()
    assert spaces[0].label == "act1"
    assert spaces[4].label == "act2, untrained, seed 0"


def test_what_needs_no_net_is_there_with_the_categories(stimuli: Stimuli) -> None:
    found = {each.name: each for each in stimulus_spaces(stimuli)}
    assert set(found) == {*ACOUSTIC, "categories"}
    assert found["categories"].values.tolist() == one_hot(stimuli.categories or ()).tolist()
    assert one_hot(["b", "a", "b"]).tolist() == [[0, 1], [1, 0], [0, 1]]


def test_a_net_of_images_does_not_take_sounds(stimuli: Stimuli) -> None:
    net = Net(**{**tiny().__dict__, "kind": "image"})
    with pytest.raises(UserError, match="tiny takes images and the stimuli are sounds"):
        variants(net, stimuli, FeatureSettings())


def test_a_sound_too_short_for_a_spectrogram_is_named(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    soundfile.write(path, noise(100), RATE_HZ)
    made = Stimuli("sound", ("click",), (path,), ("x",), np.array([0.006]))
    with pytest.raises(UserError, match=r"stimuli: click is too short for a spectrogram"):
        stimulus_spaces(made)
