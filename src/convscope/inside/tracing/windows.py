"""The windows of convolutions and poolings, read off their arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from convscope.inside.tracing.trace import CONVOLUTIONS

_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups")
_MAX_POOL = ("input", "kernel_size", "stride", "padding", "dilation")
_ARGUMENTS = {
    "conv1d": _CONV,
    "conv2d": _CONV,
    "conv_transpose1d": (*_TRANSPOSED, "dilation"),
    "conv_transpose2d": (*_TRANSPOSED, "dilation"),
    "max_pool1d": _MAX_POOL,
    "max_pool2d": _MAX_POOL,
    "max_pool1d_with_indices": _MAX_POOL,
    "max_pool2d_with_indices": _MAX_POOL,
    "avg_pool1d": _MAX_POOL[:4],
    "avg_pool2d": _MAX_POOL[:4],
    "unfold": ("input", "kernel_size", "dilation", "padding", "stride"),
}
"""Their arguments by position."""

Window = tuple[int, int, int, int]
"""(kernel, stride, padding, dilation)."""


def windows_of(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], n_axes: int
) -> list[Window]:
    """(kernel, stride, padding, dilation) of a convolution or pooling along each axis."""
    has_weight = name in CONVOLUTIONS or name.startswith("conv_transpose")
    given = {**dict(zip(_ARGUMENTS[name], args, strict=False)), **kwargs}
    kernels = given["weight"].shape[2:] if has_weight else _each(given["kernel_size"], n_axes)
    dilations = _each(given.get("dilation", 1), n_axes)
    is_one = has_weight or name == "unfold"
    strides = _each(given.get("stride") or (1 if is_one else list(kernels)), n_axes)
    paddings = given.get("padding", 0)
    if paddings == "same":  # torch puts the larger half behind
        paddings = [(k - 1) * d // 2 for k, d in zip(kernels, dilations, strict=True)]
    paddings = _each(0 if paddings == "valid" else paddings, n_axes)
    return list(zip(kernels, strides, paddings, dilations, strict=True))


def _each(value: Any, n_axes: int) -> list[int]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return [int(each) for each in (values * n_axes if len(values) == 1 else values)]
