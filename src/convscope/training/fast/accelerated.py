"""The same function as a net, executed channels last."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.models.cnn import ACTIVATIONS
from convscope.models.modules import Centre, GlobalAverage, LogEnergy, Residual
from convscope.training.fast.convolution import Conv, convolved
from convscope.training.fast.pooling import NO_POOL, Size, Windows, pooled

Step: TypeAlias = Callable[[Tensor], Tensor]
Norm: TypeAlias = nn.BatchNorm1d | nn.BatchNorm2d
Pool: TypeAlias = nn.MaxPool1d | nn.MaxPool2d

_ACTIVATIONS = tuple(type(make()) for make in ACTIVATIONS.values())

_ALONE = (nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout1d, Centre, LogEnergy, Residual)


class _Unknown(Exception):
    """A module, or a choice of one, that has no step here."""


def accelerated(net: nn.Module) -> Callable[[Tensor], Tensor]:
    """The function that a net computes, in training and evaluation, faster where that is known.

    It has the net's own parameters, buffers and mode, and draws the same random numbers. Maps lie
    channels last in memory, those of a 1-D net as (n_clips, n_channels, 1, n_times); an activation
    that rises everywhere comes after the pooling that follows it, on fewer numbers. A net with
    modules that are not known here is returned as it is.
    """
    try:
        steps = list(_steps_to_logits(net))
    except _Unknown:
        return net

    def forward(clips: Tensor) -> Tensor:
        x = clips.unsqueeze(2) if clips.ndim == 3 else clips
        x = x.clone(memory_format=torch.channels_last)
        for step in steps:
            x = step(x)
        return x

    return forward


def _steps_to_logits(net: nn.Module) -> Iterator[Step]:
    """Steps on maps up to where they are flattened; what follows is executed as it is."""
    modules = list(net) if type(net) is nn.Sequential else []  # `children` has each but once
    flat = [i for i, module in enumerate(modules) if _flattens(module)]
    if not flat or any(map(_is_hooked, net.modules())):
        raise _Unknown
    return iter([*_steps(modules[: flat[0]]), *modules[flat[0] :]])


def _is_hooked(module: nn.Module) -> bool:
    """Whether calling a module does more than its kind says: weight norm and pruning, for two."""
    forward = module._forward_pre_hooks or module._forward_hooks
    return bool(forward or module._backward_pre_hooks or module._backward_hooks)


def _flattens(module: nn.Module) -> bool:
    if type(module) is nn.Flatten:
        return (module.start_dim, module.end_dim) == (1, -1)
    return type(module) is GlobalAverage


def _steps(modules: list[nn.Module]) -> Iterator[Step]:
    """A step each for a convolution, its activation and the pooling after it; or for a module."""
    rest = list(modules)
    while rest:
        conv = _taken(rest, nn.Conv1d, nn.Conv2d)
        activation = _taken(rest, *_ACTIVATIONS)
        pool = _taken(rest, nn.MaxPool1d, nn.MaxPool2d)
        if conv or activation or pool:
            yield _block(conv, activation, pool)
        else:
            yield _step(rest.pop(0))


def _taken(rest: list[nn.Module], *kinds: type[nn.Module]) -> Any:
    """The next module, where it is one of these kinds, or None."""
    return rest.pop(0) if rest and type(rest[0]) in kinds else None


def _step(module: nn.Module) -> Step:
    """One module on channels-last maps."""
    if type(module) not in _ALONE:
        raise _Unknown
    match module:
        case Residual():
            return partial(_residual, list(_steps(list(module))))
        case nn.Dropout1d():
            return partial(_channel_dropout, module)
        case nn.BatchNorm1d() | nn.BatchNorm2d() if module.momentum and module.track_running_stats:
            return partial(_normed, module, module.momentum)
        case Centre() | LogEnergy():
            return module
    raise _Unknown


def _residual(steps: list[Step], x: Tensor) -> Tensor:
    added = x
    for step in steps:
        added = step(added)
    return x + added


def _channel_dropout(dropout: nn.Dropout1d, x: Tensor) -> Tensor:
    return F.dropout2d(x, dropout.p, dropout.training)


def _normed(norm: Norm, momentum: float, x: Tensor) -> Tensor:
    """What the module does, which refuses maps with a height if it is a 1-D one."""
    if norm.training and norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    statistics = norm.running_mean, norm.running_var
    return F.batch_norm(x, *statistics, norm.weight, norm.bias, norm.training, momentum, norm.eps)


def _block(conv: Conv | None, activation: nn.Module | None, pool: Pool | None) -> Step:
    """A convolution, activation and pooling, each of which may be missing, in two operations."""
    windows = _windows(pool)
    if conv is None:
        return partial(pooled, windows=windows, activation=activation)
    if conv.padding_mode != "zeros" or set(conv.dilation) != {1}:
        raise _Unknown
    if conv.groups > 1 and conv.weight.is_cuda:
        raise _Unknown  # channels last in bfloat16, a GPU is by far slower at them
    relu = type(activation) is nn.ReLU and pool is None

    def block(x: Tensor) -> Tensor:
        if x.is_cuda:
            return pooled(convolved(x, conv, bias=False), windows, activation, conv.bias)
        return pooled(convolved(x, conv, relu), windows, None if relu else activation)

    return block


def _windows(pool: Pool | None) -> Windows:
    """Those of a module, if they do not overlap."""
    if pool is None:
        return NO_POOL
    size, front = _along_axes(pool, pool.kernel_size, 1), _along_axes(pool, pool.padding, 0)
    if _along_axes(pool, pool.stride, 1) != size or pool.dilation != 1 or pool.return_indices:
        raise _Unknown
    return Windows(size, front, pool.ceil_mode)


def _along_axes(pool: Pool, value: int | tuple[int, ...], height: int) -> Size:
    """A number for each axis of the maps, whose height has the given one if the pool is 1-D."""
    numbers = (value,) if isinstance(value, int) else tuple(value)
    return (height if isinstance(pool, nn.MaxPool1d) else numbers[0]), numbers[-1]
