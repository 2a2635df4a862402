"""What is explained: one number of a net, or a whole map, for each clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.tracing.layers import Layer, layer_named, layers_of
from convscope.inside.tracing.partial import answers_of

Whole: TypeAlias = Literal["strongest", "map"]
Place: TypeAlias = Whole | tuple[int, ...]
"""The largest value of a unit's map, the whole map, or one position of it."""


@dataclass(frozen=True)
class Target:
    """A unit and where in its map.

    Attributes:
        layer: conv3, act3, dense1 or logits.
        unit: its number, a class of the logits; or one for each clip.
        at: where in the unit's map; without a meaning where the layer has no positions.

    Raises:
        UserError: for a place that is none.
    """

    layer: str = "logits"
    unit: int | Sequence[int] = 0
    at: Place = "strongest"

    def __post_init__(self) -> None:
        if not isinstance(self.at, tuple) and self.at not in get_args(Whole):
            raise UserError(
                f"at={self.at!r}: expected 'strongest', 'map' or a position, an index for each "
                "axis, such as (5,)"
            )

    def units(self, n_clips: int, layer: Layer) -> Tensor:
        """(n_clips,) the unit of each clip.

        Raises:
            UserError: for units that the layer does not have, or not one for each clip.
        """
        units = np.atleast_1d(np.asarray(self.unit, np.int64))
        if len(units) not in (1, n_clips):
            raise UserError(f"expected one unit, or one for each of {n_clips} clips: {len(units)}")
        for unit in units[(units < 0) | (units >= layer.n_units)]:
            raise UserError(
                f"{self.layer}:{unit}: {self.layer} has {layer.n_units} units, "
                f"0 to {layer.n_units - 1}"
            )
        return torch.from_numpy(np.resize(units, n_clips))

    def numbers(self, answers: Tensor, layer: Layer) -> Tensor:
        """Of what the layer answers, (n_clips, n_units, …), the numbers meant: (n_clips, n)."""
        n_clips = len(answers)
        units = self.units(n_clips, layer).to(answers.device)
        maps = answers[torch.arange(n_clips, device=answers.device), units]
        if maps.dim() == 1:
            return maps[:, None]
        if isinstance(self.at, tuple):
            place: Any = (slice(None), *_within(self.at, maps.shape[1:], self.layer))
            return maps[place][:, None]
        flat = maps.flatten(1)
        # gather and not amax, which would share the gradient among equal values
        return flat if self.at == "map" else flat.gather(1, flat.argmax(1, keepdim=True))


def _within(at: tuple[int, ...], shape: Sequence[int], name: str) -> tuple[int, ...]:
    fits = len(at) == len(shape) and all(0 <= i < n for i, n in zip(at, shape, strict=True))
    if not fits:
        raise UserError(
            f"position {at}: maps of {name} have {'×'.join(map(str, shape))} positions, from 0"
        )
    return at


def as_clips(model: nn.Module, clips: Tensor | ArrayLike) -> Tensor:
    """(n_clips, *shape) where the model is and as precise as it, no part of any graph."""
    if not isinstance(clips, Tensor):
        clips = torch.from_numpy(np.array(clips, order="C"))  # a copy, as some are not writable
    return clips.detach().to(number_of(model))


def number_of(model: nn.Module) -> Tensor:
    """One of the numbers that a model calculates with: it says where it is and how precise.

    That of a model without any is a float32 on the CPU.
    """
    held = chain(model.parameters(), model.buffers())
    return next((each for each in held if each.is_floating_point()), torch.zeros(()))


def layer_of(model: nn.Module, clips: Tensor, name: str) -> Layer:
    """A layer of a net that these clips fit."""
    return layer_named(layers_of(model, clips[:1]), name)


def numbers_of(model: nn.Module, clips: Tensor, target: Target, layer: Layer) -> Tensor:
    """The target's numbers, (n_clips, n), as part of the graph; of a map all its positions."""
    written_on = clips.clone()  # as a net may do that begins with an operation in place
    answers = answers_of(model, written_on, {layer.name: layer})[layer.name]
    return target.numbers(answers, layer)


@torch.no_grad()
def scores_of(model: nn.Module, clips: Tensor, target: Target, layer: Layer) -> Tensor:
    """(n_clips,) what is explained: the target's number, the mean of a whole map."""
    return numbers_of(model, clips, target, layer).mean(1)


@dataclass(frozen=True)
class Attribution:
    """How much each sample of each clip matters to a target.

    Attributes:
        values: (n_clips, *shape) as the clips; the method says what sign and scale mean.
        scores: (n_clips,) what is explained.
        gap: (n_clips,) of integrated gradients: how far the sum of the values is from what the
            score gains over the baseline's; None of other methods.
    """

    values: NDArray[np.float32]
    scores: NDArray[np.float32]
    gap: NDArray[np.float32] | None = None


def as_array(values: ArrayLike | Tensor) -> NDArray[np.float64]:
    """An array in float64 of an array or a tensor, whatever its device, precision and graph."""
    if isinstance(values, Tensor):
        values = values.detach().to("cpu", torch.float64).numpy()
    return np.asarray(values, dtype=np.float64)
