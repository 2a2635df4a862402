"""The clips, and the stretch of each, that drive a unit most and least."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.subject.stages import Answer, Clips, answered, in_batches, stages_of
from convscope.inside.tracing.layers import Layer, layer_named, layers_of


@dataclass(frozen=True)
class Extremes:
    """The strongest answers of each unit of a layer, at most one from each clip.

    Attributes:
        responses: (n_units, n) the values that enter the activation, the strongest first.
        clips: (n_units, n) the places of their clips among all.
        positions: (n_units, n, n_axes) where in the layer's output.
        stretches: (n_units, n, n_axes, 2) the first input sample that the unit sees there, and the
            one behind the last, along each axis of the net's input, cut at the clip's edges; the
            whole input where the layer has no positions.
    """

    responses: NDArray[np.float32]
    clips: NDArray[np.int64]
    positions: NDArray[np.int64]
    stretches: NDArray[np.int64]


@dataclass(frozen=True)
class TopClips:
    """What drives each unit of a layer most, and what least: `most` and `least`."""

    layer: str
    most: Extremes
    least: Extremes


def top_clips(model: nn.Module, layer: str, clips: Clips, n: int = 8) -> TopClips:
    """The clips, and the stretch of each, that drive each unit of a layer most and least.

    The answer is the value that enters the activation, as behind it many clips give the same 0.
    What drives a unit most is its largest value over all positions of a clip; what drives it least
    is its smallest, so that its stretch is what speaks most against the unit (C. Olah et al.,
    Feature Visualization, Distill (2017), shows the same two ends). Of equals, the earlier clip
    stands first.

    Args:
        model: any module; it is left as it was found.
        layer: conv3 (the same as act3), dense1 or logits.
        clips: (n_clips, …) as the net takes them, or batches of such; n answers a unit are kept.
        n: clips for each unit; fewer where there are fewer clips.

    Raises:
        UserError: for a layer that the net does not have, where there are no clips, where batches
            are not of one shape, or the forward pass fails.
    """
    example, batches = in_batches(model, clips)
    layers = layers_of(model, example)
    name = layer_named(layers, layer).name.replace("act", "conv")
    stage = stages_of(layers)[name]
    tally = TopTally(name, stage, tuple(example.shape[1:]), n)
    alike = _of_one_shape(batches, tuple(example.shape[1:]))
    for answers in answered(model, alike, {name: stage}):
        tally.add(answers[name])
    return tally.result()


def _of_one_shape(batches: Iterable[Tensor], shape: tuple[int, ...]) -> Iterator[Tensor]:
    """The batches; of another length, a place in the layer would be another stretch."""
    for batch in batches:
        if batch.shape[1:] != shape:
            raise UserError(
                f"expected clips of one shape, {shape} as the first, got {tuple(batch.shape[1:])}: "
                "cut or pad them, or call top_clips for those of each length"
            )
        yield batch


class TopTally:
    """Keeps the strongest answers of one layer, batch by batch."""

    def __init__(self, name: str, layer: Layer, input_shape: tuple[int, ...], n: int) -> None:
        self._name, self._layer, self._axes = name, layer, input_shape[1:]
        self._most, self._least = _Strongest(n), _Strongest(n)

    def add(self, answer: Answer) -> None:
        """One batch more."""
        self._most.add(answer.entering)
        self._least.add(-answer.entering)

    def result(self) -> TopClips:
        """The strongest of all."""
        return TopClips(self._name, self._extremes(self._most, 1), self._extremes(self._least, -1))

    def _extremes(self, strongest: "_Strongest", sign: int) -> Extremes:
        responses, clips, flat = (each.cpu().numpy() for each in strongest.kept)
        positions = np.stack(np.unravel_index(flat, self._layer.shape[1:] or (1,)), axis=-1)
        return Extremes(sign * responses, clips, positions, self._stretches(positions))

    def _stretches(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        lengths = np.array(self._axes)
        if self._layer.fields is None:
            whole = np.stack([np.zeros_like(lengths), lengths], axis=-1)
            return np.broadcast_to(whole, (*positions.shape[:2], *whole.shape)).copy()
        fields = self._layer.fields
        starts = np.array([f.start for f in fields]) + positions * [f.stride for f in fields]
        stops = starts + [f.size for f in fields]
        ends = np.stack([starts, stops], axis=-1)
        return np.asarray(np.clip(ends, 0, lengths[:, None]))


class _Strongest:
    """The n largest answers of each unit: values, clips, positions, (n_units, n) each."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._n_clips = 0
        self.kept: list[Tensor] = []

    def add(self, values: Tensor) -> None:
        """(n_clips, n_units, n_positions) more."""
        best, positions = values.max(2)
        clips = torch.arange(self._n_clips, self._n_clips + len(values), device=values.device)
        self._n_clips += len(values)
        new = [best.T, clips.expand(best.shape[1], -1), positions.T]
        both = (
            [torch.cat(pair, 1) for pair in zip(self.kept, new, strict=True)] if self.kept else new
        )
        order = both[0].argsort(dim=1, descending=True, stable=True)[:, : self._n]
        self.kept = [each.gather(1, order) for each in both]
