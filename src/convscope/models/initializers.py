"""Initial weights as Keras draws them, from torch's global generator.

With fan_in = inputs · positions of the filter and fan_out = filters · positions of the filter, the
variance of a weight is 2 / (fan_in + fan_out) for glorot and 2 / fan_in for he. uniform: between
±√(3 · variance). normal: cut off at two standard deviations, and widened so that the variance is
that after the cut. Unlike torch's `kaiming_*_`, he knows no gain: it is ReLU's for any activation.

Sources: X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural
networks (2010); K. He and others, Delving deep into rectifiers (2015); Keras `VarianceScaling`.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor, nn

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal variable cut off at ±2."""


def fans(weight: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (filters, inputs, …positions of the filter)."""
    n_positions = math.prod(weight.shape[2:])
    return weight.shape[1] * n_positions, weight.shape[0] * n_positions


def _draw(
    kind: Literal["glorot", "he"], distribution: Literal["uniform", "normal"], weight: Tensor
) -> None:
    fan_in, fan_out = fans(weight)
    std = math.sqrt(2 / (fan_in + fan_out if kind == "glorot" else fan_in))
    if distribution == "uniform":
        limit = math.sqrt(3) * std
        nn.init.uniform_(weight, -limit, limit)
    else:
        std = std / TRUNCATED_STD
        nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


INITIALIZERS: dict[str, Callable[[Tensor], None]] = {
    "glorot_uniform": partial(_draw, "glorot", "uniform"),
    "glorot_normal": partial(_draw, "glorot", "normal"),
    "he_uniform": partial(_draw, "he", "uniform"),
    "he_normal": partial(_draw, "he", "normal"),
}
