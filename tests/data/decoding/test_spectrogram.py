"""The spectrogram and the front end, against NumPy's FFT and closed forms."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from convscope.data.config import ImagesConfig, SoundConfig, SpectrogramConfig, WordsConfig
from convscope.data.decoding.spectrogram import Spectrogram, front_end
from convscope.errors import UserError
from convscope.settings import validated

RATE_HZ = 16_000
CONFIGS = {
    "reports": SpectrogramConfig(),
    "linear": SpectrogramConfig(scale="linear"),
    "power": SpectrogramConfig(scale="power"),
    "odd sizes": SpectrogramConfig(window=101, stride=37, fft_size=251, scale="power"),
    "no zeros": SpectrogramConfig(window=64, stride=64, fft_size=64, log_offset=1e-3),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def waves() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (2, 1, 1000))).float()


def slow_spectrogram(wave: NDArray[np.float64], config: SpectrogramConfig) -> NDArray[np.float64]:
    """(n_bins, n_frames) of one waveform (n_times,), frame by frame with NumPy's FFT."""
    hann = [math.sin(math.pi * t / config.window) ** 2 for t in range(config.window)]
    columns = []
    for start in range(0, len(wave) - config.window + 1, config.stride):
        frame = np.zeros(config.fft_size)
        frame[: config.window] = wave[start : start + config.window] * hann
        columns.append(np.abs(np.fft.rfft(frame)))
    magnitude = np.stack(columns, axis=1)
    if config.scale == "linear":
        return magnitude
    return magnitude**2 if config.scale == "power" else np.log(magnitude**2 + config.log_offset)


@every_config
def test_equals_a_slow_reference(config: SpectrogramConfig, waves: torch.Tensor) -> None:
    computed = Spectrogram(config)(waves)
    for wave, got in zip(waves[:, 0].double().numpy(), computed[:, 0].numpy(), strict=True):
        np.testing.assert_allclose(got, slow_spectrogram(wave, config), rtol=1e-3, atol=1e-5)


@every_config
def test_shape_is_the_one_that_the_config_states(
    config: SpectrogramConfig, waves: torch.Tensor
) -> None:
    assert Spectrogram(config)(waves).shape == (2, 1, *config.shape(1000))


def test_one_second_at_16_khz_gives_257_by_99() -> None:
    assert Spectrogram(SpectrogramConfig())(torch.zeros(1, 1, 16_000)).shape == (1, 1, 257, 99)


@pytest.mark.parametrize("frequency_hz", [500.0, 1000.0, 4031.25, 7500.0])
def test_pure_tone_peaks_in_its_own_bin(frequency_hz: float) -> None:
    config = SpectrogramConfig(scale="power")
    tone = torch.sin(2 * math.pi * frequency_hz * torch.arange(4000) / RATE_HZ)
    peaks = Spectrogram(config)(tone[None, None])[0, 0].argmax(dim=0)
    assert (peaks == frequency_hz / RATE_HZ * config.fft_size).all()


def test_tone_of_full_scale_has_the_power_of_half_the_window_sum_squared() -> None:
    tone = torch.cos(2 * math.pi * 64 / 512 * torch.arange(256))
    power = Spectrogram(SpectrogramConfig(scale="power"))(tone[None, None])
    assert power[0, 0, 64, 0].item() == pytest.approx((128 / 2) ** 2, rel=1e-4)


def test_parseval_energy_of_a_frame_is_the_mean_power_over_the_bins(waves: torch.Tensor) -> None:
    config = SpectrogramConfig(scale="power")
    power = Spectrogram(config)(waves)[:, 0, :, 0].double()
    both_sides = 2 * power.sum(1) - power[:, 0] - power[:, -1]
    hann = torch.hann_window(256, dtype=torch.float64)
    energy = (waves[:, 0, :256].double() * hann).square().sum(1)
    torch.testing.assert_close(both_sides / config.fft_size, energy, rtol=1e-5, atol=0)


def test_silence_is_the_offset_s_logarithm() -> None:
    silence = Spectrogram(SpectrogramConfig(log_offset=1e-6))(torch.zeros(1, 1, 512))
    torch.testing.assert_close(silence, torch.full_like(silence, math.log(1e-6)))


@pytest.mark.parametrize("scale", ["power", "log"])
def test_gradient_is_the_numerical_one(scale: str) -> None:
    config = SpectrogramConfig.model_validate(
        {"window": 8, "stride": 4, "fft_size": 16, "scale": scale, "log_offset": 0.1}
    )
    wave = torch.randn(1, 1, 20, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (gradient,) = torch.autograd.grad(Spectrogram(config)(wave).sum(), wave)
    for t in range(20):
        step = np.eye(20)[t] * 1e-5
        centre = wave.detach()[0, 0].double().numpy()
        above, below = (slow_spectrogram(centre + s, config).sum() for s in (step, -step))
        assert gradient[0, 0, t].item() == pytest.approx((above - below) / 2e-5, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("scale", ["linear", "power", "log"])
def test_gradient_of_silence_is_finite(scale: str) -> None:
    silence = torch.zeros(1, 1, 400, requires_grad=True)
    config = SpectrogramConfig.model_validate({"scale": scale})
    (gradient,) = torch.autograd.grad(Spectrogram(config)(silence).sum(), silence)
    assert gradient.isfinite().all()


def test_reduced_precision_leaves_it_alone(waves: torch.Tensor) -> None:
    spectrogram = Spectrogram(SpectrogramConfig())
    with torch.autocast("cpu", torch.bfloat16):
        inside = spectrogram(waves)
    assert torch.equal(inside, spectrogram(waves))


def test_state_dict_holds_nothing() -> None:
    assert not front_end(WordsConfig(spectrogram=SpectrogramConfig())).state_dict()


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_onnx_export_computes_the_same(scale: str, waves: torch.Tensor, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    spectrogram = Spectrogram(SpectrogramConfig.model_validate({"scale": scale})).eval()
    program = torch.onnx.export(
        spectrogram,
        (waves,),
        dynamo=True,
        dynamic_shapes={"waves": {0: torch.export.Dim("n_clips")}},
        verbose=False,
    )
    assert program is not None
    program.save(str(tmp_path / "spectrogram.onnx"))
    session = onnxruntime.InferenceSession(tmp_path / "spectrogram.onnx")
    five = waves.repeat(3, 1, 1)[:5] * 0.7
    (got,) = session.run(None, {session.get_inputs()[0].name: five.numpy()})
    np.testing.assert_allclose(got, spectrogram(five).numpy(), rtol=1e-4, atol=1e-4)


def test_front_end_scales_sound_by_32768_and_nothing_else() -> None:
    front = front_end(WordsConfig())
    stored = torch.tensor([[[-32768, -1, 0, 16384, 32767]]], dtype=torch.int16)
    scaled = front.scale(stored)
    assert scaled.dtype == torch.float32
    assert scaled.flatten().tolist() == [-1, -1 / 32768, 0, 0.5, 32767 / 32768]
    assert torch.equal(front(scaled), scaled)


def test_front_end_scales_images_by_255() -> None:
    scaled = front_end(ImagesConfig()).scale(torch.tensor([0, 51, 255], dtype=torch.uint8))
    torch.testing.assert_close(scaled, torch.tensor([0, 0.2, 1]))


def test_front_end_makes_the_spectrogram_that_the_recipe_asks_for(waves: torch.Tensor) -> None:
    config = WordsConfig(spectrogram=SpectrogramConfig(stride=100))
    assert torch.equal(front_end(config)(waves), Spectrogram(SpectrogramConfig(stride=100))(waves))


def test_window_longer_than_the_fft_is_refused() -> None:
    with pytest.raises(
        UserError,
        match=r"data.spectrogram: window: expected at most fft_size, 512 samples, got 600: make",
    ):
        validated(SoundConfig, {"spectrogram": {"window": 600}}, "data")


def test_window_longer_than_the_clip_is_refused() -> None:
    with pytest.raises(
        UserError,
        match=r"data.spectrogram.window: expected at most the 160 samples that data.seconds=0.01 "
        r"has at 16000 Hz, got 256: make it less or data.seconds more",
    ):
        validated(SoundConfig, {"seconds": 0.01, "spectrogram": {}}, "data")
