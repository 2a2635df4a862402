"""A map laid over a clip: each position stands in the middle of what its unit sees."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from convscope.inside.tracing.layers import Field


def interpolated(maps: Tensor, fields: Sequence[Field], shape: Sequence[int]) -> Tensor:
    """Maps (…, *positions) over the axes of the input: (…, *shape).

    A sample between the centres of two receptive fields has a share of both, by its distance; one
    before the first or behind the last has their value. So the map stands where its units look,
    which stretching it over the clip would miss by padding and by partial windows at the end.

    Args:
        maps: of a layer.
        fields: of the layer, one for each axis.
        shape: of the input without its channels.
    """
    first_axis = maps.dim() - len(shape)
    for axis, (field, n_samples) in enumerate(zip(fields, shape, strict=True), first_axis):
        maps = _interpolated_along(maps.movedim(axis, -1), field, n_samples).movedim(-1, axis)
    return maps


def stretched(maps: Tensor, shape: Sequence[int]) -> Tensor:
    """Maps (n_clips, …, *positions) over the axes of the input where what units see is not known.

    The last axes of both are laid over each other from end to end, such as the frames of a
    spectrogram over the samples that it was made of; over other axes of a map, such as bands, the
    mean is taken.

    Args:
        maps: with one axis of clips or more before the positions; fewer positions than the input
            has axes are the same along the others.
        shape: of the input without its channels.
    """
    n_axes = len(shape)
    while maps.dim() - 1 > n_axes:
        maps = maps.mean(dim=1)
    while maps.dim() - 1 < n_axes:
        maps = maps[:, None]
    mode = {1: "linear", 2: "bilinear"}[n_axes]
    over: Tensor = functional.interpolate(maps[:, None], tuple(shape), mode=mode)
    return over[:, 0]


def _interpolated_along(maps: Tensor, field: Field, n_samples: int) -> Tensor:
    """(…, n_positions) over the samples of the last axis, linear between the centres."""
    n_positions = maps.shape[-1]
    samples = torch.arange(n_samples, dtype=torch.float64, device=maps.device)
    position = ((samples - field.centre(0)) / field.stride).clamp(0, n_positions - 1)
    before = position.long().clamp(max=max(n_positions - 2, 0))
    share = (position - before).to(maps.dtype)
    behind = (before + 1).clamp(max=n_positions - 1)
    return maps[..., before] * (1 - share) + maps[..., behind] * share
