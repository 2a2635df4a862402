"""The layers that networks are planned from, and their shapes: no tensors.

Each kind of layer is counted on its own: conv1, norm1, act1, pool1, conv2, …; what there is only
one of has no number: flatten or average, dropout without hidden dense layers, logits, log_energy.
"""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from convscope.types import Shape

Kind: TypeAlias = Literal[
    "conv",
    "norm",
    "act",
    "pool",
    "flatten",
    "average",
    "dropout",
    "dense",
    "log_energy",
    "centre",
    "band_dropout",
    "residual",
]

Padding: TypeAlias = tuple[int, int]
PoolPadding: TypeAlias = Literal["valid", "same", "behind"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what it is, and the shape of one clip before and after it.

    Attributes:
        kernel, stride: of a conv or pool, the same along every axis, in samples of its own input.
        padding: of a conv or pool, (before, after) along each axis.
        groups: of a conv: as many as it has inputs if it is depthwise, else 1.
        bias: whether a conv has one.
        parts: of a residual block, the layers whose output is added to its input.
    """

    kind: Kind
    name: str
    in_shape: Shape
    out_shape: Shape
    kernel: int = 1
    stride: int = 1
    padding: tuple[Padding, ...] = ()
    groups: int = 1
    bias: bool = True
    parts: tuple["Layer", ...] = ()

    @property
    def n_weights(self) -> int:
        """Weights of a convolution or dense layer: each is used once at every position."""
        if self.kind == "conv":
            n_positions = int(self.kernel ** (len(self.in_shape) - 1))
            return self.out_shape[0] * self.in_shape[0] // self.groups * n_positions
        return self.out_shape[0] * self.in_shape[0] if self.kind == "dense" else 0

    @property
    def n_params(self) -> int:
        """Trainable parameters, those of its parts aside."""
        if self.kind == "norm":
            return 2 * self.out_shape[0]
        has_bias = self.n_weights > 0 and self.bias
        return self.n_weights + self.out_shape[0] * has_bias


class TooSmall(Exception):
    """A layer that would leave nothing over."""


class Stack:
    """Layers in the making: those there are, and the shape of a clip after the last of them."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.layers: list[Layer] = []
        self._counts: Counter[str] = Counter()

    def add(self, kind: Kind, name: str = "", out_shape: Shape | None = None) -> None:
        """A layer without a window; the shape stays as it is where none is given."""
        out_shape = self.shape if out_shape is None else out_shape
        self._append(Layer(kind, name or self._next_name(kind), self.shape, out_shape))

    def conv(
        self,
        n_filters: int,
        kernel: int,
        padding: Padding,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        name = self._next_name("conv")
        lengths = tuple((n + sum(padding) - kernel) // stride + 1 for n in self.shape[1:])
        self._check(name, lengths)
        out_shape = (n_filters, *lengths)
        sides = (padding,) * len(lengths)
        layer = Layer("conv", name, self.shape, out_shape, kernel, stride, sides, groups, bias)
        self._append(layer)

    def pool(self, size: int, padding: PoolPadding) -> None:
        """Windows of `size` that do not overlap; what `valid` leaves over of an axis is dropped."""
        name = self._next_name("pool")
        sides = tuple(_pool_padding(n, size, padding) for n in self.shape[1:])
        lengths = tuple(
            (n + sum(side)) // size for n, side in zip(self.shape[1:], sides, strict=True)
        )
        self._check(name, lengths)
        if math.prod(self.shape[1:]) == 1:
            raise TooSmall(f"{name} has nothing left to pool in {self.shape}")
        out_shape = (self.shape[0], *lengths)
        self._append(Layer("pool", name, self.shape, out_shape, size, size, sides))

    @contextmanager
    def residual(self) -> Iterator[None]:
        """What is added inside becomes the parts of one block, around which its input is added."""
        start, in_shape = len(self.layers), self.shape
        yield
        parts = tuple(self.layers[start:])
        del self.layers[start:]
        name = self._next_name("block")
        self._append(Layer("residual", name, in_shape, self.shape, parts=parts))

    def _append(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.shape = layer.out_shape

    def _next_name(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}{self._counts[kind]}"

    def _check(self, name: str, lengths: tuple[int, ...]) -> None:
        if min(lengths) < 1:
            raise TooSmall(f"{name} would shrink {self.shape} to nothing")


def _pool_padding(n: int, size: int, kind: PoolPadding) -> Padding:
    """What makes n points whole windows; of `same` as TensorFlow has it, half of it in front."""
    total = 0 if kind == "valid" else -n % size
    front = total // 2 if kind == "same" else 0
    return front, total - front
