"""Which input samples the units of each operation see: known through some operations, else lost.

Source: A. Araujo, W. Norris, J. Sim, Computing Receptive Fields of Convolutional Neural Networks,
Distill (2019).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from convscope.inside.tracing.trace import ACTIVATIONS, CONVOLUTIONS, DROPOUTS, NORMS, POOLINGS


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


Fields: TypeAlias = tuple[Field, ...]
"""One for each axis of the positions."""

POINTWISE = (
    ACTIVATIONS
    | NORMS  # their statistics, though over all positions, are not counted
    | DROPOUTS
    | {
        *("add", "sub", "__rsub__", "rsub", "mul", "div", "true_divide", "__rdiv__", "neg", "pow"),
        *("abs", "square", "sqrt", "rsqrt", "exp", "log", "log1p", "sin", "cos", "reciprocal"),
        *("maximum", "minimum", "where", "gt", "ge", "lt", "le", "eq", "ne", "softsign", "lerp"),
        *("log_sigmoid", "hardshrink", "softshrink", "tanhshrink", "masked_fill", "addcmul"),
        *("contiguous", "clone", "detach", "data", "requires_grad", "to", "type", "type_as"),
        *("float", "double", "half", "bfloat16", "cpu", "cuda", "zeros_like", "ones_like"),
        *("view", "view_as", "reshape", "flatten", "squeeze", "unsqueeze", "expand", "expand_as"),
    }
)
"""Operations whose output at a position is of the inputs at that position alone; those on shapes
where the shape of the positions stays."""

NORMALISING = frozenset({"sub", "div", "true_divide"})
"""Where they take a number of the whole map, such as its mean, it counts as a norm's statistic."""

_AXES = {
    **dict.fromkeys(("cat", "concat", "concatenate", "softmax", "log_softmax", "glu"), 1),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "narrow", "index_select"), 1),
    **dict.fromkeys(("chunk", "split", "tensor_split"), 2),
}
"""Operations along one axis, and where the axis stands among their arguments: pointwise where they
go along the channels."""


def fields_behind(
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    seen: Sequence[tuple[Fields | None, tuple[int, ...]]],
    shape: Sequence[int],
) -> Fields | None:
    """The fields of an operation's output; None where they are not known, or positions are lost.

    Args:
        name, args, kwargs: the operation.
        seen: fields and shape of each of its inputs that comes from the clip.
        shape: of the output.
    """
    if name in NORMALISING:
        seen = [seen[0], *[each for each in seen[1:] if not _is_statistic(*each, len(shape) - 2)]]
    known = [fields for fields, _ in seen if fields is not None]
    if len(known) < len(seen) or len(shape) != len(known[0]) + 2:
        return None
    first, n_axes = known[0], len(known[0])
    if name in CONVOLUTIONS or name in POOLINGS:
        is_alone = len(seen) == 1  # else the filters come from the clip as well
        windows = windows_of(name, args, kwargs, n_axes)
        behind = tuple(axis.windowed(*window) for axis, window in zip(first, windows, strict=True))
        return behind if is_alone else None
    if name == "pad":
        return _padded(first, kwargs["pad"] if "pad" in kwargs else args[1])
    if not _is_pointwise(name, args, kwargs, len(shape)):
        return None
    if any(tuple(each[2:]) != tuple(shape[2:]) for _, each in seen):
        return None
    return _beside(known)


def _is_statistic(fields: Fields | None, shape: Sequence[int], n_axes: int) -> bool:
    return fields is None and all(n == 1 for n in shape[-n_axes:])


def _padded(fields: Fields, pads: Sequence[int]) -> Fields:
    """`pads`: before and behind the last axis, then before and behind the one before it, …"""
    before = [*pads[::2], *[0] * len(fields)][: len(fields)][::-1]
    return tuple(axis.windowed(1, 1, n, 1) for axis, n in zip(fields, before, strict=True))


def _is_pointwise(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], n_dims: int) -> bool:
    if name == "__getitem__":
        parts = args[1] if isinstance(args[1], tuple) else (args[1],)
        return all(isinstance(part, slice) or part is ... for part in parts)
    if name in _AXES:
        place = _AXES[name]
        axis = kwargs.get("dim", args[place] if len(args) > place else None)
        axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        return isinstance(axis, int) and axis % n_dims == 1
    return name in POINTWISE


def _beside(known: Sequence[Fields]) -> Fields | None:
    """Of operations on several layers, position by position."""
    first, *others = known
    for other in others:
        if [axis.stride for axis in other] != [axis.stride for axis in first]:
            return None
        first = tuple(a.beside(b) for a, b in zip(first, other, strict=True))
    return first


_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_MAX_POOL = ("input", "kernel_size", "stride", "padding", "dilation")
_ARGUMENTS = {
    "conv1d": _CONV,
    "conv2d": _CONV,
    "max_pool1d": _MAX_POOL,
    "max_pool2d": _MAX_POOL,
    "max_pool1d_with_indices": _MAX_POOL,
    "max_pool2d_with_indices": _MAX_POOL,
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
