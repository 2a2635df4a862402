"""The layer table of a network, computed from its plan: no tensors.

Source of the receptive fields: A. Araujo, W. Norris, J. Sim, Computing Receptive Fields of
Convolutional Neural Networks, Distill (2019).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from convscope.models.layers import Layer
from convscope.models.plan import plan
from convscope.models.rows import BYTES_PER_FLOAT, LayerRow
from convscope.models.spec import ModelSpec, UserNet
from convscope.types import Shape


def describe(spec: ModelSpec, input_shape: Shape, n_classes: int) -> tuple[LayerRow, ...]:
    """A row for every layer, in order. A user's own network is built and run on one silent clip.

    Raises:
        UserError: as `plan` and `build` do.
    """
    if isinstance(spec, UserNet):
        from convscope.models.user_net import describe_user_net  # torch, only where needed

        return describe_user_net(spec, input_shape, n_classes)
    axes = tuple(_Axis(stop=n) for n in input_shape[1:])
    rows, _ = _describe(plan(spec, input_shape, n_classes), axes)
    return tuple(replace(row, sees_whole=_sees_whole(row, input_shape[1:])) for row in rows)


def _sees_whole(row: LayerRow, sizes: Shape) -> bool:
    """Whether some position sees all of the input along each axis:
    start + i · stride ≤ 0 and start + i · stride + field ≥ size."""
    assert row.start is not None
    assert row.receptive_field is not None
    strides, counts = row.stride or (1,) * len(sizes), row.shape[1:] or (1,) * len(sizes)
    return all(
        any(start + i * stride <= 0 and start + i * stride + field >= size for i in range(count))
        for start, stride, field, count, size in zip(
            row.start, strides, row.receptive_field, counts, sizes, strict=True
        )
    )


@dataclass(frozen=True)
class _Axis:
    """The fields of a layer's units along one axis, in input samples.

    Unit i sees `size` samples from `start + i · stride`; all units together see [begin, stop).
    """

    size: int = 1
    stride: int = 1
    start: int = 0
    begin: int = 0
    stop: int = 0

    def windowed(self, layer: Layer, front: int, n_out: int) -> "_Axis":
        """Behind `n_out` windows of a convolution or pooling, with so much padding in front."""
        size = self.size + (layer.kernel - 1) * self.stride
        start = self.start - front * self.stride
        stride = self.stride * layer.stride
        stop = start + (n_out - 1) * stride + size
        return _Axis(size, stride, start, max(self.begin, start), min(self.stop, stop))

    def whole(self) -> "_Axis":
        """Behind a layer each of whose units sees all units of the one before."""
        return replace(self, size=self.stop - self.begin, start=self.begin)

    def beside(self, other: "_Axis") -> "_Axis":
        """Where units of two layers of the same stride are added, position by position."""
        start = min(self.start, other.start)
        size = max(self.start + self.size, other.start + other.size) - start
        begin, stop = min(self.begin, other.begin), max(self.stop, other.stop)
        return _Axis(size, self.stride, start, begin, stop)


def _describe(
    layers: Iterable[Layer], axes: tuple[_Axis, ...], inside: str = ""
) -> tuple[list[LayerRow], tuple[_Axis, ...]]:
    """The rows of some layers, and the axes behind the last; a block's parts come before it."""
    rows = []
    for layer in layers:
        own, parts_axes = _describe(layer.parts, axes, f"{inside}{layer.name}.")
        rows += own
        if layer.kind == "residual":
            axes = tuple(a.beside(b) for a, b in zip(axes, parts_axes, strict=True))
        else:
            axes = _seen_by(layer, axes)
        rows.append(_row(layer, axes, inside))
    return rows, axes


def _seen_by(layer: Layer, axes: tuple[_Axis, ...]) -> tuple[_Axis, ...]:
    if layer.kind in ("conv", "pool"):
        along = zip(axes, layer.padding, layer.out_shape[1:], strict=True)
        return tuple(axis.windowed(layer, front, n) for axis, (front, _), n in along)
    if layer.kind in ("average", "dense"):
        return tuple(axis.whole() for axis in axes)
    return axes


def _row(layer: Layer, axes: tuple[_Axis, ...], inside: str) -> LayerRow:
    has_positions = len(layer.out_shape) > 1
    return LayerRow(
        name=inside + layer.name,
        kind=layer.kind,
        shape=layer.out_shape,
        receptive_field=tuple(axis.size for axis in axes),
        start=tuple(axis.start for axis in axes),
        stride=tuple(axis.stride for axis in axes) if has_positions else None,
        params=layer.n_params,
        flops=2 * layer.n_weights * math.prod(layer.out_shape[1:]),
        activation_bytes=BYTES_PER_FLOAT * math.prod(layer.out_shape),
    )
