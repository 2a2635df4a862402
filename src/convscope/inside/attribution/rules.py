"""The ways back through a net that are not the gradient: what an activation lets pass.

Deconvnet (M. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014,
section 2.1) runs a net backwards: pooling by its switches, convolutions by their filters
transposed, and through "the same" non-linearity as forwards, so that what is reconstructed can be
what a layer hands on. The way back of the gradient does the first two; the third is a rule here
for each activation f, and a signal s that comes back to it:

    relu, leaky_relu, rrelu (its mean slope), prelu     f(s), the paper's rule to the letter
    elu, selu, celu, gelu, silu, mish, softplus, hardswish
                                                        relu(s)
    tanh, hardtanh, relu6, clamp                        s where f may be negative, else relu(s)

The rule must not depend on how strong the signal is, since a reconstruction has no scale: this
holds of the first row. The second row's limit f(c s) / c for large c is relu(s), up to a factor.
Those of the third are bounded, their limit is 0: only the sign of what they hand on is kept. tanh
hands on both signs alike, so there is nothing to rectify; it is not the gradient either, as the
slope 1 − tanh² is left out.

Guided backpropagation (J. Springenberg and others, Striving for Simplicity, ICLR workshop 2015,
section 3.4) is the gradient whose signal passes the same rule before each rectifier's slope.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.tracing.trace import (
    ACTIVATIONS,
    DROPOUTS,
    Call,
    takes_kept_statistics,
    tensors_in,
    watched,
)

Activation: TypeAlias = Callable[[Tensor], Tensor]
Rule: TypeAlias = Callable[[Tensor, Activation], Tensor]
"""From a signal that comes back, and the activation it comes to, to the signal that goes on."""


def as_itself(signal: Tensor, activation: Activation) -> Tensor:
    """f(s)."""
    return activation(signal)


def rectified(signal: Tensor, _activation: Activation) -> Tensor:
    """relu(s)."""
    return signal.clamp_min(0)


def bounded(signal: Tensor, activation: Activation) -> Tensor:
    """s where f falls below 0, else relu(s)."""
    least = activation(torch.full_like(signal, -torch.inf))
    return torch.where(least < 0, signal, signal.clamp_min(0))


RECTIFIERS: dict[str, Rule] = {
    **dict.fromkeys(("relu", "leaky_relu", "rrelu", "prelu"), as_itself),
    **dict.fromkeys(("elu", "selu", "celu", "gelu", "silu", "mish", "softplus"), rectified),
    "hardswish": rectified,
}
DECONVNET_RULES: dict[str, Rule] = {
    **RECTIFIERS,
    **dict.fromkeys(("tanh", "hardtanh", "relu6", "clamp", "clamp_min"), bounded),
}

LINEAR = DROPOUTS | frozenset(
    {
        *("avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "mean", "sum"),
        *("add", "sub", "__rsub__", "neg", "cat", "concat", "stack", "pad", "interpolate"),
        *("flatten", "unflatten", "view", "view_as", "reshape", "squeeze", "unsqueeze"),
        *(
            "transpose",
            "permute",
            "movedim",
            "swapaxes",
            "T",
            "mT",
            "expand",
            "expand_as",
            "repeat",
            "roll",
        ),
        *("T", "mT", "contiguous", "clone", "to", "float", "double", "type", "flip", "unfold"),
        *("chunk", "split", "tensor_split", "narrow", "select", "index_select", "__getitem__"),
        *("__setitem__", "unbind", "pixel_shuffle", "channel_shuffle"),
    }
)
"""Their way back is their filters or weights transposed, or the same places."""

SELECTING = frozenset(
    {
        *(
            "max_pool1d",
            "max_pool2d",
            "max_pool1d_with_indices",
            "max_pool2d_with_indices",
            "adaptive_max_pool1d",
        ),
        *(
            "adaptive_max_pool2d",
            "adaptive_max_pool1d_with_indices",
            "adaptive_max_pool2d_with_indices",
        ),
    }
)
"""Their way back puts a value where the largest was: unpooling by switches; windows that overlap
add."""

BILINEAR = frozenset(
    {
        *("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "linear"),
        *("mul", "matmul", "bmm", "mm"),
    }
)
"""Linear where only one factor comes from the clip."""

CONSTANT = frozenset({"zeros_like", "ones_like", "new_zeros", "new_ones", "new_full", "new_empty"})


HIDDEN = "deconvnet has no rule for what torch does not show, such as an autograd.Function"


@contextmanager
def deconvnet_way(model: nn.Module) -> Iterator[None]:
    """Within, the gradient of what the model answers is the deconvnet's reconstruction.

    Raises:
        UserError: when a signal comes back to an operation without a rule, which is named.
    """
    way = _Deconvnet()
    with watched(model, way.begin, way.on_operation):
        yield


@contextmanager
def guided_way(model: nn.Module) -> Iterator[None]:
    """Within, the gradient of what the model answers is that of guided backpropagation.

    Raises:
        UserError: when a signal comes back to an activation that is no rectifier.
    """
    with watched(model, _ignore, _heed_guided):
        yield


def _ignore(_clips: Tensor) -> None:
    pass


class _Deconvnet:
    """Knows what comes from the clip, also where no gradient flows, as through a comparison."""

    def __init__(self) -> None:
        self._moving: dict[int, Tensor] = {}  # kept, so that no identity is reused

    def begin(self, clips: Tensor) -> None:
        self._moving = {id(clips): clips}

    def on_operation(
        self, name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        tensors = tensors_in([args, kwargs])
        moving = [each for each in tensors if id(each) in self._moving]
        hidden = [each for each in tensors if each.requires_grad and id(each) not in self._moving]
        if name in CONSTANT or not (moving or hidden):
            return func(*args, **kwargs)
        if hidden:
            output = _refused(HIDDEN, func(*args, **kwargs), hidden)
        else:
            output = _on_the_way(name, func, args, kwargs, moving)
        written = args[0] if name == "__setitem__" else output
        self._moving.update({id(each): each for each in tensors_in(written)})
        return output


def _on_the_way(
    name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any], moving: list[Tensor]
) -> Any:
    """An operation's output, whose way back is the deconvnet's."""
    with_signal = [tensor for tensor in moving if tensor.requires_grad]
    if not with_signal or _is_linear(name, moving, args, kwargs):
        return func(*args, **kwargs)
    if name in DECONVNET_RULES:
        return _replaced(DECONVNET_RULES[name], func, args, kwargs)
    text = f"deconvnet has no rule for {name}"
    output = func(*args, **kwargs)
    if name == "__setitem__":
        _refused(text, args[0], moving)
    return _refused(text, output, with_signal)


def _heed_guided(name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    moving = [tensor for tensor in tensors_in([args, kwargs]) if tensor.requires_grad]
    if not moving or name not in ACTIVATIONS:
        return func(*args, **kwargs)
    if name in RECTIFIERS:
        return _replaced(RECTIFIERS[name], func, args, kwargs, with_slope=True)
    text = f"guided backpropagation is defined for rectifiers, not for {name}"
    return _refused(text, func(*args, **kwargs), moving)


def _is_linear(
    name: str, moving: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> bool:
    if name in LINEAR or name in SELECTING:
        return all(tensor.requires_grad for tensor in moving)
    if name in BILINEAR:
        return len(moving) == 1
    if name in ("div", "true_divide"):
        return len(moving) == 1 and args[0] is moving[0]
    return name == "batch_norm" and takes_kept_statistics(args, kwargs)


def _replaced(
    rule: Rule,
    func: Call,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    with_slope: bool = False,
) -> Tensor:
    """The activation with another way back, of the same values; in place where it was."""
    others = dict(kwargs)
    x = args[0] if args else others.pop("input")

    def activation(values: Tensor) -> Tensor:
        output: Tensor = func(values, *args[1:], **others)
        return output

    copy = x.clone()
    values = activation(copy)
    is_in_place = values is copy
    source = values if with_slope else x
    passed = _passing(source, values.detach(), lambda s: rule(s, lambda v: activation(v.clone())))
    output: Tensor = x.copy_(passed) if is_in_place else passed
    return output


def _refused(text: str, output: Any, moving: list[Tensor]) -> Any:
    """The output of an operation, through which no signal comes back."""
    if isinstance(output, tuple):
        each = [_refused(text, value, moving) for value in output]
        return type(output)(each) if hasattr(output, "n_fields") else tuple(each)
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return output
    is_in_place = any(output is tensor for tensor in moving)
    closed = _closed(text, output.detach().clone(), *moving)
    return output.copy_(closed) if is_in_place else closed


class _Passing(torch.autograd.Function):
    """`values` forwards; backwards to `source`, by a way of its own."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, values: Tensor, way: Any) -> Tensor:  # noqa: ARG004
        ctx.way = way
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *signals: Any) -> Any:
        return ctx.way(signals[0]), None, None


class _Closed(torch.autograd.Function):
    """`values` forwards; backwards a UserError."""

    @staticmethod
    def forward(ctx: Any, text: str, values: Tensor, *_moving: Tensor) -> Tensor:
        ctx.text = text
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *_signals: Any) -> Any:
        raise UserError(
            f"{ctx.text}, which the signal meets on its way back to the clip: start from a layer "
            "before it, or take a method that goes by derivatives, such as integrated_gradients"
        )


_passing: Callable[..., Tensor] = _Passing.apply
_closed: Callable[..., Tensor] = _Closed.apply
