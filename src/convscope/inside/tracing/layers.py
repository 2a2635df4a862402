"""The layers of any net, found by one forward pass: their names, what follows them, their geometry.

conv1, conv2, …    the convolutions, in the order in which a forward pass meets them
act1, act2, …      what a convolution hands on: behind norm, dropout, pooling, up to its activation
dense1, dense2, …  the dense layers but the last that gives the logits
logits             the answer, before a softmax if there is one at the end
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.tracing.behind import starting, views_behind
from convscope.inside.tracing.fields import Field as Field
from convscope.inside.tracing.fields import Fields, View, fields_of
from convscope.inside.tracing.step import Given, Step
from convscope.inside.tracing.trace import (
    ACTIVATIONS,
    CONVOLUTIONS,
    DROPOUTS,
    NORMS,
    POOLINGS,
    SOFTMAXES,
    Call,
    tensors_in,
    watched,
)
from convscope.inside.tracing.untouched import untouched
from convscope.settings import suggest

Kind: TypeAlias = Literal["conv", "act", "dense", "logits"]

Operation: TypeAlias = tuple[str, int]
"""The second conv1d of a forward pass is ("conv1d", 1)."""


@dataclass(frozen=True)
class Layer:
    """One layer of a net.

    Attributes:
        name: `conv3`, `act3`, `dense1` or `logits`.
        kind: what it is.
        call: the operation that gives it: its name, and how many of that name came before it.
        shape: of its output for one clip, channels (units) first.
        fields: for each axis of its positions, what a unit sees; None where that is not known, it
            has no positions, or they are others than those of the input, as bands and frames are.
        weight: (n_filters, n_channels, …) of a convolution or dense layer; None of others.
        activation: of `act` and `dense`: the operation's name; None where nothing follows.
        entering: of `act` and `dense`: the operation whose output enters the activation: the norm,
            dropout or pooling before it where there is one.
        leaving: of `act` and `dense`: the operation that gives what is handed on.
        view: what it sees of each axis of the input, and where positions along it lie in the output
            (n_clips, *shape); None where nothing is known.
    """

    name: str
    kind: Kind
    call: Operation
    shape: tuple[int, ...]
    fields: tuple[Field, ...] | None
    weight: Tensor | None = None
    activation: str | None = None
    entering: Operation | None = None
    leaving: Operation | None = None
    view: View | None = None

    @property
    def n_units(self) -> int:
        return self.shape[0]


def layers_of(model: nn.Module, clip: Tensor) -> dict[str, Layer]:
    """The layers of a net by name, in the order of its forward pass.

    A net whose answer is no tensor, such as a dictionary, has no `logits`.

    Args:
        model: any module.
        clip: (1, *input shape), an example of its input.

    Raises:
        UserError: where the forward pass fails, or meets no convolution.
    """
    trace, output = traced(model, clip)
    layers = trace.layers(output)
    if not any(layer.kind == "conv" for layer in layers):
        raise UserError(
            f"{type(model).__name__}: no convolution is met in a forward pass: expected a net "
            "that calls conv1d or conv2d, as nn.Conv1d and nn.Conv2d do"
        )
    return {layer.name: layer for layer in layers}


def traced(model: nn.Module, clip: Tensor) -> "tuple[Trace, Any]":
    """The operations of one forward pass, and its answer."""
    clip = clip.clone()  # a net may write on it
    trace = Trace()
    with untouched(model), torch.no_grad(), watched(model, trace.begin, trace.on_operation):
        return trace, called(model, clip)


def called(model: nn.Module, clips: Tensor) -> Any:
    """Whatever the net answers.

    Raises:
        UserError: where it fails.
    """
    with explained(model, clips):
        return model(clips)


@contextmanager
def explained(model: nn.Module, clips: Tensor) -> Iterator[None]:
    """Within, what a forward pass of these clips raises becomes a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        raise UserError(
            f"{type(model).__name__} failed on clips of shape {tuple(clips.shape)}: "
            f"{type(error).__name__}: {first}: is the shape of its input right?"
        ) from error


def forward(model: nn.Module, clips: Tensor) -> Tensor:
    """The net's answer.

    Raises:
        UserError: where it fails, or answers with something else than a row for each clip.
    """
    output = called(model, clips)
    if not isinstance(output, Tensor) or output.dim() < 2:
        came = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise UserError(
            f"{type(model).__name__}: expected a tensor (n_clips, n_classes), got {came}"
        )
    return output


def layer_named(layers: Mapping[str, Layer], name: str) -> Layer:
    """The layer of that name; a UserError names those that there are."""
    if name not in layers:
        raise UserError(f"{name} is no layer of this net{suggest(name, list(layers))}")
    return layers[name]


@dataclass
class Op:
    """One operation of a forward pass; its tensors are kept, so that no identity is reused."""

    name: str
    outputs: list[Tensor]
    inputs: list[Tensor]
    weight: Tensor | None = None

    @property
    def output(self) -> Tensor:
        return self.outputs[0]


@dataclass
class Trace:
    """The operations of one forward pass.

    Attributes:
        ops: in their order.
        views: of each tensor that comes from the clip, by its identity: what it sees; None where
            that is not known. Others, such as weights, are not there.
    """

    ops: list[Op] = field(default_factory=list)
    views: dict[int, View | None] = field(default_factory=dict)

    def begin(self, clips: Tensor) -> None:
        self.ops.clear()
        self.views = {id(clips): starting(tuple(clips.shape))}

    def fields(self, output: Tensor) -> Fields | None:
        """What the units of a layer see whose positions are those of the clip."""
        return fields_of(self.views.get(id(output)), output.dim() - 2)

    def on_operation(
        self, name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        inputs = tensors_in([args, kwargs])
        given = [Given(x, self.views.get(id(x)), id(x) in self.views) for x in inputs]
        weight = _weight(name, args, kwargs)
        output = func(*args, **kwargs)
        _check_axes(name, weight, inputs)
        written = args[0] if name == "__setitem__" else output
        results = tensors_in(written)
        if any(each.is_seeing for each in given):
            shapes = [tuple(tensor.shape) for tensor in results]
            behind = views_behind(Step(name, args, kwargs, given, shapes))
            self.views |= {id(x): view for x, view in zip(results, behind, strict=True)}
        self.ops.append(Op(name, results or [torch.empty(0)], inputs, weight))
        return output

    def layers(self, output: Any) -> list[Layer]:
        """The layers in the order of their operations."""
        answer = self.logits(output) if isinstance(output, Tensor) else None
        convs = [i for i, op in enumerate(self.ops) if op.name in CONVOLUTIONS]
        dense = [i for i, op in enumerate(self.ops) if op.name == "linear" and i != answer]
        found = []
        for k, i in enumerate(convs, 1):
            found += [self._layer(f"conv{k}", "conv", i), self._act(f"act{k}", i)]
        found += [
            self._steps(self._layer(f"dense{k}", "dense", i), i) for k, i in enumerate(dense, 1)
        ]
        if answer is not None:
            found.append(self._layer("logits", "logits", answer))
        return found

    def _layer(self, name: str, kind: Kind, i: int) -> Layer:
        op = self.ops[i]
        return Layer(
            name=name,
            kind=kind,
            call=self._call(i),
            shape=tuple(op.output.shape[1:]),
            fields=self.fields(op.output),
            view=self.views.get(id(op.output)),
            weight=op.weight,
        )

    def _act(self, name: str, i: int) -> Layer:
        """What a convolution hands on."""
        return self._steps(self._layer(name, "act", self._followed(i)[1]), i)

    def _steps(self, layer: Layer, i: int) -> Layer:
        """The layer with what enters and leaves its activation."""
        entering, leaving, activation = self._followed(i)
        return replace(
            layer,
            activation=activation,
            entering=self._call(entering),
            leaving=self._call(leaving),
        )

    def _call(self, i: int) -> Operation:
        name = self.ops[i].name
        return name, sum(other.name == name for other in self.ops[:i])

    def _followed(self, i: int) -> tuple[int, int, str | None]:
        """From a layer to its activation: what enters, what leaves, its name.

        Norms, dropout and pooling may stand between. Where no activation comes, a layer hands on
        what the norm right behind it gives.
        """
        last = normed = i
        while (follower := self._follower(last)) is not None:
            name = self.ops[follower].name
            if name in ACTIVATIONS:
                return last, follower, name
            if name in NORMS and normed == last:
                normed = follower
            last = follower
        return normed, normed, None

    def _follower(self, i: int) -> int | None:
        """The activation that takes this operation's output, or what may stand before it."""
        output = self.ops[i].output
        for j in range(i + 1, len(self.ops)):
            op = self.ops[j]
            if any(tensor is output for tensor in op.inputs[:1]) and op.name not in IGNORED:
                return j if op.name in FOLLOWING else None
        return None

    def logits(self, output: Tensor) -> int:
        """The operation whose output is the answer; a softmax at the end is gone around."""
        given = [i for i, op in enumerate(self.ops) if op.output is output]
        i = given[-1] if given else len(self.ops) - 1
        while self.ops[i].name in SOFTMAXES:
            before = self.ops[i].inputs[0]
            i = max(j for j in range(i) if self.ops[j].output is before)
        return i


FOLLOWING = ACTIVATIONS | NORMS | DROPOUTS | POOLINGS

IGNORED = frozenset({"dim", "size", "numel", "is_floating_point"})
"""Questions to a tensor, not steps of a net."""


def _weight(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    if name not in CONVOLUTIONS and name != "linear":
        return None
    weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
    return weight if isinstance(weight, Tensor) else None


def _check_axes(name: str, weight: Tensor | None, inputs: list[Tensor]) -> None:
    """A convolution takes a single clip without complaint; its units would be taken for clips."""
    if name in CONVOLUTIONS and weight is not None and inputs[0].dim() != weight.dim():
        raise UserError(
            f"{name} takes clips of {weight.dim()} axes, (n_clips, n_channels, …), got "
            f"{inputs[0].dim()}: add the axis that is missing, such as clips[None] for a single "
            "clip"
        )
