"""Feature maps: what each layer answers to a clip, and when."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.tracing.layers import Layer
from convscope.inside.tracing.record import answers
from convscope.inside.tracing.target import as_array
from convscope.inside.tracing.trace import ACTIVATIONS

RECTIFIERS = ACTIVATIONS - {"tanh", "hardtanh", "sigmoid", "softplus"}
"""Activations that hold back what is negative: a unit that is never positive says nothing."""


@dataclass(frozen=True)
class FeatureMaps:
    """What the units of one layer answer to one clip.

    Attributes:
        layer: which.
        values: (n_units, n_steps) of a sound, (n_units, height, width) of an image.
        dead: (n_units,) whether a unit is dead on this clip: constant, or never positive behind an
            activation that holds back what is negative.
    """

    layer: Layer
    values: NDArray[np.float32]
    dead: NDArray[np.bool_]

    @property
    def strongest(self) -> NDArray[np.int64]:
        """(n_units,) the units, the one of the largest standard deviation over the clip first."""
        spread = self.values.reshape(len(self.values), -1).std(axis=1)
        return np.argsort(-np.where(self.dead, -1, spread), kind="stable")


def feature_maps(
    model: nn.Module, clips: Tensor, layers: dict[str, Layer]
) -> list[dict[str, FeatureMaps]]:
    """For each clip, the maps of some layers by name.

    Args:
        model: any module; it is left as it was found.
        clips: (n_clips, *input shape).
        layers: of `layers_of`, those with positions.
    """
    answered = answers(model, clips, layers)
    return [
        {
            name: FeatureMaps(layer, answered[name][i], dead_on(answered[name][i], layer))
            for name, layer in layers.items()
        }
        for i in range(len(clips))
    ]


def dead_on(values: ArrayLike | Tensor, layer: Layer) -> NDArray[np.bool_]:
    """(n_units,): which maps (n_units, …) say nothing: constant, or never positive behind a
    rectifier such as relu or gelu."""
    flat = as_array(values)
    flat = flat.reshape(len(flat), -1)
    is_constant = flat.max(axis=1) == flat.min(axis=1)
    is_rectified = layer.activation in RECTIFIERS
    return np.asarray(is_constant | (is_rectified & (flat.max(axis=1) <= 0)))


def step_times(layer: Layer, rate_hz: float, axis: int = 0) -> NDArray[np.float64]:
    """When each step of a layer's map is, in s: the middle of what it sees of the clip.

        t[i] = (start + i · stride + (size - 1) / 2) / rate

    with the start, stride and size of the layer's receptive field. It may begin before 0 or end
    behind the clip where a layer pads.

    Args:
        layer: of `layers_of`.
        rate_hz: of the clip (of a spectrogram: frames a second).
        axis: of its positions.

    Raises:
        UserError: for a layer whose receptive field is not known.
    """
    if layer.fields is None:
        raise UserError(
            f"{layer.name}: expected a layer whose receptive field is known, such as act1: "
            "the positions of this one are lost on the way"
        )
    n_steps = layer.shape[1 + axis]
    return np.array([layer.fields[axis].centre(i) for i in range(n_steps)]) / rate_hz
