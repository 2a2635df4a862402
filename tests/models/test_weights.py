"""Weights go into the net that they are of; any others are named in one line."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from convscope.errors import UserError
from convscope.models.weights import load_weights


def saved(net: nn.Module, path: Path) -> Path:
    safetensors.torch.save_file(net.state_dict(), path)
    return path


def test_a_net_gets_the_weights_of_its_like(tmp_path: Path) -> None:
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    load_weights(other, saved(one, tmp_path / "w.safetensors"))
    assert torch.equal(one.weight, other.weight)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Linear(4, 2), r"w\.safetensors do not fit the net: weight is 2×4 there and 2×3 in"),
        (nn.Linear(3, 2, bias=False), r"bias is missing there and 2 in the net \(1 differ\)"),
        (nn.Sequential(nn.Linear(3, 2)), r"0\.bias is 2 there and missing in .*\(4 differ\)"),
    ],
)
def test_weights_of_another_net_are_named_in_one_line(
    tmp_path: Path, net: nn.Module, message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        load_weights(nn.Linear(3, 2), saved(net, tmp_path / "w.safetensors"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("n_bytes", [0, 5, 60, -1])
def test_a_damaged_file_is_named(tmp_path: Path, n_bytes: int) -> None:
    path = saved(nn.Linear(3, 2), tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(UserError, match=r"w\.safetensors: expected a safetensors file \("):
        load_weights(nn.Linear(3, 2), path)
