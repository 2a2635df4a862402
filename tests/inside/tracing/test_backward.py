"""Nets whose way back, or whose answers, are not as usual."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from convscope.errors import UserError
from convscope.inside.attribution.cam import grad_cam
from convscope.inside.attribution.gradients import deconvnet, saliency
from convscope.inside.filters.effective import effective_filters
from convscope.inside.maximise.maximise import maximise
from convscope.inside.maximise.objectives import tv, unit
from convscope.inside.tracing.backward import BackwardFailed
from convscope.inside.tracing.layers import layers_of
from convscope.inside.tracing.record import answers, record
from convscope.inside.tracing.target import Target
from convscope.inside.units.dead import dead_units


class Net(nn.Module):
    """conv1, then whatever a net below makes of it, and two logits."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.dense = nn.Conv1d(1, 4, 5), nn.Linear(4, 2)

    def forward(self, clips: Tensor) -> Any:
        return self.dense(self.between(self.conv(clips)).mean(2))

    def between(self, maps: Tensor) -> Tensor:
        return maps.relu()


class Stop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *signals: Any) -> Any:
        raise ValueError("no way\nback")


class Stopping(Net):
    def forward(self, clips: Tensor) -> Any:
        return super().forward(Stop.apply(clips))  # type: ignore[no-untyped-call]


class Overwriting(Net):
    def between(self, maps: Tensor) -> Tensor:
        positive = maps.relu()
        positive += 1
        return positive


class Hiding(Net):
    """Its convolution's answer comes by a view that is written on."""

    def between(self, maps: Tensor) -> Tensor:
        hidden = torch.zeros_like(maps)
        hidden[:, :2].copy_(maps[:, :2])
        return hidden.relu()


class Pooled(Net):
    """Pooling between a convolution and its activation; with places, or without."""

    with_places = True

    def between(self, maps: Tensor) -> Tensor:
        if self.with_places:
            return functional.max_pool1d_with_indices(maps, (4,))[0].relu()
        return functional.max_pool1d(maps, 4).relu()


class Named(Net):
    def forward(self, clips: Tensor) -> Any:
        return {"logits": super().forward(clips)}


@pytest.fixture
def clips() -> Tensor:
    return torch.randn(3, 1, 40, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (Stopping(), "ValueError: no way back$"),
        (Overwriting(), "RuntimeError: one of the variables needed for gradient computation has"),
    ],
)
def test_a_backward_pass_that_fails_is_the_nets(net: Net, reason: str, clips: Tensor) -> None:
    words = f"^{type(net).__name__}: its backward pass failed with {reason}"
    with pytest.raises(BackwardFailed, match=words):
        saliency(net, clips, Target())
    with pytest.raises(BackwardFailed, match=words):
        maximise(net, unit("logits:0"), (1, 40))
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_an_effective_filter_whose_way_back_fails_is_refused(clips: Tensor) -> None:
    net = Stopping()
    with pytest.raises(BackwardFailed, match="Stopping: its backward pass failed"):
        effective_filters(net, clips, layers_of(net, clips[:1])["act1"])


def test_an_objective_that_nothing_leads_to_is_refused(clips: Tensor) -> None:
    class Detached(Net):
        def forward(self, clips: Tensor) -> Any:
            return super().forward(clips.detach())

    net = Detached()
    words = r"^Detached: no gradient comes back to the clip"
    with pytest.raises(UserError, match=words):
        maximise(net, unit("logits:0"), (1, 40))
    with pytest.raises(UserError, match=words):
        effective_filters(net, clips, layers_of(net, clips[:1])["act1"])
    assert maximise(net, -1 * tv(), (1, 40)).inputs.shape == (1, 1, 40)


def test_deconvnet_refuses_what_it_does_not_see(clips: Tensor) -> None:
    net = Hiding()
    with pytest.raises(UserError, match="deconvnet has no rule for what torch does not show"):
        deconvnet(net, clips, Target())
    assert deconvnet(net, clips, Target("conv1", 1)).values.any()


def test_pooling_that_also_gives_its_places_is_as_that_which_does_not(clips: Tensor) -> None:
    net, plain = Pooled(), Pooled()
    plain.with_places = False
    target = Target("act1", 1)
    for method in (deconvnet, saliency):
        np.testing.assert_array_equal(
            method(net, clips, target).values, method(plain, clips, target).values
        )
    mine, other = (dead_units(each, clips)["conv1"] for each in (net, plain))
    np.testing.assert_array_equal(mine.positive_share, other.positive_share)
    layers = layers_of(net, clips[:1])
    np.testing.assert_array_equal(
        answers(net, clips, layers)["act1"], answers(plain, clips, layers)["act1"]
    )
    mine_map, other_map = (grad_cam(each, clips, Target(unit=1)).values for each in (net, plain))
    np.testing.assert_array_equal(mine_map, other_map)


def test_a_gradient_flows_through_what_is_recorded_of_pooling_with_places(clips: Tensor) -> None:
    net = Pooled()
    pooling = layers_of(net, clips[:1])["act1"].entering
    assert pooling is not None
    layer = layers_of(net, clips[:1])["conv1"]
    with record(net, {"pooled": type(layer)("pooled", "conv", pooling, (4, 9), None)}) as recorded:
        answer = net(clips)
    (gradient,) = torch.autograd.grad(answer[:, 0].sum(), recorded["pooled"])
    expected = (net.dense.weight[0][:, None] / 9) * (recorded["pooled"] > 0)
    torch.testing.assert_close(gradient, expected)


def test_a_net_that_answers_with_a_dictionary_has_dead_units(clips: Tensor) -> None:
    net = Named()
    with torch.no_grad():
        net.conv.bias[2] = -100  # type: ignore[index]
    assert dead_units(net, clips)["conv1"].dead.tolist() == [False, False, True, False]
