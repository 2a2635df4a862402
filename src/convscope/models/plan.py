"""From a spec to its layers, with every shape: plain arithmetic, no tensors.

Each kind of layer is counted on its own: conv1, norm1, act1, pool1, conv2, …; what there is only
one of has no number: flatten or average, dropout without hidden dense layers, logits.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias

from convscope.errors import UserError
from convscope.models.spec import FAMILIES, SHORTEST_HALVED_KERNEL, ConvNetSpec
from convscope.types import Shape

Kind: TypeAlias = Literal["conv", "norm", "act", "pool", "flatten", "average", "dropout", "dense"]

HIDDEN_UNITS = (1024, 512)
"""Units of the first and the second hidden dense layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what it is, and the shape of one clip before and after it.

    Attributes:
        kernel, stride, padding: of a conv or pool, the same along every axis, in samples of its
            own input; padding is (before, after).
        ceil: whether a pool keeps a last, partial window.
    """

    kind: Kind
    name: str
    in_shape: Shape
    out_shape: Shape
    kernel: int = 1
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    ceil: bool = False


def plan(spec: ConvNetSpec, input_shape: Shape, n_classes: int) -> tuple[Layer, ...]:
    """The layers of a network, in order.

    Args:
        spec: the network.
        input_shape: of one clip, channels first.
        n_classes: units of the last layer, `logits`.

    Raises:
        UserError: if the input has the wrong number of axes, or the network shrinks it to nothing.
    """
    _check_axes(spec, input_shape)
    try:
        return _plan(spec, input_shape, n_classes)
    except _TooSmall as too_small:
        advice = _advice(spec, input_shape, n_classes)
        raise UserError(f"model.conv_layers={spec.conv_layers}: {too_small}; {advice}") from None


class _TooSmall(Exception):
    """A layer that would leave nothing over."""


def _plan(spec: ConvNetSpec, input_shape: Shape, n_classes: int) -> tuple[Layer, ...]:
    stack = _Stack(input_shape)
    for k in range(spec.conv_layers // spec.rule.convs_per_block):
        _add_block(stack, spec, k)
    _add_head(stack, spec, n_classes)
    return tuple(stack.layers)


def _add_block(stack: "_Stack", spec: ConvNetSpec, k: int) -> None:
    rule = spec.rule
    pools = k > 0 or rule.pools_first_block
    if pools and spec.pool == "before":
        stack.pool(rule.pool, rule.pool_ceil)
    for _ in range(rule.convs_per_block):
        stack.conv(_n_channels(spec, k), _kernel(spec, k), rule.padding)
        if spec.batch_norm:
            stack.add("norm")
        stack.add("act")
    if pools and spec.pool == "after":
        stack.pool(rule.pool, rule.pool_ceil)


def _n_channels(spec: ConvNetSpec, k: int) -> int:
    return int(spec.base_channels * 2 ** (k // spec.rule.blocks_per_doubling))


def _kernel(spec: ConvNetSpec, k: int) -> int:
    return max(spec.kernel >> k, SHORTEST_HALVED_KERNEL) if spec.rule.halves_kernel else spec.kernel


def _add_head(stack: "_Stack", spec: ConvNetSpec, n_classes: int) -> None:
    if spec.head == "average":
        stack.add("average", "average", stack.shape[:1])
    else:
        stack.add("flatten", "flatten", (math.prod(stack.shape),))
    for n_units in HIDDEN_UNITS[: spec.fc_hidden]:
        stack.add("dense", out_shape=(n_units,))
        stack.add("act")
        if spec.dropout:
            stack.add("dropout")
    if spec.dropout and not spec.fc_hidden:
        stack.add("dropout", "dropout")
    stack.add("dense", "logits", (n_classes,))


class _Stack:
    """Layers in the making: those there are, and the shape of a clip after the last of them."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.layers: list[Layer] = []
        self._counts: Counter[Kind] = Counter()

    def add(self, kind: Kind, name: str = "", out_shape: Shape | None = None) -> None:
        """A layer without a window; the shape stays as it is where none is given."""
        out_shape = self.shape if out_shape is None else out_shape
        self._append(Layer(kind, name or self._next_name(kind), self.shape, out_shape))

    def conv(self, n_filters: int, kernel: int, padding: Literal["same", "valid"]) -> None:
        # An even kernel pads one more sample behind than before, as Keras and torch do.
        pads = ((kernel - 1) // 2, kernel // 2) if padding == "same" else (0, 0)
        lengths = tuple(n + sum(pads) - kernel + 1 for n in self.shape[1:])
        name = self._next_name("conv")
        self._check(name, lengths)
        out_shape = (n_filters, *lengths)
        self._append(Layer("conv", name, self.shape, out_shape, kernel, padding=pads))

    def pool(self, size: int, ceil: bool) -> None:
        lengths = tuple(-(-n // size) if ceil else n // size for n in self.shape[1:])
        name = self._next_name("pool")
        self._check(name, lengths)
        if math.prod(self.shape[1:]) == 1:
            raise _TooSmall(f"{name} has nothing left to pool in {self.shape}")
        out_shape = (self.shape[0], *lengths)
        self._append(Layer("pool", name, self.shape, out_shape, size, size, ceil=ceil))

    def _append(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.shape = layer.out_shape

    def _next_name(self, kind: Kind) -> str:
        self._counts[kind] += 1
        return f"{kind}{self._counts[kind]}"

    def _check(self, name: str, lengths: tuple[int, ...]) -> None:
        if min(lengths) < 1:
            raise _TooSmall(f"{name} would shrink {self.shape} to nothing")


def _check_axes(spec: ConvNetSpec, input_shape: Shape) -> None:
    n_dims = spec.rule.n_dims
    if len(input_shape) == n_dims + 1:
        return
    others = ", ".join(name for name, rule in FAMILIES.items() if rule.n_dims != n_dims)
    if n_dims == 2:
        expected = "a spectrogram or an image"
        advice = f"set data.spectrogram=reports for sounds, or take a 1-D family: {others}"
    else:
        expected = "a waveform (n_channels, n_times)"
        advice = f"remove data.spectrogram for sounds, or take a 2-D family: {others}"
    raise UserError(
        f"model.family={spec.family}: expected {expected}, got an input of {input_shape}: {advice}"
    )


def _advice(spec: ConvNetSpec, input_shape: Shape, n_classes: int) -> str:
    """The largest number of convolutions that works."""
    step, largest = spec.rule.convs_per_block, 0
    for conv_layers in range(step, spec.conv_layers, step):
        try:
            _plan(spec.model_copy(update={"conv_layers": conv_layers}), input_shape, n_classes)
        except _TooSmall:
            break
        largest = conv_layers
    if largest:
        return f"use at most {largest} for an input of {input_shape}"
    return f"an input of {input_shape} is too small: give larger clips, or a smaller model.kernel"
