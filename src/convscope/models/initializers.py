"""Initial weights as Keras draws those of whole convolutions, from torch's global generator.

With fan_in = inputs · positions of the filter and fan_out = filters · positions of the filter, the
variance of a weight is 2 / (fan_in + fan_out) for glorot and 2 / fan_in for he. uniform: between
±√(3 · variance). normal: cut off at two standard deviations, and widened so that the variance is
that after the cut. Unlike torch's `kaiming_*_`, he knows no gain: it is ReLU's for any activation.
Of a convolution in groups, inputs and filters are those of one group; Keras counts all inputs of a
depthwise one, so that its filters begin narrower.

Sources: X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural
networks (2010); K. He and others, Delving deep into rectifiers (2015); Keras `VarianceScaling`.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal variable cut off at ±2."""


def fans(weight: Tensor, groups: int = 1) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (filters, inputs of one group, …positions of the filter)."""
    n_positions = math.prod(weight.shape[2:])
    return weight.shape[1] * n_positions, weight.shape[0] // groups * n_positions


def _draw(
    kind: Literal["glorot", "he"],
    distribution: Literal["uniform", "normal"],
    weight: Tensor,
    groups: int = 1,
) -> None:
    fan_in, fan_out = fans(weight, groups)
    std = math.sqrt(2 / (fan_in + fan_out if kind == "glorot" else fan_in))
    if distribution == "uniform":
        limit = math.sqrt(3) * std
        nn.init.uniform_(weight, -limit, limit)
    else:
        std = std / TRUNCATED_STD
        nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


INITIALIZERS: dict[str, Callable[..., None]] = {
    "glorot_uniform": partial(_draw, "glorot", "uniform"),
    "glorot_normal": partial(_draw, "glorot", "normal"),
    "he_uniform": partial(_draw, "he", "uniform"),
    "he_normal": partial(_draw, "he", "normal"),
}
"""Each is called with a weight and the number of groups of its convolution."""

LOWEST_HZ, HIGHEST_HZ = 60.0, 7_600.0
"""Edges of the filter bank."""

HIGHEST_SHARE = HIGHEST_HZ / 16_000
"""Its upper edge is at most this share of the sampling rate."""

FILTER_NORM = 2.44 * 400
"""Root mean square of each filter times its samples, so that a sound has the same energies at each
rate. Adam's steps do not scale with the weights: filters of 400 samples a few times smaller are
washed out by the first steps."""


def filter_bank(n_bands: int, n_times: int, rate_hz: int) -> Tensor:
    """Windowed cosines, then sines, at frequencies evenly spaced in mel: a learnt bank's start.

    Band i has the weights c·w(t)·cos(2π f_i t) and c·w(t)·sin(2π f_i t), w a Hann window, so that
    the sum of both answers' squares is the energy around f_i, whatever the phase. From 16 kHz on
    every rate has the same bands; below, they are closer, up to 0.475 of the rate.

    Args:
        n_bands: frequencies.
        n_times: samples of a filter.
        rate_hz: of the sounds that it is for.

    Returns:
        (2 · n_bands, 1, n_times).

    Sources: mel = 2595 log10(1 + f / 700), D. O'Shaughnessy, Speech Communication (1987);
    N. Zeghidour and others, Learning filterbanks from raw speech (2018).
    """
    highest_hz = min(HIGHEST_HZ, HIGHEST_SHARE * rate_hz)
    lowest, highest = (2595 * math.log10(1 + edge / 700) for edge in (LOWEST_HZ, highest_hz))
    mels = np.linspace(lowest, highest, n_bands + 2)[1:-1]
    cycles = 700 * (10 ** (mels / 2595) - 1) / rate_hz
    window = np.hanning(n_times + 2)[1:-1]
    window *= FILTER_NORM / n_times / np.sqrt(np.mean(window**2))
    phases = 2 * np.pi * np.outer(cycles, np.arange(n_times) - (n_times - 1) / 2)
    filters = window * np.concatenate([np.cos(phases), np.sin(phases)])
    return torch.from_numpy(filters[:, None]).float()
