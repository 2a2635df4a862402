"""A map laid over a clip: each position stands in the middle of what its unit sees."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.inside.layers import Field


def placement(field: Field, n_positions: int, n_samples: int) -> NDArray[np.float32]:
    """(n_samples, n_positions) weights that lay a map over an axis of the input.

    A sample between the centres of two receptive fields has a share of both, by its distance; one
    before the first or behind the last has their value. So the map stands where its units look,
    which stretching it over the clip would miss by padding and by partial windows at the end.
    """
    centres = [field.centre(i) for i in range(n_positions)]
    samples = np.arange(n_samples)
    hats = [np.interp(samples, centres, hat) for hat in np.eye(n_positions)]
    return np.stack(hats, axis=1).astype(np.float32)


def placed(maps: Tensor, fields: Sequence[Field], shape: Sequence[int]) -> Tensor:
    """Maps (…, *positions) over the axes of the input: (…, *shape).

    Args:
        maps: of a layer.
        fields: of the layer, one for each axis.
        shape: of the input without its channels.
    """
    n_axes = len(shape)
    for axis, (field, n_samples) in enumerate(zip(fields, shape, strict=True)):
        weights = torch.from_numpy(
            placement(field, maps.shape[maps.dim() - n_axes + axis], n_samples)
        )
        moved = maps.movedim(maps.dim() - n_axes + axis, -1) @ weights.to(maps).T
        maps = moved.movedim(-1, maps.dim() - n_axes + axis)
    return maps
