"""bfloat16 under `torch.func.vmap`, where torch's own autocast has no effect."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

NARROW = frozenset({F.conv1d, F.conv2d, F.linear})
"""Computed in bfloat16."""
WIDE = frozenset({torch.log, Tensor.log})
"""On a GPU computed in float32, and left so."""


class Autocast(TorchFunctionMode):
    """While active, the net's products are in bfloat16, as under `torch.autocast`.

    Batch norm computes in float32 and answers in the type that came in, as torch's own does.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in NARROW:
            args = tree_map_only(Tensor, Tensor.bfloat16, args)
        elif func in WIDE and args[0].is_cuda:
            args = tree_map_only(Tensor, Tensor.float, args)
        elif func is F.batch_norm:
            return func(args[0].float(), *args[1:], **kwargs).to(args[0].dtype)
        return func(*args, **kwargs)
