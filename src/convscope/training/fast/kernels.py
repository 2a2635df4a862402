"""Triton kernels: bias, max-pool and activation of channels-last maps in one pass over memory.

Imported only where Triton is there; `pooling.pooled` is the way in. Triton compiles what is marked
`jit` and reads its annotations as well, so that those functions have none of Python's.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

import torch
import triton
import triton.language as tl
from torch import Tensor

ACTIVATIONS = {"none": 0, "relu": 1, "leaky_relu": 2, "tanh": 3, "elu": 4}
_NONE, _RELU, _LEAKY, _TANH = (tl.constexpr(code) for code in range(4))

Size = tuple[int, int]

_SIZES = ["blocks", "height", "width", "rows", "columns", "all_rows", "all_columns"]
"""One compiled kernel does for all of them, and so for all layers of as many channels."""

_ELEMENTS = 2048
_MOST_CHANNELS = 128


@triton.jit
def _activated(x, slope, ACT: tl.constexpr):
    """The activation of x in float32; what is not a number stays so."""
    if ACT == _RELU:
        x = tl.where(x < 0, 0.0, x)
    elif ACT == _LEAKY:
        x = tl.where(x < 0, x * slope, x)
    elif ACT == _TANH:
        decayed = tl.exp(-2.0 * tl.abs(x))
        x = tl.where(x < 0, -1.0, 1.0) * (1.0 - decayed) / (1.0 + decayed)
    elif ACT != _NONE:
        x = tl.where(x < 0, slope * (tl.exp(tl.minimum(x, 0.0)) - 1.0), x)
    return x


@triton.jit
def _derivative(y, slope, ACT: tl.constexpr):
    """The activation's derivative where it gave y."""
    if ACT == _NONE:
        return y * 0.0 + 1.0
    if ACT == _RELU:
        return tl.where(y > 0, 1.0, 0.0)
    if ACT == _LEAKY:
        return tl.where(y > 0, 1.0, slope)
    if ACT == _TANH:
        return 1.0 - y * y
    return tl.where(y > 0, 1.0, y + slope)


@triton.jit(do_not_specialize=[name for name in _SIZES if not name.startswith("all_")])
def _forward(
    x_at, bias_at, y_at, place_at,
    blocks, height, width, channels, rows, columns, slope,
    KH: tl.constexpr, KW: tl.constexpr, TOP: tl.constexpr, LEFT: tl.constexpr,
    ACT: tl.constexpr, BIASED: tl.constexpr, WINDOWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """y = act(max over the window of x + bias), and which of its points was the maximum."""
    image = (tl.program_id(0) // blocks).to(tl.int64)
    window = tl.program_id(0) % blocks * WINDOWS + tl.arange(0, WINDOWS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    inside = (window < rows * columns) & (channel < channels)
    row, column = window // columns, window % columns
    x_at += image * height * width * channels
    best = tl.full((WINDOWS, CHANNELS), float("-inf"), tl.float32)
    place = tl.zeros((WINDOWS, CHANNELS), tl.int32)
    for i in tl.static_range(KH):
        for j in tl.static_range(KW):
            h, w = row * KH + i - TOP, column * KW + j - LEFT
            there = inside & (h >= 0) & (h < height) & (w >= 0) & (w < width)
            at = (h * width + w) * channels + channel
            value = tl.load(x_at + at, mask=there, other=float("-inf")).to(tl.float32)
            better = (value > best) | (value != value)  # as torch: what is not a number wins
            best = tl.where(better, value, best)
            place = tl.where(better, i * KW + j, place)
    if BIASED:
        best += tl.load(bias_at + channel, mask=channel < channels, other=0.0).to(tl.float32)
    y = _activated(best, slope, ACT)
    at = image * rows * columns * channels + window * channels + channel
    tl.store(y_at + at, y.to(y_at.dtype.element_ty), mask=inside)
    if KH * KW > 1:
        tl.store(place_at + at, place.to(tl.uint8), mask=inside)


@triton.jit(do_not_specialize=_SIZES)
def _backward(
    dy_at, y_at, place_at, dx_at, sums_at,
    blocks, height, width, channels,
    rows, columns, all_rows, all_columns, slope,
    KH: tl.constexpr, KW: tl.constexpr, TOP: tl.constexpr, LEFT: tl.constexpr,
    ACT: tl.constexpr, BIASED: tl.constexpr, WINDOWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """dx, zeros included, and each block's part of the bias's gradient.

    It goes over all_rows · all_columns windows, those too that the forward pass left out because
    they are not whole: their points get 0.
    """
    image = (tl.program_id(0) // blocks).to(tl.int64)
    window = tl.program_id(0) % blocks * WINDOWS + tl.arange(0, WINDOWS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    inside = (window < all_rows * all_columns) & (channel < channels)
    row, column = window // all_columns, window % all_columns
    pooled = inside & (row < rows) & (column < columns)
    at = image * rows * columns * channels + (row * columns + column) * channels + channel
    dx_at += image * height * width * channels
    y = tl.load(y_at + at, mask=pooled, other=0.0).to(tl.float32)
    slopes = _derivative(y, slope, ACT)
    d = tl.load(dy_at + at, mask=pooled, other=0.0).to(tl.float32) * slopes
    if BIASED:
        parts = tl.program_id(0).to(tl.int64) * channels + channel
        total = tl.sum(d, axis=0)[None, :]
        tl.store(sums_at + parts, total, mask=channel < channels)
    if KH * KW > 1:
        place = tl.load(place_at + at, mask=pooled, other=0).to(tl.int32)
    for i in tl.static_range(KH):
        for j in tl.static_range(KW):
            h, w = row * KH + i - TOP, column * KW + j - LEFT
            there = inside & (h >= 0) & (h < height) & (w >= 0) & (w < width)
            to = (h * width + w) * channels + channel
            value = d
            if KH * KW > 1:
                value = tl.where(place == i * KW + j, d, 0.0)
            tl.store(dx_at + to, value.to(dx_at.dtype.element_ty), mask=there)


def forward(
    x: Tensor, bias: Tensor | None, size: Size, front: Size, out: Size, act: int, slope: float
) -> tuple[Tensor, Tensor]:
    """act(max-pool of x + bias), and the place of each maximum within its window.

    Args:
        x: (n, channels, height, width), channels last in memory, float32, bfloat16 or float16.
        bias: (channels,), or None.
        size: of the windows, which do not overlap.
        front: (rows, columns) of the first of them that lie before the maps.
        out: (rows, columns) of windows.
        act, slope: a value of `ACTIVATIONS`, and the slope (leaky_relu) or alpha (elu).

    Returns:
        (n, channels, rows, columns), channels last, of x's type; and as many bytes, of which there
        are none for windows of one point.
    """
    n, channels, height, width = x.shape
    y = _maps(n, channels, out, x)
    place = torch.empty_like(y, dtype=torch.uint8) if size != (1, 1) else y
    grid, blocks = _grid(n, out, channels)
    _forward[grid](
        x, x if bias is None else bias, y, place,
        grid[0] // n, height, width, channels, *out, slope,
        *size, *front, act, bias is not None, *blocks,
    )  # fmt: skip
    return y, place


def backward(
    dy: Tensor, y: Tensor, place: Tensor, shape: torch.Size, size: Size, front: Size,
    biased: bool, act: int, slope: float,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """The gradients of x, whose shape is given, and in float32 of the bias.

    The bias's is summed block by block, in an order that is always the same.
    """
    n, channels, height, width = shape
    dx = _maps(n, channels, (height, width), y)
    whole = (-(-(height + front[0]) // size[0]), -(-(width + front[1]) // size[1]))
    grid, blocks = _grid(n, whole, channels)
    sums = torch.empty(grid[0] if biased else 0, channels, device=y.device)
    _backward[grid](
        dy, y, place, dx, sums,
        grid[0] // n, height, width, channels, *y.shape[2:], *whole, slope,
        *size, *front, act, biased, *blocks,
    )  # fmt: skip
    return dx, sums.sum(0) if biased else None


def _maps(n: int, channels: int, size: Size, like: Tensor) -> Tensor:
    return like.new_empty(n, *size, channels).permute(0, 3, 1, 2)


def _grid(n: int, windows: Size, channels: int) -> tuple[Size, Size]:
    """Programs: blocks of each image's windows, blocks of channels; and the size of such a block.

    No block holds windows of two images, so that no window has to be divided by their number.
    """
    wide = min(triton.next_power_of_2(channels), _MOST_CHANNELS)
    long = max(_ELEMENTS // wide, 1)
    blocks = -(-windows[0] * windows[1] // long)
    return (n * blocks, -(-channels // wide)), (long, wide)
