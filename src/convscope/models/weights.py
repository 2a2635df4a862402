"""Weights in a file, put into the net that they are of."""

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from convscope.errors import UserError

Weights = Mapping[str, Tensor]


def load_weights(net: nn.Module, path: Path, where: str = "") -> None:
    """Put the weights of a safetensors file into a net; half precision becomes what the net has.

    Args:
        net: it has these weights and no others.
        path: of the file.
        where: what names the file to its user, otherwise its path.

    Raises:
        UserError: the file cannot be read, is damaged, or is of another net.
    """
    where = where or str(path)
    try:
        weights = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{where}: expected a safetensors file ({reason})") from None
    require_fit(net, weights, where)
    own = net.state_dict()
    net.load_state_dict({key: value.to(own[key].dtype) for key, value in weights.items()})


def require_fit(net: nn.Module, weights: Weights, where: str) -> None:
    """Raise a UserError that names the first of the weights that differ in name or shape."""
    own = net.state_dict()
    wrong = sorted({k for k in own.keys() | weights.keys() if _shape(own, k) != _shape(weights, k)})
    if wrong:
        first = wrong[0]
        raise UserError(
            f"{where} do not fit the net: {first} is {_shape(weights, first)} there and "
            f"{_shape(own, first)} in the net ({len(wrong)} differ): give the weights of this net"
        )


def _shape(state: Weights, key: str) -> str:
    return "×".join(map(str, state[key].shape)) or "a number" if key in state else "missing"
