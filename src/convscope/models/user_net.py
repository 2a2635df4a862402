"""A network of the user's own, from a function in a Python file.

The file's bytes are hashed and run as read, so that the network is the one the hash stands for;
what it imports is not hashed.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from convscope.errors import UserError
from convscope.models.rows import BYTES_PER_FLOAT, LayerRow
from convscope.models.spec import UserNet
from convscope.models.user_file import blamed, function_of, run_file
from convscope.types import Shape

REST = "(rest)"
"""The row of what lies outside of leaf modules: parameters and FLOPs of a `forward` itself."""


def build_user_net(spec: UserNet, input_shape: Shape, n_classes: int) -> nn.Module:
    """The module that the user's function makes, after a copy of it has been tried on silent clips.

    Raises:
        UserError: if the file is not there, is not the one that was hashed, or fails; if what it
            makes is no module, has nothing to train or a state that a run cannot keep, fails in
            evaluation or in a step of training, or does not give n_classes logits for each clip.
    """
    make_net = _function(spec)
    with _blamed(spec, f"{spec.function}({input_shape}, {n_classes}) failed"):
        net = make_net(input_shape, n_classes)
    if not isinstance(net, nn.Module):
        raise _error(spec, f"expected a torch.nn.Module, got {type(net).__name__}")
    with torch.random.fork_rng(devices=[]):
        with _blamed(spec, f"a batch of shape {(2, *input_shape)} failed"):
            logits = _forward(net, input_shape, n_clips=2)
        _check_logits(spec, logits, (2, n_classes))
        _check_state(spec, net)
        _try_training(spec, net, (3, *input_shape), n_classes)
    return net


def _check_logits(spec: UserNet, logits: Any, expected: tuple[int, int]) -> None:
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if shape != expected:
        raise _error(
            spec,
            f"expected logits of shape {expected} for a batch of {expected[0]}, got {shape}: "
            f"return one row of n_classes numbers for each clip",
        )


def _check_state(spec: UserNet, net: nn.Module) -> None:
    """There is something to train, and nothing to keep but tensors."""
    with _blamed(spec, "its parameters and state_dict() failed"):
        trainable = [parameter.requires_grad for parameter in net.parameters()]
        state = net.state_dict()
    if not any(trainable):
        frozen = f"{len(trainable)} with requires_grad=False" if trainable else "none"
        raise _error(
            spec,
            f"expected parameters to train, got {frozen}: give it an nn.Parameter, or a layer "
            f"that has some, with requires_grad=True",
        )
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise _error(
                spec,
                f"expected a state_dict of tensors, which a run can keep, got a "
                f"{type(value).__name__} under {key!r}: register it as a buffer, or set it in "
                f"{spec.function}",
            )


def _try_training(spec: UserNet, net: nn.Module, shape: tuple[int, ...], n_classes: int) -> None:
    """Forward and backward in training mode, on a copy: `net` keeps its statistics."""
    with _blamed(spec, f"a batch of shape {shape} failed in training mode"):
        copy = deepcopy(net).train()
        logits = copy(torch.zeros(shape))
    _check_logits(spec, logits, (shape[0], n_classes))
    with _blamed(spec, f"the gradient of a batch of shape {shape} failed"):
        labels = torch.zeros(shape[0], dtype=torch.int64)
        F.cross_entropy(logits.float(), labels).backward()


def describe_user_net(spec: UserNet, input_shape: Shape, n_classes: int) -> tuple[LayerRow, ...]:
    """A row for each leaf module in the order in which one silent clip passes them.

    Receptive fields are not known. FLOPs and parameters outside of these modules have a row of
    their own, `(rest)`.
    """
    with torch.random.fork_rng(devices=[]):
        net = build_user_net(spec, input_shape, n_classes)
        with (
            _blamed(spec, f"a batch of shape {(1, *input_shape)} failed"),
            FlopCounterMode(display=False) as counter,
            recorded_shapes(net) as outputs,
        ):
            logits = _forward(net, input_shape, n_clips=1)
    _check_logits(spec, logits, (1, n_classes))
    rows = list(_rows(net, outputs, counter))
    rest_params = _n_params(net) - sum(row.params for row in rows)
    rest_flops = counter.get_total_flops() - sum(row.flops for row in rows)
    if rest_params or rest_flops:
        rows.append(LayerRow(REST, "forward", (), None, None, None, rest_params, rest_flops, 0))
    return tuple(rows)


def _rows(
    net: nn.Module, outputs: dict[str, Shape], counter: FlopCounterMode
) -> Iterator[LayerRow]:
    counts = counter.get_flop_counts()
    counted: set[nn.Parameter] = set()
    for name, shape in outputs.items():
        module = net.get_submodule(name)
        own = set(module.parameters()) - counted  # tied weights count once
        counted |= own
        yield LayerRow(
            name=name or REST,
            kind=type(module).__name__,
            shape=shape,
            receptive_field=None,
            start=None,
            stride=None,
            params=sum(p.numel() for p in own if p.requires_grad),
            flops=sum(counts.get(f"{type(net).__name__}.{name}".rstrip("."), {}).values()),
            activation_bytes=BYTES_PER_FLOAT * math.prod(shape),
        )


def _n_params(net: nn.Module) -> int:
    """Trainable parameters of a module, shared ones once."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def _function(spec: UserNet) -> Callable[[Shape, int], Any]:
    """The function that the spec names, from the file whose bytes it was hashed from."""
    said = f"model.family={spec.family}"
    module = run_file(spec.path, spec.source(), f"convscope_user_{spec.digest[:16]}", said)
    return function_of(module, spec.function, said, f"{spec.function}(input_shape, n_classes)")


def _forward(net: nn.Module, input_shape: Shape, n_clips: int) -> Any:
    """The net's answer to silent clips in evaluation mode; its modes are put back."""
    training = {module: module.training for module in net.modules()}
    try:
        with torch.no_grad():
            return net.eval()(torch.zeros(n_clips, *input_shape))
    finally:
        for module, mode in training.items():
            module.training = mode


@contextmanager
def recorded_shapes(net: nn.Module) -> Iterator[dict[str, Shape]]:
    """Output shapes for one clip of the leaf modules that a forward pass calls, in its order."""
    shapes: dict[str, Shape] = {}

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda _module, _inputs, output: shapes.update({name: _shape(output)})

    leaves = [(name, m) for name, m in net.named_modules() if not list(m.children())]
    handles = [module.register_forward_hook(hook(name)) for name, module in leaves]
    try:
        yield shapes
    finally:
        for handle in handles:
            handle.remove()


def _shape(output: Any) -> Shape:
    """The shape for one clip of a tensor, or of the first tensor of several."""
    while isinstance(output, (tuple, list)) and output:
        output = output[0]
    return tuple(output.shape[1:]) if isinstance(output, Tensor) else ()


def _blamed(spec: UserNet, what: str) -> AbstractContextManager[None]:
    return blamed(f"model.family={spec.family}", what)


def _error(spec: UserNet, message: str) -> UserError:
    return UserError(f"model.family={spec.family}: {message}")
