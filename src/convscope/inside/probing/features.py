"""A layer's answers as features for other classifiers: a few numbers for each clip."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.inside.subject.subject import Choice, Examples, Subject
from convscope.inside.tracing.layers import Layer, forward, layer_named
from convscope.inside.tracing.record import record
from convscope.inside.tracing.trace import Call, tensors_in, watched
from convscope.inside.tracing.untouched import untouched

Pooling: TypeAlias = Literal["average", "flatten"]
"""average: the mean over all positions of each unit; flatten: every position of every unit."""

MOST_FLAT = 1024
"""A layer of more numbers than that is averaged over its positions."""

PENULTIMATE = "penultimate"
"""What enters the layer that gives the logits: all that a net hands to its last decision."""


@dataclass(frozen=True)
class Features:
    """What one layer answers to each clip.

    Attributes:
        layer: its name, or `penultimate`.
        values: (n_clips, n_features).
        pooling: how positions became features.
    """

    layer: str
    values: NDArray[np.float32]
    pooling: Pooling


def pooling_of(shape: tuple[int, ...]) -> Pooling:
    """flatten where that gives at most `MOST_FLAT` numbers, else average."""
    return "flatten" if math.prod(shape) <= MOST_FLAT else "average"


def pooled(answer: Tensor, pooling: Pooling) -> NDArray[np.float32]:
    """(n_clips, n_units, …) as (n_clips, n_features)."""
    flat = answer.float().flatten(2) if answer.dim() > 2 else answer.float()
    if pooling == "average" and flat.dim() > 2:
        flat = flat.mean(dim=2)
    values: NDArray[np.float32] = flat.flatten(1).cpu().numpy()
    return values


def features(
    subject: Subject,
    examples: Examples,
    layers: Mapping[str, Layer],
    pooling: Pooling | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Features]:
    """What some layers answer to all clips, and what enters the logits, as `penultimate`.

    Args:
        subject: whose net; it is left as found.
        examples: the clips.
        layers: which, by name; all from one forward pass.
        pooling: of all layers; None: for each as `pooling_of` says.
        progress: called with the number of clips done and of all clips.
    """
    parts: dict[str, list[NDArray[np.float32]]] = {}
    how: dict[str, Pooling] = {}
    for part, clips in replace(subject, examples=examples).batches():
        for name, answer in _answers(subject, clips, layers).items():
            how.setdefault(name, pooling or pooling_of(tuple(answer.shape[1:])))
            parts.setdefault(name, []).append(pooled(answer, how[name]))
        if progress:
            progress(part.stop, len(examples))
    return {name: Features(name, np.concatenate(parts[name]), how[name]) for name in parts}


@torch.no_grad()
def _answers(subject: Subject, clips: Tensor, layers: Mapping[str, Layer]) -> dict[str, Tensor]:
    """Those of the layers, in the net's order, with what enters the logits before them."""
    logits = subject.layers["logits"]
    net = subject.net
    with untouched(net), _entering(net, logits) as entered, record(net, layers) as recorded:
        forward(net, clips)
    found = {name: recorded[name] for name in layers if name != "logits"} | entered
    return found | ({"logits": recorded["logits"]} if "logits" in layers else {})


@contextmanager
def _entering(model: nn.Module, layer: Layer) -> Iterator[dict[str, Tensor]]:
    """Keep the first tensor that enters a layer's operation while the model is called within."""
    entered: dict[str, Tensor] = {}
    counts: Counter[str] = Counter()

    def begin(_clips: Tensor) -> None:
        counts.clear()

    def on_operation(name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if (name, counts[name]) == layer.call:
            entered[PENULTIMATE] = tensors_in([args, kwargs])[0].clone()
        counts[name] += 1
        return func(*args, **kwargs)

    with watched(model, begin, on_operation):
        yield entered


def chosen_layers(subject: Subject, choice: Choice) -> dict[str, Layer]:
    """The layer that is asked for, or all that convolutions and dense layers hand on, and logits.

    Raises:
        UserError: the net has no such layer.
    """
    if choice.layer is not None:
        return {choice.layer: layer_named(subject.layers, choice.layer)}
    return {name: each for name, each in subject.layers.items() if each.kind != "conv"}
