"""What gradient ascent moves: an input itself, its spectrum, or a code that a prior decodes.

Source of the spectrum scaled by 1/f: C. Olah, A. Mordvintsev, L. Schubert, Feature Visualization,
Distill (2017), section Preconditioning.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from convscope.types import Shape

Tidy: TypeAlias = Callable[[Tensor], Tensor]
"""From inputs to inputs that are within bounds, blurred and so on."""


class Parametrisation(Protocol):
    """How inputs follow from what is moved, the code."""

    def start(self, n_examples: int, generator: torch.Generator) -> Tensor:
        """(n_examples, …) random codes."""

    def decode(self, code: Tensor) -> Tensor:
        """(n_examples, *shape) inputs."""

    def tidied(self, code: Tensor, tidy: Tidy) -> Tensor:
        """The codes of tidied inputs."""


@dataclass(frozen=True)
class Samples:
    """The samples or pixels themselves.

    Attributes:
        shape: of one input, channels first.
        middle, spread: of the random inputs to start from: mean and standard deviation.
    """

    shape: Shape
    middle: float = 0.0
    spread: float = 0.01

    def start(self, n_examples: int, generator: torch.Generator) -> Tensor:
        return self.middle + self.spread * torch.randn(n_examples, *self.shape, generator=generator)

    def decode(self, code: Tensor) -> Tensor:
        return code

    def tidied(self, code: Tensor, tidy: Tidy) -> Tensor:
        return tidy(code)


@dataclass(frozen=True)
class Spectrum:
    """The Fourier coefficients, those of frequency f scaled by 1/f^power.

        x = middle + irfft(code · s),   s(f) ∝ 1 / max(f, lowest)^power,   mean s² = 1

    over one axis of a sound and two of an image, so that low frequencies move farther: a step moves
    x along S²g, with g its gradient and S the scaling as a filter. So under `ball` the best input
    of a linear unit of filter w is S²w, which is w for a power of 0.

    Attributes:
        shape: of one input, channels first.
        middle, spread: of the random inputs to start from: mean and standard deviation.
        power: 0 for none, 1 as in natural sounds and images.
        lowest: the frequency, in cycles a sample, below which all are scaled alike; None: 1/n of
            the longest axis.
    """

    shape: Shape
    middle: float = 0.0
    spread: float = 0.01
    power: float = 1.0
    lowest: float | None = None

    def start(self, n_examples: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(n_examples, *self.shape, generator=generator)
        coefficients = _rfft(self.spread * noise) * _multiplicity(self.shape[1:]).sqrt()
        return torch.view_as_real(coefficients)

    def decode(self, code: Tensor) -> Tensor:
        sizes, axes = self.shape[1:], tuple(range(2, code.dim() - 1))
        scaled = torch.view_as_complex(code) * self._scale(code)
        moved: Tensor = torch.fft.irfftn(scaled, s=sizes, dim=axes, norm="ortho")
        return self.middle + moved

    def tidied(self, code: Tensor, tidy: Tidy) -> Tensor:
        coefficients = _rfft(tidy(self.decode(code)) - self.middle)
        return torch.view_as_real(coefficients / self._scale(code))

    def _scale(self, code: Tensor) -> Tensor:
        sizes = self.shape[1:]
        lowest = 1 / max(sizes) if self.lowest is None else self.lowest
        scale = frequencies(sizes).to(code.device).clamp_min(lowest).pow(-self.power)
        normed: Tensor = scale / scale.square().mean().sqrt()
        return normed / _multiplicity(sizes).sqrt().to(code.device)


def box(low: float, high: float) -> Tidy:
    """Samples no lower and no higher than these."""
    return lambda inputs: inputs.clamp(low, high)


def ball(radius: float) -> Tidy:
    """Inputs of an L2 norm no larger than this: x · min(1, radius / ‖x‖₂)."""

    def tidy(inputs: Tensor) -> Tensor:
        norms = torch.linalg.vector_norm(inputs.flatten(1), dim=1)
        share: Tensor = radius / norms.clamp_min(radius)
        return inputs * share.view(-1, *[1] * (inputs.dim() - 1))

    return tidy


def blurred(inputs: Tensor, width: float) -> Tensor:
    """Inputs under a circular Gaussian of this standard deviation, in samples, along each axis."""
    sizes, axes = inputs.shape[2:], tuple(range(2, inputs.dim()))
    pass_through = (-2 * (math.pi * width * frequencies(sizes)).square()).exp()
    coefficients = torch.fft.rfftn(inputs, dim=axes) * pass_through.to(inputs.device)
    smooth: Tensor = torch.fft.irfftn(coefficients, s=sizes, dim=axes)
    return smooth


def frequencies(sizes: Shape) -> Tensor:
    """The frequency of each coefficient of a real FFT over some axes, in cycles a sample."""
    *leading, last = [torch.fft.fftfreq(size) for size in sizes[:-1]] + [
        torch.fft.rfftfreq(sizes[-1])
    ]
    grid = torch.meshgrid(*leading, last, indexing="ij")
    return torch.stack(grid).square().sum(0).sqrt()


def _multiplicity(sizes: Shape) -> Tensor:
    """How many coefficients of a full FFT each one of a real FFT stands for: one or two."""
    n = sizes[-1]
    places = torch.arange(n // 2 + 1)
    return torch.where((places == 0) | (2 * places == n), 1.0, 2.0)


def _rfft(inputs: Tensor) -> Tensor:
    coefficients: Tensor = torch.fft.rfftn(inputs, dim=tuple(range(2, inputs.dim())), norm="ortho")
    return coefficients
