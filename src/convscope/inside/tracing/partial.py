"""What some layers of a net answer, with its gradient, and nothing of what follows them."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from convscope.inside.tracing.layers import Layer, Operation, explained
from convscope.inside.tracing.trace import Call, tensors_in, watched


class _Enough(Exception):
    """All that was asked for has been answered."""


def answers_of(model: nn.Module, clips: Tensor, layers: Mapping[str, Layer]) -> dict[str, Tensor]:
    """What layers answer to clips, (n_clips, n_units, …) each, as part of the graph.

    The forward pass ends behind the last of them. So clips may be shorter than the net's input,
    where only what follows, such as a dense layer, is made for that length.

    Raises:
        UserError: where the forward pass fails before.
    """
    wanted: dict[Operation, list[str]] = {}
    for name, layer in layers.items():
        wanted.setdefault(layer.call, []).append(name)
    answers: dict[str, Tensor] = {}
    counts: Counter[str] = Counter()

    def begin(_clips: Tensor) -> None:
        counts.clear()

    def on_operation(name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        output = func(*args, **kwargs)
        for layer in wanted.get((name, counts[name]), ()):
            # An operation in place, such as ReLU(inplace=True), may come next and write over it.
            answers[layer] = tensors_in(output)[0].clone()
        counts[name] += 1
        if len(answers) == len(layers):
            raise _Enough
        return output

    with watched(model, begin, on_operation), explained(model, clips), suppress(_Enough):
        model(clips)
    return answers
