"""What a net's layers answer to a whole data set, batch by batch, so that memory stays bounded.

A stage is a layer of filters with all that follows up to its activation; it bears the name of its
convolution, so that unit 17 of `act3` is shown as `conv3:17`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import prod
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.subject.subject import BATCH, Choice, Examples, Subject, chosen_unit
from convscope.inside.tracing.layers import Layer, called, layer_named
from convscope.inside.tracing.record import record
from convscope.inside.tracing.target import as_clips
from convscope.inside.tracing.unit_names import Unit
from convscope.inside.tracing.untouched import untouched

Clips: TypeAlias = Tensor | NDArray[Any] | Sequence[Any] | Iterable[Tensor | NDArray[Any]]
"""(n_clips, …) as a net takes them, nested lists too; or batches of such tensors or arrays."""

MOST_NUMBERS = 2**26
"""Kept of one batch: 256 MB of float32."""


@dataclass(frozen=True)
class Answer:
    """What a stage says to a batch.

    Attributes:
        entering: (n_clips, n_units, n_positions) the values that enter the activation.
        leaving: the same shape: what is handed on.
    """

    entering: Tensor
    leaving: Tensor


def stages_of(layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """The stages of a net by name: conv1, conv2, …, dense1, …, logits."""
    found = {}
    for name, layer in layers.items():
        if layer.kind == "act":
            found[name.replace("act", "conv")] = layer
        elif layer.kind != "conv":
            found[name] = layer
    return found


def chosen_stages(subject: Subject, choice: Choice) -> dict[str, Layer]:
    """All stages of a net, or the one that a user chose as conv3 or act3, or by one of its units.

    Raises:
        UserError: for a layer or unit that the net does not have.
    """
    stages = stages_of(subject.layers)
    unit = chosen_unit(subject, choice)
    name = choice.layer if unit is None else unit.layer
    if name is None:
        return stages
    stage = layer_named(subject.layers, name).name.replace("act", "conv")
    return {stage: stages[stage]}


def unit_name(stage: str, index: int, classes: Sequence[str]) -> str:
    """`conv3:17`, or `logits:zero`."""
    if stage == "logits" and index < len(classes):
        return f"logits:{classes[index]}"
    return str(Unit(stage, index))


def in_batches(model: nn.Module, clips: Clips) -> tuple[Tensor, Iterator[Tensor]]:
    """One clip, as an example of the net's input, and all of them batch by batch: where the model
    is, and as precise as it.

    Raises:
        UserError: where there are none.
    """
    batches = (as_clips(model, batch) for batch in _batches(clips))
    first = next(batches, None)
    if first is None or not len(first):
        raise UserError("expected clips to show to the net, got none: give a folder with some")
    return first[:1], chain([first], batches)


def answered(
    model: nn.Module, batches: Iterable[Tensor], stages: Mapping[str, Layer]
) -> Iterator[dict[str, Answer]]:
    """What each stage answers to each batch; the model is left as it is found, after each.

    Raises:
        UserError: where the forward pass fails.
    """
    wanted = _wanted(stages)
    for batch in batches:
        with torch.no_grad(), untouched(model), record(model, wanted) as recorded:
            called(model, batch)
        flat = {name: _flat(values) for name, values in recorded.items()}
        yield {name: Answer(flat[f"{name} entering"], flat[f"{name} leaving"]) for name in stages}


def batch_size(stages: Mapping[str, Layer]) -> int:
    """So many clips that what is kept of them is at most `MOST_NUMBERS`."""
    per_clip = sum(2 * prod(layer.shape) for layer in stages.values())
    return min(BATCH, max(1, MOST_NUMBERS // max(per_clip, 1)))


def inputs_of(subject: Subject, stages: Mapping[str, Layer]) -> Iterator[Tensor]:
    """A subject's clips as the input of its net, in batches that fit into memory."""
    return (inputs for _, inputs in subject.batches(batch_size(stages)))


def with_some_clips(subject: Subject, n_clips: int, seed: int) -> Subject:
    """The subject with at most so many of its clips: of each class alike, drawn by a seed."""
    assert subject.examples is not None
    return replace(subject, examples=some_clips(subject.examples, n_clips, seed))


def some_clips(examples: Examples, n_clips: int, seed: int) -> Examples:
    """At most so many clips, of each class alike, drawn by a seed, in their own order."""
    order = np.random.default_rng(seed).permutation(len(examples))
    turns = np.zeros(len(examples), np.int64)
    for label in np.unique(examples.labels):
        of_class = order[examples.labels[order] == label]
        turns[of_class] = np.arange(len(of_class))
    drawn = order[np.argsort(turns[order], kind="stable")]
    return examples.take(np.sort(drawn[:n_clips]))


def _batches(clips: Clips) -> Iterable[Tensor | NDArray[Any]]:
    if isinstance(clips, Sequence) and clips and isinstance(clips[0], Sequence):
        clips = np.asarray(clips)
    if isinstance(clips, Tensor | np.ndarray):
        return (clips[start : start + BATCH] for start in range(0, len(clips), BATCH))
    return clips


def _wanted(stages: Mapping[str, Layer]) -> dict[str, Layer]:
    """What is to be recorded: two layers for each stage."""
    wanted = {}
    for name, layer in stages.items():
        wanted[f"{name} entering"] = replace(layer, call=layer.entering or layer.call)
        wanted[f"{name} leaving"] = replace(layer, call=layer.leaving or layer.call)
    return wanted


def _flat(values: Tensor) -> Tensor:
    return values.detach().float().reshape(*values.shape[:2], -1)
