"""The built network against a slow NumPy version of Keras' layers, and by hand."""

import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.models.cnn import ACTIVATIONS, _pool, build
from convscope.models.families import FAMILIES, Family
from convscope.models.layers import Stack
from convscope.models.spec import Activation, ConvNetSpec, make_spec
from convscope.types import Shape

Array = NDArray[np.float64]

SMALL_INPUTS: dict[str, Shape] = {
    "baseline1d": (1, 157),
    "baseline2d": (1, 23, 19),
    "custom": (2, 83),
    "vgg": (1, 83),
    "long_filter": (1, 83),
    "image2d": (3, 13, 11),
    "mnist": (1, 11, 14),
    "residual": (1, 1_741),
}
"""Odd and small, so that partial windows and uneven padding show."""


SMALL_SIZES: dict[str, dict[str, int]] = {
    "baseline1d": {"conv_layers": 2, "kernel": 6},
    "baseline2d": {"conv_layers": 2, "kernel": 4},
    "vgg": {"conv_layers": 6},
    "long_filter": {"kernel": 12},
    "residual": {"conv_layers": 10, "kernel": 4},
}


def small_net(family: str, **values: Any) -> tuple[nn.Module, Shape]:
    """A net of a few channels and three blocks, with random biases and running means."""
    sizes = {"conv_layers": 3, "base_channels": 2, **SMALL_SIZES.get(family, {})}
    torch.manual_seed(3)
    spec = make_spec({"family": family, **sizes, **values})
    net = build(spec, SMALL_INPUTS[family], 5).eval()
    for name, tensor in net.state_dict().items():
        if name.endswith(("bias", "running_mean")):
            tensor.normal_()
        elif name.endswith(("running_var", "norm1.weight")):
            tensor.uniform_(0.5, 2)
    return net, SMALL_INPUTS[family]


def slow_conv(x: Array, layer: Any, before: int, after: int) -> Array:
    """A convolution position by position, each filter on the inputs of its group."""
    weight = layer.weight.detach().double().numpy()
    kernel, stride = weight.shape[2:], layer.stride[0]
    padded = np.pad(x, [(0, 0), *((before, after) for _ in kernel)])
    lengths = [(n - k) // stride + 1 for n, k in zip(padded.shape[1:], kernel, strict=True)]
    out = np.zeros((len(weight), *lengths))
    n_inputs, n_filters = weight.shape[1], len(weight) // layer.groups
    for at in np.ndindex(*out.shape):
        group = at[0] // n_filters
        corners = zip(at[1:], kernel, strict=True)
        window = tuple(slice(a * stride, a * stride + k) for a, k in corners)
        patch = padded[(slice(group * n_inputs, (group + 1) * n_inputs), *window)]
        out[at] = (patch * weight[at[0]]).sum()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().numpy()
    return np.asarray(out + bias.reshape(-1, *(1 for _ in kernel)))


def pads(name: str, layer: Any, rule: Family) -> tuple[int, int]:
    """Keras' `same`: k - 1 in all, the odd one behind; the filter bank: whole strides."""
    if rule.filter_bank is not None and name == "conv1":
        return (120, 120)  # (400 - 160) / 2
    total = layer.kernel_size[0] - 1 if rule.padding == "same" else 0
    return total // 2, total - total // 2


def slow_pool(x: Array, size: int, padding: str) -> Array:
    """Max pooling as TensorFlow states it: `valid`, or `same`; or all of its padding `behind`."""
    lengths = [n // size if padding == "valid" else math.ceil(n / size) for n in x.shape[1:]]
    sides = [(0, 0)]
    for n, n_out in zip(x.shape[1:], lengths, strict=True):
        total = max((n_out - 1) * size + size - n, 0)
        front = total // 2 if padding == "same" else 0
        sides.append((front, total - front))
    padded = np.pad(x, sides, constant_values=-np.inf)
    out = np.empty((len(x), *lengths))
    for at in np.ndindex(*lengths):
        patch = padded[(slice(None), *(slice(a * size, (a + 1) * size) for a in at))]
        out[(slice(None), *at)] = patch.reshape(len(x), -1).max(axis=1)
    return out


def slow_norm(x: Array, layer: Any) -> Array:
    columns = (slice(None), *(None,) * (x.ndim - 1))
    mean, var, gain, shift = (
        t.detach().numpy()[columns]
        for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return np.asarray((x - mean) / np.sqrt(var + 1e-5) * gain + shift)


def slow_forward(net: nn.Module, rule: Family, x: Array, padding: str | None = None) -> Array:
    """The net's answer in evaluation mode, with relu, layer by layer by name."""
    padding = padding or ("same" if rule.pool_ceil else "valid")
    for name, module in net.named_children():
        layer: Any = module
        if name.startswith("conv"):
            x = slow_conv(x, layer, *pads(name, layer, rule))
        elif name.startswith("block"):
            x = x + slow_forward(layer, rule, x)
        elif name == "log_energy":
            x = np.log(x[: len(x) // 2] ** 2 + x[len(x) // 2 :] ** 2 + 1.6e-3)
        elif name == "centre":
            x = x - x.mean(axis=1, keepdims=True)
        elif name.startswith("norm"):
            x = slow_norm(x, layer)
        elif name.startswith("act"):
            x = np.maximum(x, 0)
        elif name.startswith("pool"):
            x = slow_pool(x, rule.pool, padding)
        elif name == "flatten":
            x = x.reshape(-1)
        elif name == "average":
            x = x.reshape(len(x), -1).mean(axis=1)
        elif name.startswith(("dense", "logits")):
            x = layer.weight.detach().double().numpy() @ x + layer.bias.detach().numpy()
        else:
            assert "dropout" in name, name
    return x


@pytest.mark.parametrize(
    "values",
    [
        {"pool": "after", "head": "flatten", "batch_norm": True, "fc_hidden": 1},
        {"pool": "before", "head": "average", "batch_norm": False},
    ],
    ids=lambda values: values["pool"],
)
@pytest.mark.parametrize("family", SMALL_INPUTS)
def test_a_net_computes_what_the_slow_reference_does(family: str, values: dict[str, Any]) -> None:
    pools = {} if FAMILIES[family].pool else {"pool": "after"}
    net, shape = small_net(family, **values | pools)
    x = np.random.default_rng(0).normal(size=shape)
    with torch.no_grad():
        answer = net(torch.from_numpy(x).float()[None])[0].numpy()
    np.testing.assert_allclose(answer, slow_forward(net, FAMILIES[family], x), atol=1e-4)


def answers(net: nn.Module, clip: Array) -> Array:
    with torch.no_grad():
        return np.asarray(net(torch.from_numpy(clip).float()[None])[0])


@pytest.mark.parametrize("padding", ["same", "behind"])
@pytest.mark.parametrize("n_times", range(157, 173))
def test_pools_of_4_over_any_length_are_those_of_the_reference(n_times: int, padding: str) -> None:
    spec = make_spec({"family": "baseline1d", "pool_padding": padding, **SMALL_SIZES["baseline1d"]})
    torch.manual_seed(0)
    net = build(spec, (1, n_times), 5).eval()
    clip = np.random.default_rng(n_times).normal(size=(1, n_times))
    expected = slow_forward(net, FAMILIES["baseline1d"], clip, padding)
    np.testing.assert_allclose(answers(net, clip), expected, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, n, m) for n in (9, 10, 11, 12) for m in (12, 14, 15)])
def test_each_axis_of_a_2d_pool_is_padded_for_itself(shape: Shape) -> None:
    stack = Stack(shape)
    stack.pool(4, "same")
    x = np.random.default_rng(0).normal(size=shape)
    expected = slow_pool(x, 4, "same")
    assert stack.shape == expected.shape
    np.testing.assert_allclose(answers(_pool(stack.layers[0]), x), expected, rtol=1e-6)


# Keras 3.15 on TensorFlow 2.21, MaxPooling1D(4, padding="same") of 1, 2, …, n
BY_KERAS = {8: [4, 8], 9: [3, 7, 9], 10: [3, 7, 10], 11: [4, 8, 11]}


@pytest.mark.parametrize(("n_times", "expected"), BY_KERAS.items())
def test_a_pool_of_4_gives_what_keras_gave(n_times: int, expected: list[int]) -> None:
    stack = Stack((1, n_times))
    stack.pool(4, "same")
    rising = np.arange(1.0, n_times + 1)[None]
    assert answers(_pool(stack.layers[0]), rising)[0].tolist() == expected


@pytest.mark.parametrize("family", ["baseline2d", "image2d", "mnist"])
def test_pools_of_2_are_padded_behind_by_keras_as_well(family: str) -> None:
    net, shape = small_net(family, pool_padding="same")
    behind, _ = small_net(family, pool_padding="behind")
    x = np.random.default_rng(0).normal(size=shape)
    assert answers(net, x).tolist() == answers(behind, x).tolist()


def test_batch_norm_has_the_momentum_and_epsilon_of_the_spec() -> None:
    usual: Any = build(make_spec({"family": "mnist", "batch_norm": True}), (1, 28, 28), 10)
    assert (usual.norm1.momentum, usual.norm1.eps) == (0.1, 1e-5)
    keys = {"batch_norm": True, "batch_norm_momentum": 0.01, "batch_norm_epsilon": 1e-3}
    net, _ = small_net("residual", **keys)
    norm: Any = net.get_submodule("norm1").train()
    clips = torch.randn(8, norm.num_features, 7, generator=torch.Generator().manual_seed(0)) * 0.01
    before = norm.running_mean.clone()
    with torch.no_grad():
        answer = norm(clips)
    mean, variance = clips.mean((0, 2)), clips.var((0, 2), correction=0)
    torch.testing.assert_close(norm.running_mean, 0.99 * before + 0.01 * mean)
    expected = (clips - mean[:, None]) / torch.sqrt(variance + 1e-3)[:, None]
    expected = expected * norm.weight[:, None] + norm.bias[:, None]
    torch.testing.assert_close(answer, expected)


def test_same_padding_of_an_even_kernel_puts_the_odd_sample_behind() -> None:
    spec = make_spec({"family": "long_filter", "kernel": 6, "conv_layers": 1, "base_channels": 1})
    conv: Any = build(spec, (1, 9), 2).get_submodule("conv1")
    nn.init.constant_(conv.weight, 0)
    conv.weight.data[0, 0, 0] = 1  # looks (k - 1) // 2 = 2 samples back
    clip = torch.arange(1.0, 10)
    assert conv(clip[None, None])[0, 0].tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 7]


def test_modules_are_found_by_the_plans_names() -> None:
    net = build(make_spec({"family": "custom", "batch_norm": True}), (1, 16_000), 16)
    assert isinstance(net.get_submodule("conv3"), nn.Conv1d)
    assert isinstance(net.get_submodule("norm8"), nn.BatchNorm1d)
    assert isinstance(net.get_submodule("logits"), nn.Linear)
    assert net.get_submodule("logits") is list(net.children())[-1]


def test_dropout_has_the_rate_of_the_spec_and_is_off_in_evaluation() -> None:
    torch.manual_seed(0)
    net = build(make_spec({"family": "mnist", "dropout": 0.3}), (1, 28, 28), 10)
    dropout = net.get_submodule("dropout")
    ones = torch.ones(100_000)
    assert dropout(ones).eq(0).double().mean() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(dropout.eval()(ones), ones)


def test_a_residual_net_drops_whole_bands_while_it_trains() -> None:
    torch.manual_seed(0)
    net = build(make_spec({"family": "residual", "dropout": 0.3}), (1, 16_000), 16)
    dropped = net.get_submodule("band_dropout")(torch.ones(200, 40, 7)).eq(0)
    assert torch.equal(dropped.any(2), dropped.all(2))
    assert dropped.double().mean() == pytest.approx(0.3, abs=0.02)


RRELU_MEAN_SLOPE = (1 / 8 + 1 / 3) / 2
CLOSED_FORMS: dict[str, Callable[[float], float]] = {
    "relu": lambda x: max(x, 0),
    "tanh": math.tanh,
    "rrelu": lambda x: x if x > 0 else RRELU_MEAN_SLOPE * x,
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + math.exp(-x)),
}


def test_every_activation_of_a_spec_is_there() -> None:
    assert set(ACTIVATIONS) == set(get_args(Activation)) == set(CLOSED_FORMS)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_an_activation_follows_its_closed_form(name: str) -> None:
    net, _ = small_net("custom", activation=name)
    values = [-3.0, -0.5, 0.0, 0.5, 3.0]
    answer = net.get_submodule("act1")(torch.tensor(values)).tolist()
    assert answer == pytest.approx([CLOSED_FORMS[name](v) for v in values], abs=1e-6)


def test_rrelu_draws_its_slopes_while_it_trains() -> None:
    net, _ = small_net("custom", activation="rrelu")
    torch.manual_seed(0)
    slopes = -net.get_submodule("act1").train()(torch.full((10_000,), -1.0))
    assert 1 / 8 <= float(slopes.min()) < 0.13
    assert 0.33 < float(slopes.max()) <= 1 / 3


@pytest.mark.parametrize("family", SMALL_INPUTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_net_leaves_its_input_alone_and_every_weight_gets_a_gradient(
    family: str, activation: str
) -> None:
    net, shape = small_net(family, activation=activation, batch_norm=True)
    clips = torch.randn(4, *shape)
    before = clips.clone()
    net.train()(clips).square().sum().backward()
    assert torch.equal(clips, before)
    assert all(p.grad is not None for p in net.parameters())
    assert not any(getattr(module, "inplace", False) for module in net.modules())


def test_a_spec_of_every_family_builds_at_its_defaults() -> None:
    inputs: dict[int, Shape] = {1: (1, 16_000), 2: (1, 60, 60)}
    for family, rule in FAMILIES.items():
        spec = make_spec({"family": family, "base_channels": 2})
        assert isinstance(spec, ConvNetSpec)
        net = build(spec, inputs[rule.n_dims], 3).eval()
        assert net(torch.zeros(2, *inputs[rule.n_dims])).shape == (2, 3)
