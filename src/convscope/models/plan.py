"""From a spec to its layers, with every shape: plain arithmetic, no tensors."""

import math
from typing import Literal

from convscope.errors import UserError
from convscope.models.families import FAMILIES, SHORTEST_HALVED_KERNEL, FilterBank
from convscope.models.layers import Layer, Padding, Stack, TooSmall
from convscope.models.rows import BYTES_PER_FLOAT
from convscope.models.spec import ConvNetSpec
from convscope.types import Shape

HIDDEN_UNITS = (1024, 512)
"""Units of the first and the second hidden dense layer."""

MOST_PARAMETER_BYTES = 4 * 2**30
"""As float32. Training with Adam takes four times as much, for gradients and two moments; the
reports' largest network has 0.2 GiB. More is a slip of the keys, and could exhaust the machine."""


def plan(spec: ConvNetSpec, input_shape: Shape, n_classes: int) -> tuple[Layer, ...]:
    """The layers of a network, in order.

    Args:
        spec: the network.
        input_shape: of one clip, channels first.
        n_classes: units of the last layer, `logits`.

    Raises:
        UserError: if the input has the wrong number of axes, the network shrinks it to nothing, or
            has more than `MOST_PARAMETER_BYTES`.
    """
    _check_axes(spec, input_shape)
    try:
        layers = _plan(spec, input_shape, n_classes)
    except TooSmall as too_small:
        advice = _advice(spec, input_shape, n_classes)
        raise UserError(f"model.conv_layers={spec.conv_layers}: {too_small}; {advice}") from None
    _refuse_huge(spec, layers)
    return layers


def _plan(spec: ConvNetSpec, input_shape: Shape, n_classes: int) -> tuple[Layer, ...]:
    stack = Stack(input_shape)
    if spec.rule.filter_bank is not None:
        _add_filter_bank(stack, spec, spec.rule.filter_bank)
    for k in range(spec.rule.n_blocks(spec.conv_layers)):
        add_block = _add_block if spec.rule.filter_bank is None else _add_residual_block
        add_block(stack, spec, k)
    _add_head(stack, spec, n_classes)
    return tuple(stack.layers)


def _add_block(stack: Stack, spec: ConvNetSpec, k: int) -> None:
    rule = spec.rule
    pools = k > 0 or rule.pools_first_block
    padding = spec.pool_padding if rule.pool_ceil else "valid"
    if pools and spec.pool == "before":
        stack.pool(rule.pool, padding)
    for _ in range(rule.convs_per_block):
        kernel = _kernel(spec, k)
        stack.conv(_n_channels(spec, k), kernel, _padding(rule.padding, kernel))
        if spec.batch_norm:
            stack.add("norm")
        stack.add("act")
    if pools and spec.pool == "after":
        stack.pool(rule.pool, padding)


def _n_channels(spec: ConvNetSpec, k: int) -> int:
    doublings = k // spec.rule.blocks_per_doubling if spec.rule.blocks_per_doubling else 0
    return spec.base_channels << doublings


def _kernel(spec: ConvNetSpec, k: int) -> int:
    return max(spec.kernel >> k, SHORTEST_HALVED_KERNEL) if spec.rule.halves_kernel else spec.kernel


def _padding(kind: Literal["same", "valid"], kernel: int) -> Padding:
    """An even kernel pads one more sample behind than before, as Keras and torch do.

    With a stride Keras pads less: only what its last window lacks, as its pooling does.
    """
    return ((kernel - 1) // 2, kernel // 2) if kind == "same" else (0, 0)


def _add_filter_bank(stack: Stack, spec: ConvNetSpec, bank: FilterBank) -> None:
    """Pairs of filters, the log energy of each, and a convolution that mixes the bands."""
    kernel, stride = bank.kernel(spec.rate_hz), bank.stride(spec.rate_hz)
    outside = (kernel - stride + 1) // 2
    stack.conv(2 * bank.n_bands, kernel, (outside, outside), stride, bias=False)
    stack.add("log_energy", "log_energy", (bank.n_bands, *stack.shape[1:]))
    stack.add("centre", "centre")
    if spec.batch_norm:
        stack.add("norm")
    if spec.dropout:
        stack.add("band_dropout", "band_dropout")
    _add_conv(stack, spec, spec.base_channels, bank.mixing_kernel, stride=bank.mixing_stride)
    stack.add("act")


def _add_residual_block(stack: Stack, spec: ConvNetSpec, k: int) -> None:
    """Two depthwise-separable convolutions; the activation comes after the addition."""
    n_channels = _n_channels(spec, k)
    with stack.residual():
        for i in range(2):
            if i:
                stack.add("act")
            _add_conv(stack, spec, n_channels, spec.kernel, groups=n_channels)
            _add_conv(stack, spec, n_channels, 1)
    stack.add("act")


def _add_conv(
    stack: Stack, spec: ConvNetSpec, n_filters: int, kernel: int, stride: int = 1, groups: int = 1
) -> None:
    """A convolution of a residual net: it has a bias where no batch norm follows."""
    padding = _padding("same", kernel)
    stack.conv(n_filters, kernel, padding, stride, groups, bias=not spec.batch_norm)
    if spec.batch_norm:
        stack.add("norm")


def _add_head(stack: Stack, spec: ConvNetSpec, n_classes: int) -> None:
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


def _refuse_huge(spec: ConvNetSpec, layers: tuple[Layer, ...]) -> None:
    every = [part for layer in layers for part in (layer, *layer.parts)]
    n_bytes = BYTES_PER_FLOAT * sum(layer.n_params for layer in every)
    if n_bytes <= MOST_PARAMETER_BYTES:
        return
    largest = max(every, key=lambda layer: layer.n_params)
    keys = ("base_channels", "conv_layers", "kernel", "fc_hidden")
    raise UserError(
        f"{', '.join(f'model.{key}={getattr(spec, key)}' for key in keys)}: expected a network of "
        f"at most {MOST_PARAMETER_BYTES / 2**30:g} GiB of parameters, got {n_bytes / 2**30:,.1f} "
        f"GiB, {BYTES_PER_FLOAT * largest.n_params / 2**30:,.1f} of them in {largest.name}: "
        f"make one of these keys less"
    )


def _advice(spec: ConvNetSpec, input_shape: Shape, n_classes: int) -> str:
    """The largest number of convolutions that works."""
    rule, largest = spec.rule, 0
    for conv_layers in range(rule.fewest_convs, spec.conv_layers, rule.convs_per_block):
        try:
            _plan(spec.model_copy(update={"conv_layers": conv_layers}), input_shape, n_classes)
        except TooSmall:
            break
        largest = conv_layers
    if largest:
        return f"use at most {largest} for an input of {input_shape}"
    return f"an input of {input_shape} is too small: give larger clips, or a smaller model.kernel"
