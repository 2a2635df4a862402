"""What a unit deep in a net does to the input itself: all layers up to it as one linear filter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.tracing.backward import sent_back
from convscope.inside.tracing.layers import Field, Layer, called
from convscope.inside.tracing.record import answers, record
from convscope.inside.tracing.untouched import untouched

BATCH = 16


@dataclass(frozen=True)
class EffectiveFilters:
    """The linear filters that some units of a layer are at the steps that drive them most.

    Attributes:
        layer: its name.
        units: (n_units,) their indices.
        weights: (n_units, n_channels, n_taps, …) on the input: tap k of an axis weighs the sample
            k behind the first one of the unit's receptive field. What lies outside the clip is 0,
            and all of a unit that passes nothing on.
        clips: (n_units,) which clip each is linearised at.
        steps: (n_units, n_axes) and at which position of the layer's map.
    """

    layer: str
    units: NDArray[np.int64]
    weights: NDArray[np.float32]
    clips: NDArray[np.int64]
    steps: NDArray[np.int64]


def effective_filters(
    model: nn.Module, clips: Tensor, layer: Layer, units: Sequence[int] | None = None
) -> EffectiveFilters:
    """The composition of everything from the input to a layer, linearised at a clip.

    Of unit u it is the gradient at the clip x and the position p where u answers most strongly,

        g_u[k] = ∂ a_u[p] / ∂ x[start + p · stride + k],    k = 0 … receptive field - 1,

    so that a_u[p] changes by sum over k of g_u[k] δ[start + p · stride + k] for a small change δ of
    the clip. It slides over the input, sample by sample at the input's rate; the layer itself keeps
    every stride-th answer. In a linear net it is the convolution of the filters on the way, each
    spread by the strides before it, whatever the clip. Where the field of some position lies wholly
    within the clip, only such positions are taken: at the others padding stands in for samples.

    Args:
        model: any module; it is left as it was found.
        clips: (n_clips, *input shape).
        layer: of `layers_of`: conv3 is before its batch norm, act3 behind it and its activation.
        units: which; None: all.

    Raises:
        UserError: for a layer without positions of known receptive field.
    """
    if layer.fields is None:
        raise UserError(
            f"{layer.name}: expected a layer whose receptive field is known, such as conv1: "
            "the positions of this one are lost on the way"
        )
    chosen = np.arange(layer.n_units) if units is None else np.asarray(units, dtype=np.int64)
    best, steps = _strongest_steps(model, clips, layer, chosen)
    batches = [slice(i, i + BATCH) for i in range(0, len(chosen), BATCH)]
    gradients = [
        _gradients(model, clips[best[batch]], layer, chosen[batch], steps[batch])
        for batch in batches
    ]
    return EffectiveFilters(layer.name, chosen, np.concatenate(gradients), best, steps)


def _strongest_steps(
    model: nn.Module, clips: Tensor, layer: Layer, units: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each unit the clip (n_units,) and the position (n_units, n_axes) that drive it most."""
    maps = answers(model, clips, {layer.name: layer})[layer.name][:, units]
    assert layer.fields is not None
    for axis, (field, n_samples) in enumerate(zip(layer.fields, clips.shape[2:], strict=True), 2):
        inside = positions_inside(field, maps.shape[axis], n_samples)
        if inside.any():
            maps = np.where(np.expand_dims(inside, _others(axis, maps.ndim)), maps, -np.inf)
    flat = np.moveaxis(maps, 1, 0).reshape(len(units), -1)
    places = np.unravel_index(flat.argmax(axis=1), (len(maps), *maps.shape[2:]))
    return places[0].astype(np.int64), np.stack(places[1:], axis=1).astype(np.int64)


def positions_inside(field: Field, n_positions: int, n_samples: int) -> NDArray[np.bool_]:
    """(n_positions,): whether what the unit sees there lies wholly within the clip."""
    starts = field.start + np.arange(n_positions) * field.stride
    return np.asarray((starts >= 0) & (starts + field.size <= n_samples))


def _others(axis: int, n_axes: int) -> tuple[int, ...]:
    return tuple(i for i in range(n_axes) if i != axis)


def _gradients(
    model: nn.Module,
    clips: Tensor,
    layer: Layer,
    units: NDArray[np.int64],
    steps: NDArray[np.int64],
) -> NDArray[np.float32]:
    """(n_units, n_channels, n_taps, …) from (n_units, *input shape): a clip for each unit."""
    inputs = clips.detach().clone().requires_grad_()
    with untouched(model), torch.enable_grad(), record(model, {layer.name: layer}) as recorded:
        called(model, inputs)
        places = torch.from_numpy(np.column_stack([np.arange(len(units)), units, steps]))
        answered = recorded[layer.name][tuple(places.T)].sum()
    gradient = sent_back(model, answered, inputs)
    assert layer.fields is not None
    windows = [
        _window(each, layer.fields, step)
        for each, step in zip(gradient.float().cpu().numpy(), steps, strict=True)
    ]
    return np.stack(windows)


def _window(
    gradient: NDArray[np.float32], fields: Sequence[Field], step: NDArray[np.int64]
) -> NDArray[np.float32]:
    """What a unit sees of a clip (n_channels, …), with zeros for what is outside the clip."""
    for axis, (field, position) in enumerate(zip(fields, step, strict=True), 1):
        start, stop = field.of(int(position))
        n_samples = gradient.shape[axis]
        widths = [(0, 0)] * gradient.ndim
        widths[axis] = (max(0, -start), max(0, stop - n_samples))
        first = max(0, start)
        gradient = np.pad(gradient.take(range(first, min(stop, n_samples)), axis), widths)
    return gradient
