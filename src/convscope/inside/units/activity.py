"""How active each unit of a net is over a data set, and which units answer alike: streamed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.inside.subject.stages import Answer, Clips, answered, in_batches, stages_of
from convscope.inside.tracing.layers import Layer, layers_of

Numbers = NDArray[np.float64]

BOUNDED: Mapping[str, tuple[float, float]] = {
    "tanh": (0.0, 1.0),
    "hardtanh": (0.0, 1.0),
    "sigmoid": (0.5, 0.5),
    "hardsigmoid": (0.5, 0.5),
}
"""The middle and half the width of the range of an activation that has two bounds."""


@dataclass(frozen=True)
class Activity:
    """What the units of one layer answer to a data set.

    Attributes:
        layer: its name, such as conv3.
        activation: that follows it; None where nothing does.
        positive_share: (n_units,) of the positions of all clips: where a positive value enters the
            activation, after batch norm.
        pinned_share: (n_units,) where what leaves it is close to one of its bounds; nan where it
            has none.
        lowest, highest: (n_units,) of the values that leave it.
        means: (n_clips, n_units) over a clip's positions: the mean of max(response, 0).
        peaks: (n_clips, n_units) the largest response to a clip.
        correlation: (n_units, n_units) Pearson's, of the responses over all positions of all
            clips; nan for a unit whose response never changes.
    """

    layer: str
    activation: str | None
    positive_share: Numbers
    pinned_share: Numbers
    lowest: Numbers
    highest: Numbers
    means: NDArray[np.float32]
    peaks: NDArray[np.float32]
    correlation: Numbers

    @property
    def n_units(self) -> int:
        return len(self.positive_share)


def activity(
    model: nn.Module,
    clips: Clips,
    stages: Mapping[str, Layer] | None = None,
    bound: float = 0.99,
) -> dict[str, Activity]:
    """The activity of the units of each layer, in one pass over the clips.

    Beside the batch in hand, sums over positions are kept, n_units² at most, and two numbers for
    each clip and unit.

    Args:
        model: any module; it is left as it was found.
        clips: (n_clips, …) as the net takes them, or batches of such.
        stages: which layers, from `stages_of`; None: all.
        bound: from here to its bound an activation is pinned: |a| > bound for tanh, and for the
            sigmoid |2 a − 1| > bound.

    Raises:
        UserError: where there are no clips, or the forward pass fails.
    """
    example, batches = in_batches(model, clips)
    stages = stages or stages_of(layers_of(model, example))
    tallies = {name: ActivityTally(name, each.activation, bound) for name, each in stages.items()}
    for answers in answered(model, batches, stages):
        for name, answer in answers.items():
            tallies[name].add(answer)
    return {name: tally.result() for name, tally in tallies.items()}


class ActivityTally:
    """Adds up the answers of one layer, batch by batch."""

    def __init__(self, layer: str, activation: str | None, bound: float = 0.99) -> None:
        self._layer, self._activation, self._bound = layer, activation, bound
        self._sums: dict[str, Tensor] = {}
        self._n_positions = 0
        self._origin: Tensor | None = None
        self._means: list[Tensor] = []
        self._peaks: list[Tensor] = []
        self._lows: list[Tensor] = []

    def add(self, answer: Answer) -> None:
        """One batch more."""
        leaving = answer.leaving
        self._n_positions += leaving.shape[0] * leaving.shape[2]
        self._add("positive", (answer.entering > 0).sum((0, 2)))
        self._add("pinned", self._pinned(leaving).sum((0, 2)))
        self._means.append(leaving.clamp(min=0).mean(2).cpu())
        self._peaks.append(leaving.amax(2).cpu())
        self._lows.append(leaving.amin((0, 2)).cpu())
        self._add_products(leaving)

    def _add_products(self, leaving: Tensor) -> None:
        """Sums for the correlation; numbers are taken from near their mean, so that none cancel."""
        if self._origin is None:
            self._origin = leaving.mean((0, 2))[:, None]
        flat = leaving.transpose(0, 1).flatten(1) - self._origin
        self._add("sum", flat.sum(1))
        self._add("products", flat @ flat.T)

    def _pinned(self, leaving: Tensor) -> Tensor:
        if self._activation is None or self._activation not in BOUNDED:
            return torch.zeros_like(leaving[:1], dtype=torch.bool)
        middle, half = BOUNDED[self._activation]
        return ((leaving - middle) / half).abs() > self._bound

    def _add(self, name: str, value: Tensor) -> None:
        value = value.double().cpu()
        self._sums[name] = self._sums[name] + value if name in self._sums else value

    def result(self) -> Activity:
        """What they add up to."""
        sums = {name: value.numpy() for name, value in self._sums.items()}
        is_bounded = self._activation in BOUNDED
        peaks = torch.cat(self._peaks).numpy()
        return Activity(
            layer=self._layer,
            activation=self._activation,
            positive_share=sums["positive"] / self._n_positions,
            pinned_share=sums["pinned"] / self._n_positions if is_bounded else _none(peaks),
            lowest=torch.stack(self._lows).amin(0).double().numpy(),
            highest=peaks.max(0).astype(np.float64),
            means=torch.cat(self._means).numpy(),
            peaks=peaks,
            correlation=self._correlation(sums["sum"], sums["products"]),
        )

    def _correlation(self, total: Numbers, products: Numbers) -> Numbers:
        covariance = products - np.outer(total, total) / self._n_positions
        deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
        is_constant = torch.cat(self._peaks).amax(0) == torch.stack(self._lows).amin(0)
        deviation[is_constant.numpy() | (deviation == 0)] = np.nan
        return np.asarray(np.clip(covariance / np.outer(deviation, deviation), -1, 1))


def _none(peaks: NDArray[np.float32]) -> Numbers:
    return np.full(peaks.shape[1], np.nan)
