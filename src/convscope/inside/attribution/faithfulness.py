"""Whether an attribution shows what a net goes by: clips without, or with only, what it marks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.tracing.layers import Layer
from convscope.inside.tracing.partial import answers_of
from convscope.inside.tracing.target import Target, as_clips, layer_of
from convscope.inside.tracing.untouched import untouched

BLOCKS = {1: 50, 2: 14}
"""Blocks along each axis of a sound and of an image: 20 ms of a second; 196 in all."""


@dataclass(frozen=True)
class Faithfulness:
    """A class's probability while a clip is taken away, and while it is put together.

    Attributes:
        shares: (n_steps + 1,) of the blocks taken away, or put in, from 0 to 1.
        deletion: (n_clips, n_steps + 1) the probability; the sooner it falls, the better.
        insertion: the same; the sooner it rises, the better.
    """

    shares: NDArray[np.float64]
    deletion: NDArray[np.float32]
    insertion: NDArray[np.float32]

    @property
    def deletion_area(self) -> NDArray[np.float64]:
        """(n_clips,) the area under the curve: least is best."""
        return np.asarray(np.trapezoid(self.deletion, self.shares, axis=1), np.float64)

    @property
    def insertion_area(self) -> NDArray[np.float64]:
        """(n_clips,) the area under the curve: most is best."""
        return np.asarray(np.trapezoid(self.insertion, self.shares, axis=1), np.float64)


def faithfulness(
    model: nn.Module,
    clips: Tensor | ArrayLike,
    target: Target,
    importance: ArrayLike,
    n_steps: int = 25,
    n_blocks: int | None = None,
) -> Faithfulness:
    """The deletion and insertion curves of an attribution.

    Blocks of a clip, the most important first, are replaced by the baseline, the mean of each of
    the clip's channels: silence, or a plain colour; and the other way round, from the baseline on.
    Not single samples: some of them taken out at random are noise over the whole clip, which no
    net was trained on, so that a map of chance would seem the most faithful.

    Args:
        model: any module; it is left as it was found.
        clips: (n_clips, *shape), the net's input.
        target: a class.
        importance: (n_clips, *input axes) of each sample; a block has the mean of its samples.
        n_steps: points on the curves behind the first.
        n_blocks: along each axis; None: 50 of a sound, 14 of an image, at most one a sample.

    Source: V. Petsiuk, A. Das, K. Saenko, RISE, BMVC 2018, section 4.3.

    Raises:
        UserError: where there is not an importance for each sample.
    """
    inputs = as_clips(model, clips)
    marks = np.asarray(importance, np.float64)
    if marks.shape != (len(inputs), *inputs.shape[2:]):
        raise UserError(
            f"expected an importance of shape {(len(inputs), *inputs.shape[2:])}, for each sample "
            f"without channels: got {marks.shape}: add the channels up"
        )
    blocks = block_numbers(marks.shape[1:], n_blocks or BLOCKS[marks.ndim - 1])
    ranks = torch.from_numpy(_ranks(marks, blocks)).to(inputs.device)[:, None]
    baseline = inputs.mean(tuple(range(2, inputs.dim())), keepdim=True).expand_as(inputs)
    layer = layer_of(model, inputs, "logits")
    shares = np.linspace(0, 1, n_steps + 1)
    edges = np.rint(shares * (blocks.max() + 1))
    with untouched(model), torch.no_grad():
        curves = [
            [_probability(model, torch.where(ranks < n, *pair), target, layer) for n in edges]
            for pair in ((baseline, inputs), (inputs, baseline))
        ]
    deletion, insertion = (np.stack(curve, axis=1) for curve in curves)
    return Faithfulness(shares, deletion, insertion)


def block_numbers(shape: Sequence[int], n_blocks: int) -> NDArray[np.int64]:
    """The number of the block that each sample is in: of so many along each axis."""
    numbers = np.zeros((), np.int64)
    for n in shape:
        n_own = min(n_blocks, n)
        numbers = numbers[..., None] * n_own + np.arange(n) * n_own // n
    return numbers


def _ranks(marks: NDArray[np.float64], blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_clips, *input axes): 0 where a sample's block is the most important of its clip."""
    sizes = np.bincount(blocks.ravel())
    ranks = []
    for mark in marks:
        means = np.bincount(blocks.ravel(), mark.ravel()) / sizes
        order = np.argsort(-means, kind="stable")
        ranks.append(np.argsort(order, kind="stable")[blocks])
    return np.stack(ranks)


def _probability(
    model: nn.Module, clips: Tensor, target: Target, layer: Layer
) -> NDArray[np.float32]:
    """(n_clips,) of the target's class: the softmax of the logits."""
    logits = answers_of(model, clips, {"logits": layer})["logits"]
    units = target.units(len(clips), layer).to(logits.device)
    chosen = torch.softmax(logits.float(), 1)[torch.arange(len(clips)), units]
    return np.asarray(chosen.cpu().numpy(), np.float32)
