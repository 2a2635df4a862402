"""Deconvnet and guided backpropagation, against slow NumPy, by hand, and by their rules."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.errors import UserError
from convscope.inside.attribution.gradients import deconvnet, guided_backprop, saliency
from convscope.inside.attribution.rules import DECONVNET_RULES
from convscope.inside.tracing.target import Target
from tests.reference.slow_deconvnet import Conv, MaxPool, ReLU, Step, Tanh, slow_deconvnet

CONV: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}
POOL: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
LENGTHS = {1: (29,), 2: (13, 11)}


POOLS = {"overlapping": (3, 2, 0), "padded in front": (4, 4, 1)}
"""Size, stride, padding; of all, the last window is not full."""


def two_layers(
    n_axes: int, activation: Callable[[], nn.Module] = nn.ReLU, pool: str = "overlapping"
) -> nn.Sequential:
    """Two convolutions, of which the second leaves positions over, and a pool between them."""
    torch.manual_seed(0)
    return nn.Sequential(
        CONV[n_axes](2, 3, 3, padding=1),
        activation(),
        POOL[n_axes](*POOLS[pool], ceil_mode=True),
        CONV[n_axes](3, 4, 3, stride=2),
        activation(),
        nn.Flatten(),
        nn.LazyLinear(5),
    )


def clips_for(n_axes: int, n_clips: int = 2) -> Tensor:
    shape = (n_clips, 2, *LENGTHS[n_axes])
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def by_loops(net: nn.Sequential) -> list[Step]:
    """The same, up to the second activation."""
    first, second = net[0], net[3]
    act = ReLU if isinstance(net[1], nn.ReLU) else Tanh

    def conv(module: Any) -> Conv:
        weight, bias = (each.detach().double().numpy() for each in (module.weight, module.bias))
        return Conv(weight, bias, module.stride[0], module.padding[0])

    pool = cast(Any, net[2])
    windows = MaxPool(pool.kernel_size, pool.stride, True, pool.padding)
    return [conv(first), act(), windows, conv(second), act()]


@pytest.mark.parametrize("n_axes", [1, 2])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("at", ["strongest", "map"])
@pytest.mark.parametrize("pool", POOLS)
def test_it_equals_a_slow_version_with_switches(
    n_axes: int, activation: type[nn.Module], at: Any, pool: str
) -> None:
    net, clips = two_layers(n_axes, activation, pool), clips_for(n_axes)
    net(clips)
    for unit in range(4):
        made = deconvnet(net, clips, Target("act2", unit, at)).values
        for clip, own in zip(clips.double().numpy(), made, strict=True):
            expected = slow_deconvnet(by_loops(net), clip, unit, at == "map")
            np.testing.assert_allclose(own, expected, atol=1e-5)


def test_a_net_of_ones_by_hand() -> None:
    """conv of two ones: 3 5 3 -2 -5; pool of 2: 5 3; the 5 goes back to where it was."""
    conv, dense = nn.Conv1d(1, 1, 2, bias=False), nn.Linear(2, 1)
    net = nn.Sequential(conv, nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), dense)
    for layer in (conv, dense):
        nn.init.ones_(layer.weight)
    clip = torch.tensor([[[1.0, 2, 3, 0, -2, -3]]])
    strongest = deconvnet(net, clip, Target("act1", 0)).values
    np.testing.assert_array_equal(strongest, [[[0, 5, 5, 0, 0, 0]]])
    whole = deconvnet(net, clip, Target("act1", 0, "map")).values
    np.testing.assert_array_equal(whole, [[[3, 8, 8, 3, 0, 0]]])
    one = deconvnet(net, clip, Target("act1", 0, (2,))).values
    np.testing.assert_array_equal(one, [[[0, 0, 3, 3, 0, 0]]])
    # a class: ones to both windows, one each to the 5 and the first 3 of (3, -2)
    np.testing.assert_array_equal(
        deconvnet(net, clip, Target("logits", 0)).values, [[[0, 1, 2, 1, 0, 0]]]
    )


class Written(nn.Module):
    """A net whose activation is written as a user writes it."""

    def __init__(self, activate: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv1d(2, 4, 3), nn.Conv1d(4, 3, 3)
        self.norm = nn.BatchNorm1d(4)
        self.variance = torch.tensor([0.5, 1, 2, 4])
        self.norm.running_var = self.variance
        nn.init.uniform_(self.norm.weight, -1, 2)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        x = self.activate(self.norm(self.first(x)))
        return self.activate(self.second(x)).mean(2)


def in_place(x: Tensor) -> Tensor:
    x.relu_()  # the result is not used: x itself has changed
    return x


RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "x.relu": lambda x: x.relu(),
    "x.relu_": in_place,
    "torch.relu": torch.relu,
    "x.clamp": lambda x: x.clamp(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
}


@pytest.mark.parametrize("method", [deconvnet, guided_backprop])
@pytest.mark.parametrize("name", RELUS)
def test_however_a_relu_is_written_the_result_is_the_same(
    name: str, method: Callable[..., Any]
) -> None:
    if method is guided_backprop and "clamp" in name:
        pytest.skip("guided backpropagation is defined for rectifiers by their name")
    clips = clips_for(1)
    for target in (Target("logits", [0, 2]), Target("act1", 1), Target("conv2", 2, "map")):
        expected = method(Written(nn.ReLU()), clips, target).values
        assert np.abs(expected).max() > 0
        np.testing.assert_array_equal(method(Written(RELUS[name]), clips, target).values, expected)


ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "tanh": (torch.tanh, lambda s: s),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.1), lambda s: F.leaky_relu(s, 0.1)),
    "rrelu": (nn.RReLU(0.1, 0.3), lambda s: F.leaky_relu(s, 0.2)),
    "prelu": (nn.PReLU(init=0.3), lambda s: F.leaky_relu(s, 0.3)),
    "elu": (F.elu, F.relu),
    "gelu": (F.gelu, F.relu),
    "silu": (F.silu, F.relu),
    "relu6": (nn.ReLU6(), F.relu),
    "hardtanh": (nn.Hardtanh(), lambda s: s),
}
"""Each with the rule that is documented of it."""


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_activation_goes_back_by_its_documented_rule(name: str) -> None:
    activate, rule = ACTIVATIONS[name]
    net, clips = Written(activate).eval(), clips_for(1, 1)
    signal = torch.zeros(1, 3, 25)
    with torch.no_grad():
        answer = net.second(activate(net.norm(net.first(clips))))
        place = answer[0, 1].argmax()
        signal[0, 1, place] = answer[0, 1, place]
        back = rule(F.conv_transpose1d(signal, net.second.weight))
        scale = net.norm.weight / torch.sqrt(net.variance + net.norm.eps)
        expected = F.conv_transpose1d(back * scale[:, None], net.first.weight)
    made = deconvnet(net, clips, Target("conv2", 1)).values
    np.testing.assert_allclose(made, expected, atol=1e-6)
    plain = torch.autograd.functional.jacobian(
        lambda x: 0.5 * net.second(activate(net.norm(net.first(x))))[0, 1, place] ** 2, clips
    )
    assert not np.allclose(made, plain, atol=1e-4), "it must not be the gradient in disguise"


def test_guided_backprop_refuses_tanh_and_is_not_the_gradient() -> None:
    clips = clips_for(1)
    with pytest.raises(UserError, match=r"guided backpropagation .* not for tanh"):
        guided_backprop(Written(torch.tanh), clips, Target())
    guided = guided_backprop(Written(nn.ReLU()), clips, Target()).values
    assert not np.allclose(np.abs(guided), saliency(Written(nn.ReLU()), clips, Target()).values)


def test_guided_backprop_by_hand() -> None:
    """Slopes 1 where the forward pass was positive; what comes back negative is lost."""
    first, second = nn.Conv1d(1, 2, 1, bias=False), nn.Conv1d(2, 1, 1, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[[1.0]], [[2.0]]]))
        second.weight.copy_(torch.tensor([[[3.0], [-1.0]]]))
    net = nn.Sequential(first, nn.ReLU(), second, nn.Flatten())
    clip = torch.tensor([[[1.0, -1.0]]])
    made = guided_backprop(net, clip, Target("conv2", 0, (0,)))
    np.testing.assert_array_equal(made.values, [[[3, 0]]])  # the gradient is 3 - 2 = 1
    made = guided_backprop(net, clip, Target("conv2", 0, (1,)))
    np.testing.assert_array_equal(made.values, [[[0, 0]]])
    np.testing.assert_array_equal(deconvnet(net, clip, Target("conv2", 0, (0,))).values, [[[3, 0]]])


class Middle(nn.Module):
    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv1d(2, 4, 3), nn.Conv1d(4, 3, 3)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.second(self.between(self.first(x)))
        return answer.mean(2)


def squared_in_place(x: Tensor) -> Tensor:
    x.square_()
    return x


def cut_in_place(x: Tensor) -> Tensor:
    x[x < 0] = 0
    return x


def gated_without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        gate = x.sigmoid()
    return x * gate


REFUSED: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: torch.softmax(x, 1),
    "log": lambda x: torch.log(1 + x.relu()),
    "square": lambda x: x.square(),
    "square in place": squared_in_place,
    "sigmoid": torch.sigmoid,
    "mul": lambda x: x * x.mean(2, keepdim=True),
    "mul by a comparison": lambda x: x * (x > 0),
    "mul by a mask of numbers": lambda x: x * (x > 0).float(),
    "mul by what is detached": lambda x: x * x.detach().sigmoid(),
    "mul by data": lambda x: x * x.data.sigmoid(),
    "mul without gradient": gated_without_gradient,
    "where": lambda x: torch.where(x > 0, x, 0),
    "__setitem__": cut_in_place,
    "conv1d": lambda x: F.conv1d(x, x.mean((0, 2)).expand(4, 4)[..., None]),
    "div": lambda x: x / (1 + x.mean(2, keepdim=True)),
    "matmul": lambda x: x @ x.transpose(1, 2) @ x,
    "detach": lambda x: x + x.detach(),
    "group_norm": nn.GroupNorm(2, 4),
    "batch_norm": nn.BatchNorm1d(4, track_running_stats=False),
    "scaled_dot_product_attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "max": lambda x: x.max(2, keepdim=True)[0] + x,
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_operation_without_a_rule_is_named_and_refused(name: str) -> None:
    net, clips = Middle(REFUSED[name]), clips_for(1)
    with pytest.raises(UserError, match=f"^deconvnet has no rule for {name.split()[0]}, which"):
        deconvnet(net, clips, Target("conv2", 1))


def test_what_is_refused_behind_the_layer_is_no_hindrance() -> None:
    clips = clips_for(1)
    made = deconvnet(Middle(REFUSED["log"]), clips, Target("conv1", 1)).values
    np.testing.assert_array_equal(
        made, deconvnet(Middle(nn.ReLU()), clips, Target("conv1", 1)).values
    )


LINEAR: dict[str, Callable[[Tensor], Tensor]] = {
    "add": lambda x: x + 0.5 * x + 3,
    "sub": lambda x: 1 - x,
    "cat": lambda x: torch.cat([x[:, :2], x.chunk(2, 1)[1]], 1),
    "pad": lambda x: F.pad(x, (1, 1)),
    "views": lambda x: x.flatten(1).view(x.shape).permute(0, 2, 1).transpose(1, 2),
    "average": nn.AvgPool1d(2),
    "dropout": nn.Dropout(0.5),
    "turned": lambda x: x.mT.mT,
    "scale": lambda x: x / 2 * torch.arange(4.0)[:, None],
    "zeros": lambda x: torch.cat([x, x.new_zeros(len(x), 4, 1)], 2),
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_net_goes_back_as_its_gradient_does(name: str) -> None:
    net, clips = Middle(LINEAR[name]).eval(), clips_for(1)
    made = deconvnet(net, clips, Target("logits", 1)).values
    leaf = clips.clone().requires_grad_()
    (expected,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_biases_play_no_part_where_switches_stay() -> None:
    net, clips = Written(torch.tanh), clips_for(1)
    before = deconvnet(net, clips, Target("logits", 1)).values
    with torch.no_grad():
        cast(Tensor, net.first.bias).add_(5)
    np.testing.assert_array_equal(deconvnet(net, clips, Target("logits", 1)).values, before)


def test_every_rule_is_of_an_activation_that_a_layer_may_have() -> None:
    from convscope.inside.tracing.trace import ACTIVATIONS as KNOWN

    assert set(DECONVNET_RULES) <= KNOWN
    assert {"sigmoid", "hardsigmoid"} == KNOWN - set(DECONVNET_RULES)
