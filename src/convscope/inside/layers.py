"""The layers of any net, found by one forward pass: their names, what follows them, their geometry.

    conv1, conv2, …    the convolutions, in the order in which a forward pass meets them
    act1, act2, …      what a convolution hands on: behind its batch norm and its activation
    dense1, dense2, …  the dense layers but the last that gives the logits
    logits             the answer, before a softmax if there is one at the end

Source of the receptive fields: A. Araujo, W. Norris, J. Sim, Computing Receptive Fields of
Convolutional Neural Networks, Distill (2019).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.kept import untouched
from convscope.inside.trace import (
    ACTIVATIONS,
    CONVOLUTIONS,
    NORMS,
    POOLINGS,
    SOFTMAXES,
    Call,
    tensors_in,
    watched,
)
from convscope.settings import suggest

Kind: TypeAlias = Literal["conv", "act", "dense", "logits"]

Operation: TypeAlias = tuple[str, int]
"""The second conv1d of a forward pass is ("conv1d", 1)."""


@dataclass(frozen=True)
class Field:
    """Which input samples a layer's units see, along one axis.

    Unit i sees the `size` samples from start + i · stride on.
    """

    size: int = 1
    stride: int = 1
    start: int = 0

    def windowed(self, kernel: int, stride: int, padding: int, dilation: int) -> "Field":
        """Behind windows of a convolution or pooling."""
        return Field(
            size=self.size + (kernel - 1) * dilation * self.stride,
            stride=self.stride * stride,
            start=self.start - padding * self.stride,
        )

    def beside(self, other: "Field") -> "Field":
        """Where units of two layers are added, position by position."""
        start = min(self.start, other.start)
        stop = max(self.start + self.size, other.start + other.size)
        return Field(stop - start, self.stride, start)

    def of(self, position: int) -> tuple[int, int]:
        """First sample, and the one behind the last, that the unit at a position sees."""
        start = self.start + position * self.stride
        return start, start + self.size

    def centre(self, position: int) -> float:
        """The middle of what it sees, in samples."""
        return self.start + position * self.stride + (self.size - 1) / 2


@dataclass(frozen=True)
class Layer:
    """One layer of a net.

    Attributes:
        name: `conv3`, `act3`, `dense1` or `logits`.
        kind: what it is.
        call: the operation that gives it: its name, and how many of that name came before it.
        shape: of its output for one clip, channels (units) first.
        fields: for each axis of its positions, what a unit sees; None where that is not known, or
            it has no positions.
        weight: (n_filters, n_channels, …) of a convolution or dense layer; None of others.
        activation: of `act` and `dense`: the operation's name; None where nothing follows.
        entering: of `act` and `dense`: the operation whose output enters the activation: the batch
            norm where there is one.
        leaving: of `act` and `dense`: the operation that gives what is handed on.
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

    @property
    def n_units(self) -> int:
        return self.shape[0]


def layers_of(model: nn.Module, clip: Tensor) -> dict[str, Layer]:
    """The layers of a net by name, in the order of its forward pass.

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


def traced(model: nn.Module, clip: Tensor) -> "tuple[Trace, Tensor]":
    """The operations of one forward pass, and its answer."""
    clip = clip.clone()  # a net may write on it
    trace = Trace(clip.dim() - 2)
    with untouched(model), torch.no_grad(), watched(model, trace.begin, trace.heed):
        trace.fields[id(clip)] = tuple(Field() for _ in range(clip.dim() - 2))
        output = forward(model, clip)
    return trace, output


def forward(model: nn.Module, clips: Tensor) -> Tensor:
    """The net's answer.

    Raises:
        UserError: where it fails, or answers with something else than a row for each clip.
    """
    try:
        output = model(clips)
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        raise UserError(
            f"{type(model).__name__} failed on clips of shape {tuple(clips.shape)}: "
            f"{type(error).__name__}: {first}: is the shape of its input right?"
        ) from error
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
    """One operation of a forward pass."""

    name: str
    output: Tensor
    inputs: list[Tensor]
    weight: Tensor | None = None


@dataclass
class Trace:
    """The operations of one forward pass; their outputs are kept, so that no identity is reused."""

    n_axes: int
    ops: list[Op] = field(default_factory=list)
    fields: dict[int, tuple[Field, ...] | None] = field(default_factory=dict)

    def begin(self, _clips: Tensor) -> None:
        self.ops.clear()

    def heed(self, name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inputs = tensors_in([args, kwargs])
        known = [self.fields.get(id(tensor)) for tensor in inputs]
        output = func(*args, **kwargs)
        result = tensors_in(output)
        self.ops.append(
            Op(name, result[0] if result else torch.empty(0), inputs, _weight(name, args, kwargs))
        )
        for tensor in result:
            self.fields[id(tensor)] = self._fields(name, args, kwargs, known, inputs, tensor)
        return output

    def _fields(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        known: Sequence[tuple[Field, ...] | None],
        inputs: Sequence[Tensor],
        output: Tensor,
    ) -> tuple[Field, ...] | None:
        """The fields of an operation's output; None where positions are lost."""
        first = known[0] if known else None
        if output.dim() != self.n_axes + 2 or first is None:
            return None
        if name in CONVOLUTIONS or name in POOLINGS:
            windows = windows_of(name, args, kwargs, self.n_axes)
            return tuple(
                axis.windowed(*window) for axis, window in zip(first, windows, strict=True)
            )
        if output.shape[2:] != inputs[0].shape[2:]:
            return None
        others = [each for each in known[1:] if each is not None]
        for other in others:
            if [a.stride for a in other] == [a.stride for a in first]:
                first = tuple(a.beside(b) for a, b in zip(first, other, strict=True))
        return first

    def layers(self, output: Tensor) -> list[Layer]:
        """The layers in the order of their operations."""
        answer = self.logits(output)
        convs = [i for i, op in enumerate(self.ops) if op.name in CONVOLUTIONS]
        dense = [i for i, op in enumerate(self.ops) if op.name == "linear" and i != answer]
        found = []
        for k, i in enumerate(convs, 1):
            found += [self._layer(f"conv{k}", "conv", i), self._act(f"act{k}", i)]
        found += [
            self._steps(self._layer(f"dense{k}", "dense", i), i) for k, i in enumerate(dense, 1)
        ]
        found.append(self._layer("logits", "logits", answer))
        return found

    def _layer(self, name: str, kind: Kind, i: int) -> Layer:
        op = self.ops[i]
        fields = self.fields.get(id(op.output))
        has_positions = op.output.dim() == self.n_axes + 2
        return Layer(
            name=name,
            kind=kind,
            call=self._call(i),
            shape=tuple(op.output.shape[1:]),
            fields=fields if has_positions else None,
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
        """From a layer through batch norm to its activation: what enters, what leaves, its name."""
        last = i
        while (follower := self._follower(last)) is not None:
            if self.ops[follower].name in ACTIVATIONS:
                return last, follower, self.ops[follower].name
            last = follower
        return last, last, None

    def _follower(self, i: int) -> int | None:
        """The batch norm or activation that takes this operation's output, if one does."""
        output = self.ops[i].output
        for j in range(i + 1, len(self.ops)):
            op = self.ops[j]
            if any(tensor is output for tensor in op.inputs[:1]) and op.name not in IGNORED:
                return j if op.name in NORMS or op.name in ACTIVATIONS else None
        return None

    def logits(self, output: Tensor) -> int:
        """The operation whose output is the answer; a softmax at the end is gone around."""
        given = [i for i, op in enumerate(self.ops) if op.output is output]
        i = given[-1] if given else len(self.ops) - 1
        while self.ops[i].name in SOFTMAXES:
            before = self.ops[i].inputs[0]
            i = max(j for j in range(i) if self.ops[j].output is before)
        return i


IGNORED = frozenset({"dim", "size", "numel", "is_floating_point"})
"""Questions to a tensor, not steps of a net."""


_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_MAX_POOL = ("input", "kernel_size", "stride", "padding", "dilation")
_ARGUMENTS = {
    "conv1d": _CONV,
    "conv2d": _CONV,
    "max_pool1d": _MAX_POOL,
    "max_pool2d": _MAX_POOL,
    "avg_pool1d": _MAX_POOL[:4],
    "avg_pool2d": _MAX_POOL[:4],
}
"""Their arguments by position."""


def windows_of(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], n_axes: int
) -> list[tuple[int, int, int, int]]:
    """(kernel, stride, padding, dilation) of a convolution or pooling along each axis."""
    is_conv = name in CONVOLUTIONS
    given = {**dict(zip(_ARGUMENTS[name], args, strict=False)), **kwargs}
    kernels = given["weight"].shape[2:] if is_conv else _each(given["kernel_size"], n_axes)
    dilations = _each(given.get("dilation", 1), n_axes)
    strides = _each(given.get("stride") or (1 if is_conv else list(kernels)), n_axes)
    paddings = given.get("padding", 0)
    if paddings == "same":  # torch puts the larger half behind
        paddings = [(k - 1) * d // 2 for k, d in zip(kernels, dilations, strict=True)]
    paddings = _each(0 if paddings == "valid" else paddings, n_axes)
    return list(zip(kernels, strides, paddings, dilations, strict=True))


def _each(value: Any, n_axes: int) -> list[int]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return [int(each) for each in (values * n_axes if len(values) == 1 else values)]


def _weight(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    if name not in CONVOLUTIONS and name != "linear":
        return None
    weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
    return weight if isinstance(weight, Tensor) else None
