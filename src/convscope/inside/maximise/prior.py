"""A learned prior: a small generative model of the clips, its code what is moved to maximise.

A variational auto-encoder, one-dimensional over a sound's log spectrum, its bins as channels, and
two-dimensional over an image. It is trained to make of each clip y a code z and y again:

    loss = Σ (y − d(z))² / σ² + β KL(q(z | y) ‖ N(0, 1)),   z ~ q = N(m(y), s(y)²)

A sound is made of a decoded spectrum with the phases of a fixed buzz and hiss, as a vocoder does.

Source: D. Kingma, M. Welling, Auto-Encoding Variational Bayes (2014); A. Nguyen and others,
Synthesizing the Preferred Inputs for Neurons via Deep Generator Networks (2016).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from convscope.inside.maximise.parametrise import Tidy
from convscope.types import Shape

PIXELS = 48  # a larger image is learned at this size, for a training of minutes on a CPU
BUZZ_HZ = 120.0  # the pitch of the buzz
BATCH = 64
NOISE = 0.3  # σ, of features of unit variance


class Prior(nn.Module):
    """A variational auto-encoder of clips.

    Args:
        shape: of one clip of full scale 1: (1, n_times) or (n_channels, height, width).
        rate_hz: samples a second of a sound; None of images.
        n_codes: numbers in a code.
        width: channels of the first convolution; None: 128 of sounds, 32 of images.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self, shape: Shape, rate_hz: int | None, n_codes: int = 32, width: int | None = None
    ) -> None:
        super().__init__()
        self.n_codes = n_codes
        width = width or (32 if rate_hz is None else 128)
        self.features = _Image(shape) if rate_hz is None else _Sound(shape, rate_hz)
        n_inputs, *sizes = self.features.shape
        conv = nn.Conv1d if len(sizes) == 1 else nn.Conv2d
        self._small = (2 * width, *(-(-size // 4) for size in sizes))
        n_small = math.prod(self._small)
        self.encoder = nn.Sequential(
            conv(n_inputs, width, 3, stride=2, padding=1),
            nn.ReLU(),
            conv(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(n_small, 2 * n_codes),
        )
        self.decoder = nn.Sequential(
            nn.Linear(n_codes, n_small),
            nn.ReLU(),
            nn.Unflatten(1, self._small),
            nn.Upsample(scale_factor=2),
            conv(2 * width, width, 3, padding=1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            conv(width, n_inputs, 3, padding=1),
        )
        self.register_buffer("centre", torch.zeros(1, n_inputs, *[1] * len(sizes)))
        self.register_buffer("spread", torch.ones(()))

    def forward(self, code: Tensor) -> Tensor:
        """Clips (n_clips, *shape) of codes (n_clips, n_codes)."""
        clips: Tensor = self.features.clips(self._decode(code) * self.spread + self.centre)
        return clips

    def loss(self, features: Tensor, beta: float) -> Tensor:
        """Of a batch of features of clips; random, as the codes are drawn."""
        target = (features - self.centre) / self.spread
        mean, log_variance = self.encoder(target).chunk(2, dim=1)
        code = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        error = (self._decode(code) - target).square().sum() / NOISE**2 / 2
        loss: Tensor = (error + beta * divergence) / len(features)
        return loss

    def _decode(self, code: Tensor) -> Tensor:
        grid = tuple(slice(0, size) for size in self.features.shape[1:])
        decoded: Tensor = self.decoder(code)[(..., *grid)]
        return decoded


class _Image(nn.Module):
    """An image as it is, no larger than PIXELS a side."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._shape = shape
        self.shape = (shape[0], *(min(size, PIXELS) for size in shape[1:]))

    def forward(self, clips: Tensor) -> Tensor:
        return functional.interpolate(clips, self.shape[1:], mode="bilinear", antialias=True)

    def clips(self, features: Tensor) -> Tensor:
        sized = functional.interpolate(features, self._shape[1:], mode="bilinear")
        return sized.clamp(0, 1)


class _Sound(nn.Module):
    """ln(|X| + 0.01) of windows of about 16 ms that overlap by half, and back with other phases."""

    window: Tensor
    phases: Tensor

    def __init__(self, shape: Shape, rate_hz: int) -> None:
        super().__init__()
        self._n_times = shape[-1]
        self._n_window = 2 ** max(4, round(math.log2(0.016 * rate_hz)))
        self.register_buffer("window", torch.hann_window(self._n_window), persistent=False)
        buzz = torch.zeros(self._n_times)
        buzz[:: max(2, round(rate_hz / BUZZ_HZ))] = 1
        hiss = torch.randn(self._n_times, generator=torch.Generator().manual_seed(0))
        spectrum = self._stft((buzz + 0.02 * hiss)[None])
        self.register_buffer("phases", spectrum / spectrum.abs().clamp_min(1e-9), persistent=False)
        self.shape = tuple(spectrum.shape[1:])

    def forward(self, clips: Tensor) -> Tensor:
        return (self._stft(clips[:, 0]).abs() + 0.01).log()

    def clips(self, features: Tensor) -> Tensor:
        spectrum = (features.clamp_max(6).exp() - 0.01).relu() * self.phases
        hop = self._n_window // 2
        waves = torch.istft(spectrum, self._n_window, hop, window=self.window, length=self._n_times)
        return waves[:, None]

    def _stft(self, waves: Tensor) -> Tensor:
        hop = self._n_window // 2
        return torch.stft(waves, self._n_window, hop, window=self.window, return_complex=True)


def train_prior(
    prior: Prior,
    clips: Callable[[Tensor], Tensor],
    n_clips: int,
    *,
    steps: int = 1500,
    beta: float = 1.0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Prior:
    """The prior fitted to clips, by Adam at 1e-3.

    Args:
        prior: to be trained, in place.
        clips: gives the clips (n, *shape) of some indices, of full scale 1.
        n_clips: how many there are.
        steps: batches of 64.
        beta: β, the weight of the divergence: larger, smoother and more alike.
        seed: of the start, the batches and the codes.
        progress: called after each step.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        for module in prior.modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
                module.reset_parameters()
        sample = prior.features(clips(torch.randperm(n_clips)[:512]))
        axes = [0, *range(2, sample.dim())]
        prior.centre.copy_(sample.mean(axes, keepdim=True))
        prior.spread.copy_((sample - prior.centre).std())
        optimizer = torch.optim.Adam(prior.parameters(), lr=1e-3)
        for step in range(1, steps + 1):
            loss = prior.loss(prior.features(clips(torch.randint(n_clips, (BATCH,)))), beta)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if progress is not None:
                progress(step, steps)
    return prior.eval().requires_grad_(False)


@dataclass(frozen=True)
class Latent:
    """A prior's code as what is moved, no farther out than where codes of clips lie.

    z ← z · min(1, √n_codes / ‖z‖₂)
    """

    prior: Prior

    def start(self, n_examples: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n_examples, self.prior.n_codes, generator=generator)

    def decode(self, code: Tensor) -> Tensor:
        clips: Tensor = self.prior(code)
        return clips

    def tidied(self, code: Tensor, _tidy: Tidy) -> Tensor:
        radius = math.sqrt(self.prior.n_codes)
        norms: Tensor = torch.linalg.vector_norm(code, dim=1, keepdim=True)
        return code * (radius / norms).clamp_max(1)
