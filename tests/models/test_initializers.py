"""Initial weights against the closed forms, over all initializers."""

import math
from typing import get_args

import pytest
import torch
from torch import nn

from convscope.models.cnn import build
from convscope.models.initializers import INITIALIZERS, fans
from convscope.models.spec import Initializer, make_spec

SHAPE = (96, 48, 5, 7)
FAN_IN, FAN_OUT = 48 * 35, 96 * 35
VARIANCE = {"glorot": 2 / (FAN_IN + FAN_OUT), "he": 2 / FAN_IN}


def drawn(name: str, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    weight = torch.empty(SHAPE)
    INITIALIZERS[name](weight)
    return weight


def test_every_initializer_of_a_spec_is_there() -> None:
    assert set(INITIALIZERS) == set(get_args(Initializer))


def test_fans_count_the_positions_of_a_filter() -> None:
    assert fans(torch.empty(SHAPE)) == (FAN_IN, FAN_OUT)
    assert fans(nn.Linear(7, 3).weight) == (7, 3)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_mean_and_variance_are_those_of_the_closed_form(name: str) -> None:
    weight = drawn(name).double()
    variance = VARIANCE[name.split("_")[0]]
    assert abs(weight.mean()) < 4 * math.sqrt(variance / weight.numel())
    assert weight.var() == pytest.approx(variance, rel=0.015)  # 161,280 weights: 4 s.e. is 1.4 %


@pytest.mark.parametrize("name", ["glorot_uniform", "he_uniform"])
def test_uniform_weights_fill_their_bounds(name: str) -> None:
    limit = math.sqrt(3 * VARIANCE[name.split("_")[0]])
    largest = float(drawn(name).abs().max())
    assert 0.999 * limit < largest <= limit * (1 + 1e-6)


@pytest.mark.parametrize("name", ["glorot_normal", "he_normal"])
def test_normal_weights_are_cut_off_at_two_standard_deviations_before_the_cut(name: str) -> None:
    # Var of a standard normal cut off at ±2: 1 - 4 φ(2) / (Φ(2) - Φ(-2))
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    cut = math.sqrt(1 - 4 * density / math.erf(2 / math.sqrt(2)))
    limit = 2 * math.sqrt(VARIANCE[name.split("_")[0]]) / cut
    weight = drawn(name)
    assert 0.99 * limit < float(weight.abs().max()) <= limit * (1 + 1e-6)
    inner = (weight.abs() < limit / 2).double().mean()  # within one standard deviation: 71.5 %
    assert inner == pytest.approx(
        math.erf(1 / math.sqrt(2)) / math.erf(2 / math.sqrt(2)), abs=0.005
    )


@pytest.mark.parametrize("name", INITIALIZERS)
def test_the_seed_decides_every_weight_and_biases_are_zero(name: str) -> None:
    spec = make_spec({"family": "mnist", "initializer": name, "base_channels": 4, "fc_hidden": 1})
    nets = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        nets.append(build(spec, (1, 28, 28), 10).state_dict())
    first, again, other = nets
    for key, value in first.items():
        assert torch.equal(value, again[key])
        if key.endswith("bias"):
            assert not value.any()
        else:
            assert not torch.equal(value, other[key])
