"""The filters of a net's convolutions: their weights, and what they slide over."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.inside.results.parts import NotApplicable
from convscope.inside.tracing.layers import Layer, Operation, called, layer_named
from convscope.inside.tracing.trace import CONVOLUTIONS, Call, takes_kept_statistics, watched
from convscope.inside.tracing.untouched import untouched
from convscope.inside.tracing.windows import windows_of


@dataclass(frozen=True)
class Filters:
    """The filters of one convolution.

    Attributes:
        layer: its name.
        weights: (n_filters, n_channels, n_taps, …); of a grouped convolution the channels of a
            group. A dilated filter has zeros between its taps.
        steps: for each axis, how many input samples there are from tap to tap.
        gain: (n_filters,) by which the batch norm behind multiplies: gamma / sqrt(variance + eps);
            None where there is none.
        is_followed: whether those steps are known; where they are not, a step counts as 1.
    """

    layer: str
    weights: NDArray[np.float32]
    steps: tuple[int, ...]
    gain: NDArray[np.float32] | None = None
    is_followed: bool = True

    @property
    def has_taps(self) -> bool:
        """Whether they look at more than one position; else they only mix channels."""
        return any(n > 1 for n in self.weights.shape[2:])

    def folded(self) -> NDArray[np.float32]:
        """The weights of the one convolution that does what this and its batch norm do.

        Without a batch norm they are the weights themselves.
        """
        if self.gain is None:
            return self.weights
        return self.gain.reshape(-1, *[1] * (self.weights.ndim - 1)) * self.weights


def filters_of(model: nn.Module, clip: Tensor, layers: Mapping[str, Layer]) -> dict[str, Filters]:
    """The filters of the convolutions among some layers, by name.

    Args:
        model: any module; it is left as it was found.
        clip: (1, *input shape), an example of its input.
        layers: of `layers_of`.

    Raises:
        UserError: where the forward pass fails.
    """
    seen = _Convolutions(clip.dim() - 2)
    with untouched(model), torch.no_grad(), watched(model, seen.begin, seen.on_operation):
        called(model, clip)
    return {
        name: _filters(layer, seen.facts[layer.call])
        for name, layer in layers.items()
        if layer.kind == "conv"
    }


@dataclass
class _Facts:
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    gain: NDArray[np.float32] | None = None


@dataclass
class _Convolutions:
    """What a forward pass does with each convolution; outputs are kept, so that they stay apart."""

    n_axes: int
    facts: dict[Operation, _Facts] = field(default_factory=dict)
    outputs: dict[int, tuple[Tensor, Operation]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def begin(self, _clips: Tensor) -> None:
        self.counts.clear()

    def on_operation(
        self, name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        is_affine = name == "batch_norm" and takes_kept_statistics(args, kwargs)
        if is_affine and args and id(args[0]) in self.outputs:
            _, convolution = self.outputs[id(args[0])]
            self.facts[convolution].gain = _slope(func, args, kwargs)
        output = func(*args, **kwargs)
        if name in CONVOLUTIONS:
            convolution = (name, self.counts[name])
            windows = windows_of(name, args, kwargs, self.n_axes)
            _, strides, _, dilations = zip(*windows, strict=True)
            self.facts[convolution] = _Facts(strides, dilations)
            self.outputs[id(output)] = output, convolution
        self.counts[name] += 1
        return output


def _slope(func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NDArray[np.float32]:
    """In evaluation a batch norm is affine: what it makes of ones, less what it makes of zeros."""
    zeros = torch.zeros_like(args[0][:1])
    rise = func(zeros + 1, *args[1:], **kwargs) - func(zeros, *args[1:], **kwargs)
    return np.asarray(rise.flatten(2)[0, :, 0].float().cpu().numpy())


def _filters(layer: Layer, facts: _Facts) -> Filters:
    assert layer.weight is not None
    weights = layer.weight.detach().float().cpu().numpy()
    for axis, dilation in enumerate(facts.dilations, 2):
        weights = _spread(weights, axis, dilation)
    strides = [_stride(layer, dim) for dim, _ in enumerate(facts.strides, 2)]
    steps = tuple(
        1 if whole is None else whole // own
        for whole, own in zip(strides, facts.strides, strict=True)
    )
    return Filters(layer.name, weights, steps, facts.gain, is_followed=None not in strides)


def _stride(layer: Layer, dim: int) -> int | None:
    """Samples of the input from one position to the next; None where that is not known."""
    for each in layer.view or ():
        if each is not None and each.dim == dim and each.bands is None and not each.is_mixed:
            return each.field.stride
    return None


def _spread(weights: NDArray[np.float32], axis: int, dilation: int) -> NDArray[np.float32]:
    """Zeros put between the taps, as a dilated convolution has them."""
    shape = list(weights.shape)
    shape[axis] = (shape[axis] - 1) * dilation + 1
    spread = np.zeros(shape, dtype=weights.dtype)
    np.moveaxis(spread, axis, 0)[::dilation] = np.moveaxis(weights, axis, 0)
    return spread


def convolution_named(name: str, layers: Mapping[str, Layer]) -> str:
    """The convolution that a chosen layer is, or hands on: conv3 of conv3 and of act3.

    Raises:
        UserError: for a layer that is not there.
        NotApplicable: for a dense layer or the logits.
    """
    layer = layer_named(layers, name)
    if layer.kind not in ("conv", "act"):
        convolutions = [each for each in layers if layers[each].kind == "conv"]
        raise NotApplicable(
            f"{name} has no filters: choose a convolution, {convolutions[0]} to {convolutions[-1]}"
        )
    return name.replace("act", "conv")
