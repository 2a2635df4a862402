"""Layers are recorded as they are, and the model is left as it was found."""

import copy
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.filters.effective import effective_filters
from convscope.inside.tracing.layers import layers_of
from convscope.inside.tracing.record import answers, record
from convscope.inside.tracing.untouched import untouched
from convscope.models.cnn import build
from convscope.models.spec import make_spec


def small_net(**model: Any) -> nn.Module:
    torch.manual_seed(0)
    spec = make_spec({"family": "custom", "conv_layers": 3, "base_channels": 4, **model})
    return build(spec, (1, 90), 3)


def everything(net: nn.Module) -> dict[str, Any]:
    """All that a look must leave alone."""
    return {
        "state": copy.deepcopy(net.state_dict()),
        "modes": [module.training for module in net.modules()],
        "required": [each.requires_grad for each in net.parameters()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in net.parameters()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()],
        "random": torch.get_rng_state(),
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def test_what_is_recorded_is_what_the_modules_give() -> None:
    net = small_net(batch_norm=True).eval()
    clips = torch.randn(5, 1, 90)
    with record(net, ["conv2", "act2", "logits"]) as recorded:
        logits = net(clips)
    by_hand = clips
    for name, module in net.named_children():
        by_hand = module(by_hand)
        if name in ("conv2", "act2", "logits"):
            assert torch.equal(recorded[name], by_hand)
    assert torch.equal(recorded["logits"], logits)


def test_an_activation_in_place_does_not_change_what_was_recorded_before_it() -> None:
    net = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(inplace=True))
    clips = torch.randn(2, 1, 10)
    with record(net, ["conv1", "act1"]) as recorded:
        net(clips)
    assert (recorded["conv1"] < 0).any()
    assert torch.equal(recorded["act1"], recorded["conv1"].relu())


def test_gradients_flow_through_what_was_recorded() -> None:
    net = small_net()
    clips = torch.randn(2, 1, 90, requires_grad=True)
    with record(net, ["conv2"]) as recorded:
        net(clips)
    recorded["conv2"].sum().backward()
    assert clips.grad is not None
    assert clips.grad.abs().sum() > 0


@pytest.mark.parametrize("is_in_place", [False, True])
def test_the_answer_has_a_gradient_with_respect_to_what_was_recorded(is_in_place: bool) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(1, 4, 3), nn.ReLU(is_in_place), nn.Conv1d(4, 3, 3), nn.ReLU(is_in_place)
    )
    clips = torch.randn(2, 1, 12)
    expected = net(clips)
    with record(net, ["conv1", "act1", "conv2"]) as recorded:
        answer = net(clips)
    assert torch.equal(answer, expected)
    slopes = (recorded["conv2"] > 0).float()
    (made,) = torch.autograd.grad(answer.sum(), recorded["conv2"], retain_graph=True)
    assert torch.equal(made, slopes)
    (made,) = torch.autograd.grad(answer.sum(), recorded["act1"], retain_graph=True)
    behind = torch.nn.functional.conv_transpose1d(slopes, cast(Tensor, net[2].weight))
    assert torch.allclose(made, behind)
    (made,) = torch.autograd.grad(answer.sum(), recorded["conv1"])
    assert torch.allclose(made, behind * (recorded["conv1"] > 0))


def test_a_net_may_be_called_by_keyword() -> None:
    net = nn.Conv1d(1, 2, 3)
    clips = torch.randn(2, 1, 9)
    with record(net, ["conv1"]) as recorded:
        answer = net(input=clips)
    assert torch.equal(recorded["conv1"], answer)


class Counts(nn.Module):
    """Keeps statistics in evaluation as well, and answers with a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 2, 3)
        self.mean: Tensor
        self.count: Tensor
        self.register_buffer("mean", torch.zeros(2))
        self.variance: Tensor
        self.register_buffer("variance", torch.zeros(2))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.count = self.count + 1
        x = self.conv(x)
        return {"answer": nn.functional.batch_norm(x, self.mean, self.variance, training=True)}


def test_what_a_net_counts_in_its_buffers_is_taken_back() -> None:
    net, clips = Counts(), torch.randn(2, 1, 9)
    buffers = dict(net.named_buffers())
    with untouched(net):
        net(clips)
        assert net.count == 1
        assert net.mean.abs().sum() > 0
    assert all(buffers[name] is each for name, each in net.named_buffers())
    assert not any(each.any() for each in buffers.values())


def test_a_graph_of_before_still_goes_backwards() -> None:
    net = small_net(batch_norm=True).eval()
    logits = net(torch.randn(2, 1, 90))
    layers_of(net, torch.zeros(1, 1, 90))
    logits.sum().backward()


def test_layers_of_a_net_whose_answer_is_no_tensor_are_recorded() -> None:
    net, clips = Counts(), torch.randn(2, 1, 9)
    with record(net, ["conv1"]) as recorded:
        net(clips)
    assert torch.equal(recorded["conv1"], net.conv(clips))
    found = answers(net, clips, layers_of(net, clips[:1]))
    np.testing.assert_array_equal(found["conv1"], net.conv(clips).detach())


def test_effective_filters_need_no_gradient_mode() -> None:
    net, clips = nn.Conv1d(1, 2, 3), torch.randn(2, 1, 9)
    with torch.no_grad():
        made = effective_filters(net, clips, layers_of(net, clips[:1])["conv1"])
    np.testing.assert_allclose(made.weights, net.weight.detach(), rtol=1e-6)


def test_a_net_in_training_mode_is_recorded_at_the_same_places() -> None:
    net = small_net(batch_norm=True).train()
    with record(net, ["act3"]) as recorded:
        net(torch.randn(4, 1, 90))
    assert recorded["act3"].shape == (4, 4, 30)


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was_found(fails: bool) -> None:
    net = small_net(batch_norm=True).train()
    net(torch.randn(4, 1, 90)).sum().backward()
    next(net.parameters()).requires_grad_(False)
    before = everything(net)
    clips = torch.randn(2, 2, 90) if fails else torch.randn(2, 1, 90)
    torch.set_rng_state(before["random"])
    try:
        layers = layers_of(net, torch.zeros(1, 1, 90))
        answers(net, clips, layers)
    except UserError:
        assert fails
    assert same(before, everything(net))


def test_random_numbers_drawn_within_are_given_back() -> None:
    net = small_net()
    state = torch.get_rng_state()

    def draw_and_fail() -> None:
        with untouched(net):
            torch.rand(3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        draw_and_fail()
    assert torch.equal(state, torch.get_rng_state())


def test_a_layer_that_is_not_there_is_refused_by_name() -> None:
    net = small_net()
    with (
        pytest.raises(UserError, match=r"conv9 is no layer of this net.*conv3"),
        record(net, ["conv9"]),
    ):
        net(torch.zeros(1, 1, 90))
    assert not net._forward_hooks
    assert not net._forward_pre_hooks
