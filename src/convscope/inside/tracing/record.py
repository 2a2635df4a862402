"""What some layers of a net answer."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.inside.tracing.layers import Layer, Operation, called, layer_named, layers_of
from convscope.inside.tracing.trace import Call, watched
from convscope.inside.tracing.untouched import untouched


class Recorded(dict[str, Tensor]):
    """Each layer's output of the latest forward pass: (n_clips, n_units, …), a part of the graph:
    gradients flow from it to the clips, and from the net's answer to it."""


@contextmanager
def record(model: nn.Module, layers: Sequence[str] | Mapping[str, Layer]) -> Iterator[Recorded]:
    """Keep what some layers answer while the model is called within.

        with record(model, ["conv1", "logits"]) as recorded:
            model(clips)
        recorded["conv1"]  # (n_clips, n_units, n_times), part of the graph

    Args:
        model: any module; it is left as it was found.
        layers: names such as conv1, act1, dense1, logits, to be found when the model is first
            called; or the layers, where they are known.

    Raises:
        UserError: for a layer that the net does not have, when it is called.
    """
    recorder = _Recorder(model, layers)
    with watched(model, recorder.begin, recorder.on_operation):
        yield recorder.recorded


class _Recorder:
    """Counts the operations of a forward pass and keeps the outputs of some."""

    def __init__(self, model: nn.Module, layers: Sequence[str] | Mapping[str, Layer]) -> None:
        self.recorded = Recorded()
        self._model = model
        self._wanted = layers
        self._names: dict[Operation, list[str]] | None = None
        self._counts: Counter[str] = Counter()

    def begin(self, clips: Tensor) -> None:
        if self._names is None:
            self._names = {}  # the forward pass that finds the layers begins here as well
            for name, layer in self._found(clips).items():
                self._names.setdefault(layer.call, []).append(name)
        self._counts.clear()

    def on_operation(
        self, name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        names = (self._names or {}).get((name, self._counts[name]), ())
        self._counts[name] += 1
        if not names:
            return func(*args, **kwargs)
        output, going_on = _apart(func, args, kwargs)
        self.recorded.update(dict.fromkeys(names, output))
        return going_on

    def _found(self, clips: Tensor) -> Mapping[str, Layer]:
        if isinstance(self._wanted, Mapping):
            return self._wanted
        known = layers_of(self._model, clips[:1].detach())
        return {name: layer_named(known, name) for name in self._wanted}


def _apart(func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Any]:
    """An operation's output, and a copy made from it with which the net goes on.

    An operation in place, such as ReLU(inplace=True), may come next and write over the copy; or be
    this one: then what it writes on is the copy.
    """
    if not args or not isinstance(args[0], Tensor):
        return _copied(func(*args, **kwargs))
    own = args[0].clone()
    output = func(own, *args[1:], **kwargs)
    return (output, args[0].copy_(output)) if output is own else _copied(output)


def _copied(output: Any) -> tuple[Tensor, Any]:
    """The first tensor of an output, and the output with a copy of it."""
    if isinstance(output, Tensor):
        return output, output.clone()
    first, *others = output  # such as pooling's values and indices
    return first, type(output)([first.clone(), *others])


@torch.no_grad()
def answers(
    model: nn.Module, clips: Tensor, layers: Mapping[str, Layer]
) -> dict[str, NDArray[np.float32]]:
    """What some layers answer to clips: (n_clips, n_units, …) each; the model is left as found."""
    with untouched(model), record(model, layers) as recorded:
        called(model, clips)
    return {name: recorded[name].float().cpu().numpy() for name in layers}
