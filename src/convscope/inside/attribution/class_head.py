"""Where a net's maps end and its classes begin: what CAM needs to know."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.tracing.layers import Layer, Op, Trace, layer_named, layers_of, traced
from convscope.inside.tracing.trace import DROPOUTS

AVERAGES = frozenset(
    {"mean", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"}
)
PASSED = DROPOUTS | {"flatten", "view", "reshape", "squeeze", "contiguous"}
"""Operations that change nothing about what a class is a sum of."""


@dataclass(frozen=True)
class AverageHead:
    """A head that averages maps over all positions and adds the means up.

    Attributes:
        maps: the layer whose maps are averaged.
        weights: (n_classes, n_maps), what each class adds up; None where the maps are the classes.
    """

    maps: Layer
    weights: Tensor | None


def average_head(model: nn.Module, clip: Tensor) -> AverageHead | None:
    """The head of a net that ends in a global average, found by a forward pass; None of others.

    Behind the average may come one dense layer, dropout anywhere, and a softmax at the end. The
    bias of the dense layer is left out: it has no place.

    Args:
        model: any module.
        clip: (1, *input shape).
    """
    trace, output = traced(model, clip)
    if not isinstance(output, Tensor):
        return None
    i: int | None = trace.logits(output)
    weights = None
    while i is not None and not _is_global_average(trace.ops[i]):
        op = trace.ops[i]
        if op.name == "linear" and weights is None:
            weights = op.weight
        elif op.name not in PASSED:
            return None
        i = _before(trace, i)
    while i is not None and (trace.ops[i].name in PASSED or _is_global_average(trace.ops[i])):
        i = _before(trace, i)
    if i is None or trace.ops[i].output.dim() != clip.dim():
        return None
    return AverageHead(_layer(trace, i), weights)


def last_maps(model: nn.Module, clip: Tensor) -> Layer:
    """The deepest layer that still has positions: what a global average takes, else the last
    convolution's activation.

    Raises:
        UserError: where no layer has more than one position.
    """
    head = average_head(model, clip)
    if head is not None:
        return head.maps
    acts = [layer for layer in layers_of(model, clip).values() if layer.kind == "act"]
    for layer in reversed(acts):
        if max(layer.shape[1:], default=1) > 1:
            return layer
    raise UserError(f"{type(model).__name__}: no convolution has maps of more than one position")


def maps_named(model: nn.Module, clip: Tensor, name: str | None) -> Layer:
    """A layer with maps by its name; of None the deepest.

    Raises:
        UserError: for a layer without positions, or one that the net does not have.
    """
    if name is None:
        return last_maps(model, clip)
    layer = layer_named(layers_of(model, clip), name)
    if len(layer.shape) < 2:
        raise UserError(f"{name} has no map to lay over a clip: take a convolution such as act1")
    return layer


def _is_global_average(op: Op) -> bool:
    """By its name and by its numbers, as an average may also be over a part of the positions."""
    if op.name not in AVERAGES or op.inputs[0].dim() < 3:
        return False
    means = op.inputs[0].flatten(2).mean(2).flatten()
    return op.output.numel() == len(means) and torch.allclose(
        op.output.flatten(), means, atol=1e-6, equal_nan=True
    )


def _before(trace: Trace, i: int) -> int | None:
    """The operation whose output goes first into another's; None where that is the clip."""
    inputs = trace.ops[i].inputs
    if not inputs:
        return None
    return max((j for j in range(i) if trace.ops[j].output is inputs[0]), default=None)


def _layer(trace: Trace, i: int) -> Layer:
    """The layer that an operation gives: one of the net's own by its name, or `maps`."""
    op = trace.ops[i]
    call = op.name, sum(other.name == op.name for other in trace.ops[:i])
    shape, fields = tuple(op.output.shape[1:]), trace.fields(op.output)
    view = trace.views.get(id(op.output))
    for own in trace.layers(trace.ops[-1].output):
        if own.call == call and own.kind != "logits":
            return replace(own, fields=fields, view=view)
    return Layer("maps", "act", call, shape, fields, view=view)
