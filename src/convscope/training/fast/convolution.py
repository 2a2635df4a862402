"""Convolutions of channels-last maps on a CPU, with a way back that suits oneDNN.

oneDNN computes a convolution and the gradient of its input at full speed, but not the gradient of
its weights: over long rows at half of that, and at less where it is asked for the bias's as well.
So the bias's is a sum of its own, and long rows are cut.
"""

from functools import lru_cache
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

ROW = 500
"""Positions of a row that the gradient of weights is computed over: it stays in a core's cache."""

LONGEST = 25
"""Taps of a kernel for which oneDNN's channels-last gradient of weights is known to be fast. Of 33
and more, over long rows, it fell to a hundredth of its speed."""

Conv: TypeAlias = nn.Conv1d | nn.Conv2d
Pair: TypeAlias = tuple[int, int]
How: TypeAlias = tuple[Pair, Pair, int]
"""Stride, padding and groups."""


def convolved(x: Tensor, conv: Conv, relu: bool = False, bias: bool = True) -> Tensor:
    """conv(x), or relu(conv(x)).

    Args:
        x: (n_clips, n_channels, height, width), channels last in memory; height 1 for an
            `nn.Conv1d`.
        conv: without dilation, padded with zeros.
        relu: whether negative numbers become 0.
        bias: whether the bias, if there is one, is added.

    Returns:
        (n_clips, n_filters, height, width), differentiable once.
    """
    weight, padding = _weight_and_padding(conv)
    args = x, weight, conv.bias if bias else None, _pair(conv.stride, 1), padding, conv.groups
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        y = F.conv2d(*args[:5], groups=conv.groups)
        return F.relu(y) if relu else y
    output: Tensor = _Convolved.apply(relu, *args)  # type: ignore[no-untyped-call]
    return output


def _weight_and_padding(conv: Conv) -> tuple[Tensor, Pair]:
    """A convolution's weights (n_filters, n_inputs, height, width), and its padding on each side.

    `same` padding of an even kernel is one less before than behind, for which torch copies the
    input: here the kernel has a first tap more, that is 0.
    """
    weight = conv.weight if conv.weight.ndim == 4 else conv.weight.unsqueeze(2)
    padding = conv.padding
    if padding == "same":
        height, width = weight.shape[2:]
        weight = F.pad(weight, (1 - width % 2, 0, 1 - height % 2, 0))
        padding = tuple(size // 2 for size in weight.shape[2:])
    numbers = () if isinstance(padding, str) else padding
    return weight.clone(memory_format=torch.channels_last), _pair(numbers or (0, 0), 0)


def _pair(numbers: tuple[int, ...], height: int) -> Pair:
    return (height if len(numbers) == 1 else numbers[0]), numbers[-1]


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, relu: bool, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair,
        padding: Pair, groups: int,
    ) -> Tensor:  # fmt: skip
        y = F.conv2d(x, weight, bias, stride, padding, groups=groups)
        if relu:
            y.relu_()
        ctx.save_for_backward(x, weight, *([y] if relu else []))
        ctx.how = stride, padding, groups
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *y = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        if y:
            dy = torch.ops.aten.threshold_backward(dy, y[0], 0)
        _, for_x, for_weight, for_bias, *_ = ctx.needs_input_grad
        dx = _gradient(dy, x, weight, ctx.how) if for_x else None
        dw = _of_weight(dy, x, weight, ctx.how) if for_weight else None
        db = dy.sum((0, 2, 3)) if for_bias else None
        return None, dx, dw, db, None, None, None


def _gradient(dy: Tensor, x: Tensor, weight: Tensor, how: How, of_weight: bool = False) -> Tensor:
    """torch's own gradient of x, or of the weights."""
    stride, padding, groups = how
    mask = (not of_weight, of_weight, False)
    answers: list[Tensor] = torch.ops.aten.convolution_backward(
        dy, x, weight, None, stride, padding, (1, 1), False, (0, 0), groups, mask
    )
    return answers[int(of_weight)]


def _of_weight(dy: Tensor, x: Tensor, weight: Tensor, how: How) -> Tensor:
    """dw_k = Σ over clips and positions t of dy_t · x_(t + k - padding).

    Of long rows, all positions of all clips stand in one line, which is cut into rows of another
    length (and one that is over). The pairs (t, t + k - padding) that a cut parts are added one by
    one, and those that stand in one row but are of two clips are taken away.
    """
    stride, padding, groups = how
    if weight.shape[3] > LONGEST:
        return _gradient(dy.contiguous(), x.contiguous(), weight.contiguous(), how, of_weight=True)
    n_clips, _, height, width = x.shape
    same = stride == (1, 1) and groups == 1 and dy.shape[2:] == x.shape[2:]
    if max(height, weight.shape[2]) > 1 or width < 2 * ROW or not same:
        return _gradient(dy, x, weight, how, of_weight=True)
    dys, xs = (each.permute(0, 2, 3, 1).reshape(n_clips * width, -1) for each in (dy, x))
    whole = len(xs) // ROW * ROW
    dw = _gradient(_rows(dys[:whole], ROW), _rows(xs[:whole], ROW), weight, how, of_weight=True)
    if rest := len(xs) - whole:
        last = _rows(dys[whole:], rest), _rows(xs[whole:], rest)
        dw += _gradient(*last, weight, how, of_weight=True)
    for k in range(weight.shape[3]):
        at, sign = _seams(n_clips, width, ROW, k - padding[1])
        here, there = dys.index_select(0, at), xs.index_select(0, at + k - padding[1])
        dw[:, :, 0, k] += (here * sign[:, None].to(dys.dtype)).T @ there
    return dw


def _rows(line: Tensor, length: int) -> Tensor:
    """(n, n_channels) as maps (n / length, n_channels, 1, length), in the same memory."""
    return line.view(-1, 1, length, line.shape[1]).permute(0, 3, 1, 2)


@lru_cache(maxsize=256)
def _seams(n_clips: int, width: int, row: int, shift: int) -> tuple[Tensor, Tensor]:
    """The positions t of a line of clips that rows and clips part from t + shift differently.

    Returns:
        positions, and for each 1 where a row parts what is one clip's, -1 where one row holds two
        clips'.
    """
    at = torch.arange(max(0, -shift), n_clips * width - max(0, shift))
    one_clip = at // width == (at + shift) // width
    one_row = at // row == (at + shift) // row
    sign = one_clip.int() - one_row.int()
    differ = sign.nonzero().flatten()
    return at[differ], sign[differ]
