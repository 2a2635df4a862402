"""What a forward pass does, operation by operation: the one place that touches a model.

A model is watched from outside, as torch's functions are called, so that it does not matter
whether it calls `nn.ReLU`, `F.relu` or `x.relu()`. It gets two hooks, which are gone at the end,
also when its forward pass raises.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from convscope.errors import UserError

CONVOLUTIONS = frozenset({"conv1d", "conv2d"})
POOLINGS = frozenset(
    {
        *("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"),
        *("max_pool1d_with_indices", "max_pool2d_with_indices"),
    }
)
NORMS = frozenset({"batch_norm", "group_norm", "layer_norm", "instance_norm"})
DROPOUTS = frozenset(
    {"dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout"}
)
ACTIVATIONS = frozenset(
    {
        "relu",
        "relu6",
        "tanh",
        "sigmoid",
        "hardsigmoid",
        "leaky_relu",
        "rrelu",
        "prelu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "hardtanh",
        "hardswish",
        "clamp",
        "clamp_min",
    }
)
SOFTMAXES = frozenset({"softmax", "log_softmax"})
ATTRIBUTES = frozenset({"T", "mT", "H", "mH", "data", "real", "imag"})
"""Attributes that give another tensor, as operations do."""

Call = Callable[..., Any]

OnOperation = Callable[[str, Call, tuple[Any, ...], dict[str, Any]], Any]
"""Is given each operation, its name, function, arguments and keywords, and gives its result."""


@contextmanager
def watched(
    model: nn.Module, begin: Callable[[Tensor], None], on_operation: OnOperation
) -> Iterator[None]:
    """Within, every operation of a forward pass of `model` is handed to `on_operation`.

    Args:
        model: whose operations; those of others, such as a loss, are left alone.
        begin: called with the clips where a forward pass begins.
        on_operation: called for each operation instead of it.
    """
    watcher = _Watcher(on_operation)

    def enter(_module: nn.Module, args: Any, kwargs: Any) -> None:
        watcher.is_inside = False
        begin(_clips_among(args, kwargs))
        watcher.is_inside = True

    def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        watcher.is_inside = False

    hooks = [
        model.register_forward_pre_hook(enter, with_kwargs=True),
        model.register_forward_hook(leave, always_call=True),
    ]
    try:
        with watcher:
            yield
    finally:
        for hook in hooks:
            hook.remove()


def _clips_among(args: Any, kwargs: Any) -> Tensor:
    """The first tensor that a model is called with, by position or by keyword."""
    tensors = tensors_in([args, kwargs])
    if not tensors:
        raise UserError("the model is called without a tensor: expected clips (n_clips, …)")
    return tensors[0]


class _Watcher(TorchFunctionMode):
    def __init__(self, on_operation: OnOperation) -> None:
        super().__init__()
        self._heed = on_operation
        self.is_inside = False

    def __torch_function__(
        self, func: Call, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = operation(func)
        if not self.is_inside or name is None:
            return func(*args, **kwargs)
        return self._heed(name, func, args, kwargs)


def operation(func: Call) -> str | None:
    """A function's name, that of an in-place form without its underscore; None of no operation."""
    name = getattr(func, "__name__", "")
    if name == "__get__":  # most, such as .shape or .device, are no operations
        attribute = getattr(getattr(func, "__self__", None), "__name__", "")
        return attribute if attribute in ATTRIBUTES else None
    if name.startswith("__"):
        return None if name == "__set__" else name
    return name.strip("_") or None


def takes_kept_statistics(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a batch norm goes by the statistics kept, not by those of the clips at hand."""
    return not kwargs.get("training", args[5] if len(args) > 5 else False)


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors among some arguments, those in lists included."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple):
        return []
    return [tensor for each in value for tensor in tensors_in(each)]
