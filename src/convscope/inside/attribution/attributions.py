"""The attribution methods by name."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from convscope.inside.attribution.gradients import (
    deconvnet,
    gradient_times_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from convscope.inside.attribution.occlusion import occlusion
from convscope.inside.tracing.target import Attribution, Target

Attribute: TypeAlias = Callable[[nn.Module, Tensor | ArrayLike, Target], Attribution]

ATTRIBUTIONS: dict[str, Attribute] = {
    "saliency": saliency,
    "gradient_times_input": gradient_times_input,
    "guided_backprop": guided_backprop,
    "deconvnet": deconvnet,
    "integrated_gradients": integrated_gradients,
    "smooth_grad": smooth_grad,
    "occlusion": occlusion,
}
"""Each takes a model, clips and a target."""

SIGNED = frozenset({"gradient_times_input", "integrated_gradients", "occlusion"})
"""Those whose positive values speak for the target and whose negative ones against it; of the
others only the size says how much a sample matters."""


def importance(name: str, attribution: Attribution) -> NDArray[np.float32]:
    """(n_clips, *input axes) how much each sample matters, its channels added up: the value where
    its sign speaks for or against the target, else its size."""
    values = attribution.values if name in SIGNED else np.abs(attribution.values)
    return np.asarray(values.sum(axis=1), np.float32)
