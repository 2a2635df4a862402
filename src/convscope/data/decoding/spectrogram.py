"""From stored clips to the input of a net: scaling, and the spectrogram where a recipe asks for it.

Both run on the device that the clips are on. Augmentation stands between them:

    front = front_end(config)
    net(front(augment(front.scale(clips), ...)))
"""

import math

import torch
from torch import Tensor, nn

from convscope.data.config import DataConfig, SoundConfig, SpectrogramConfig

FULL_SCALE = {torch.int16: 32768.0, torch.uint8: 255.0}
"""What a stored number is divided by: sound comes to lie in [-1, 1), images in [0, 1]."""

_LEAST_POWER = 1e-20  # the square root has no derivative at 0


class FrontEnd(nn.Module):
    """What stands between stored clips and a net.

    `scale` makes numbers of full scale 1 of stored ones; calling the module turns those into the
    net's input: the spectrogram where the recipe asks for one, else the same clips.
    """

    def __init__(self, spectrogram: SpectrogramConfig | None = None) -> None:
        super().__init__()
        self.transform = nn.Identity() if spectrogram is None else Spectrogram(spectrogram)

    def scale(self, clips: Tensor) -> Tensor:
        """Float32 of int16 sound / 32768 or of uint8 images / 255; no mean is taken off."""
        return clips.float() / FULL_SCALE[clips.dtype]

    def forward(self, clips: Tensor) -> Tensor:
        output: Tensor = self.transform(clips)
        return output


def front_end(config: DataConfig) -> FrontEnd:
    """The front end of a recipe's data."""
    return FrontEnd(config.spectrogram if isinstance(config, SoundConfig) else None)


class Spectrogram(nn.Module):
    """The short-time Fourier spectrum of waveforms, without padding of the signal.

        X[k, m] = sum over t < window of w[t] x[m · stride + t] exp(-2πi k t / fft_size)

    with the periodic Hann window w[t] = sin²(π t / window), not normalised. The output is |X|
    (linear), |X|² (power) or ln(|X|² + log_offset) (log).

    A product with fixed bases rather than an FFT: it exports to ONNX as it is, and at these sizes
    it is as fast. It stays in float32 under autocast, for bfloat16 would drown quiet bins.

    Shapes: (n_clips, 1, n_times), full scale 1 -> (n_clips, 1, n_bins, n_frames) with
    n_bins = fft_size // 2 + 1 (bin k is k · rate_hz / fft_size Hz) and
    n_frames = (n_times - window) // stride + 1.
    """

    bases: Tensor

    def __init__(self, config: SpectrogramConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("bases", _windowed_bases(config), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        with torch.autocast(waves.device.type, enabled=False):
            frames = waves.float().unfold(-1, self.config.window, self.config.stride)
            real, imaginary = (frames @ self.bases).chunk(2, dim=-1)
            return self._scaled(real.square() + imaginary.square()).transpose(-1, -2)

    def _scaled(self, power: Tensor) -> Tensor:
        match self.config.scale:
            case "linear":
                return power.clamp_min(_LEAST_POWER).sqrt()
            case "power":
                return power
            case "log":
                return (power + self.config.log_offset).log()


def _windowed_bases(config: SpectrogramConfig) -> Tensor:
    """(window, 2 · n_bins): the cosines, then the sines, each under the window."""
    times = torch.arange(config.window, dtype=torch.float64)
    bins = torch.arange(config.fft_size // 2 + 1, dtype=torch.float64)
    angles = 2 * math.pi * torch.outer(times, bins) / config.fft_size
    window = torch.hann_window(config.window, periodic=True, dtype=torch.float64)
    return (torch.cat([angles.cos(), angles.sin()], dim=1) * window[:, None]).float()
