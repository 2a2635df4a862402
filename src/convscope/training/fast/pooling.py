"""Bias, max-pool and activation in one pass: in Triton on a GPU, else in plain torch.

An activation a that rises everywhere, and a bias b that is the same over a window, change places
with its maximum: max over i of a(x_i + b) = a(max over i of x_i + b). So both come after the pool,
where there is less to compute, and for the way back a byte says which point was the maximum.
"""

import importlib.util
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Size: TypeAlias = tuple[int, int]


class Windows(NamedTuple):
    """Windows of a max-pool side by side, by height and width.

    Attributes:
        size: of each; (1, 1) pools nothing.
        front: points of the first that lie before the maps, at most half of its size; windows may
            reach as far behind them. Such points are never the maximum.
        ceil: whether a last, partial window counts.
    """

    size: Size = (1, 1)
    front: Size = (0, 0)
    ceil: bool = False

    def over(self, height: int, width: int) -> Size:
        """How many there are over maps, as torch counts them."""
        return self._along(0, height), self._along(1, width)

    def _along(self, axis: int, n: int) -> int:
        size, front = self.size[axis], self.front[axis]
        whole, over = divmod(n + 2 * front, size)
        is_counted = self.ceil and over > 0 and whole * size < n + front
        return whole + is_counted


NO_POOL = Windows()

_MOST_POINTS = 256
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def pooled(
    x: Tensor,
    windows: Windows = NO_POOL,
    activation: nn.Module | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """max-pool(activation(x + bias)).

    Args:
        x: (n_clips, n_channels, height, width), channels last in memory where it is to be fast.
        windows: of the max-pool.
        activation: a module; None for none.
        bias: (n_channels,); None for none.

    Returns:
        (n_clips, n_channels, rows, columns) of the type of `x`, differentiable once.
    """
    rising = _rising(activation)
    if rising is None:
        assert activation is not None
        return pooled(activation(pooled(x, bias=bias)), windows)
    is_sum = rising.name == "none" and windows.size == (
        1,
        1,
    )  # whose gradient needs no pass of its own
    if not is_sum and _runs_on_kernels(x, windows.size):
        output: Tensor = _Pooled.apply(x, bias, windows, rising)  # type: ignore[no-untyped-call]
        return output
    return _plain(x, windows, activation, bias)


def _plain(
    x: Tensor, windows: Windows, activation: nn.Module | None, bias: Tensor | None
) -> Tensor:
    if windows.size != (1, 1):
        x = F.max_pool2d(x, windows.size, padding=windows.front, ceil_mode=windows.ceil)
    if bias is not None:
        x = x + bias.to(x.dtype)[:, None, None]
    return x if activation is None else activation(x)


class Rising(NamedTuple):
    """An activation that rises everywhere: its name in the kernels, its slope or alpha."""

    name: str
    slope: float = 0.0


def _rising(activation: nn.Module | None) -> Rising | None:
    """None for an activation that falls somewhere, or that the kernels do not know."""
    match activation:
        case None:
            return Rising("none")
        case nn.ReLU():
            return Rising("relu")
        case nn.Tanh():
            return Rising("tanh")
        case nn.LeakyReLU(negative_slope=slope) if slope >= 0:
            return Rising("leaky_relu", float(slope))
        case nn.ELU(alpha=alpha) if alpha >= 0:
            return Rising("elu", float(alpha))
    return None


def _runs_on_kernels(x: Tensor, size: Size) -> bool:
    fits = x.dtype in _DTYPES and size[0] * size[1] <= _MOST_POINTS and x.numel() > 0
    return fits and x.is_cuda and kernels().module is not None


class Kernels(NamedTuple):
    """The module of kernels, or None and why there is none."""

    module: ModuleType | None
    why_not: str = ""


@cache
def kernels() -> Kernels:
    """Triton's kernels, once a small one has run: it needs a GPU that it knows and a C compiler."""
    if not torch.cuda.is_available():
        return Kernels(None, "no GPU")
    if importlib.util.find_spec("triton") is None:
        return Kernels(None, "Triton is not installed")
    try:
        from convscope.training.fast import kernels as module

        x = torch.zeros(1, 1, 1, 2, device="cuda")
        module.forward(x, None, (1, 2), (0, 0), (1, 1), 0, 0.0)
        return Kernels(module)
    except Exception as error:  # whatever a compiler or driver that does not fit makes it raise
        first = next(iter(str(error).splitlines()), "")
        return Kernels(None, f"Triton failed: {type(error).__name__}: {first}")


class _Pooled(torch.autograd.Function):
    """The kernels, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor | None, windows: Windows, rising: Rising
    ) -> Tensor:
        module = _module()
        x = x.contiguous(memory_format=torch.channels_last)
        size, front, _ = windows
        out = windows.over(*x.shape[2:])
        act = module.ACTIVATIONS[rising.name]
        y, place = module.forward(x, bias, size, front, out, act, rising.slope)
        ctx.save_for_backward(y, place)
        ctx.how = x.shape, size, front, bias is not None, act, rising.slope
        output: Tensor = y
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        y, place = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        dx, dbias = _module().backward(dy, y, place, *ctx.how)
        return dx, dbias, None, None


def _module() -> Any:
    return kernels().module
