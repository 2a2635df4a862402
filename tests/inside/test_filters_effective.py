"""Filters of nets: folding, what they slide over, and the composition of all layers."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.errors import UserError
from convscope.inside.filters.effective import effective_filters
from convscope.inside.filters.filters import filters_of
from convscope.inside.tracing.layers import Layer, layers_of
from convscope.models.cnn import build
from convscope.models.spec import make_spec


def spread(taps: np.ndarray, stride: int) -> np.ndarray:
    """Zeros between taps, so that a filter behind a stride stands at the input's rate."""
    wide = np.zeros((len(taps) - 1) * stride + 1)
    wide[::stride] = taps
    return wide


def weights_of(net: nn.Sequential, i: int) -> np.ndarray:
    weight = net[i].weight
    assert isinstance(weight, Tensor)
    return weight.detach().double().numpy()


def set_weights(net: nn.Sequential, i: int, values: list[Any]) -> None:
    weight = net[i].weight
    assert isinstance(weight, Tensor)
    with torch.no_grad():
        weight[:] = torch.tensor(values)


def linear_net(kernels: list[int], strides: list[int]) -> nn.Sequential:
    torch.manual_seed(0)
    convs = [
        nn.Conv1d(1, 1, kernel, stride, padding=kernel // 2)
        for kernel, stride in zip(kernels, strides, strict=True)
    ]
    return nn.Sequential(*convs, nn.Flatten(), nn.LazyLinear(3))


@pytest.mark.parametrize("strides", [[1, 1, 1], [2, 1, 3], [4, 3, 2]])
def test_a_linear_net_is_the_convolution_of_its_filters(strides: list[int]) -> None:
    """Correlations compose as h = h1 * spread(h2, s1) * spread(h3, s1 s2)."""
    net = linear_net([5, 4, 7], strides)
    clips = torch.randn(2, 1, 400)
    net(clips)
    steps = np.cumprod([1, *strides])
    parts = [spread(weights_of(net, i)[0, 0], steps[i]) for i in range(3)]
    layers = layers_of(net, clips[:1])
    found = effective_filters(net, clips, layers["conv3"])
    np.testing.assert_allclose(found.weights[0, 0], reduce(np.convolve, parts), atol=1e-6)


def test_many_channels_are_summed_over_the_ways_between() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 3, 5), nn.Conv1d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2))
    clips = torch.randn(1, 2, 60)
    net(clips)
    first, second = (weights_of(net, i) for i in (0, 1))
    expected = np.zeros((4, 2, 7))
    for out, inp, mid in np.ndindex(4, 2, 3):
        expected[out, inp] += np.convolve(first[mid, inp], second[out, mid])
    found = effective_filters(net, clips, layers_of(net, clips)["conv2"], units=[3, 1])
    np.testing.assert_allclose(found.weights, expected[[3, 1]], atol=1e-6)
    assert found.units.tolist() == [3, 1]


def test_two_axes_compose_as_one_does() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, (1, 2)), nn.Flatten(), nn.LazyLinear(2))
    clips = torch.randn(1, 1, 9, 9)
    net(clips)
    first, second = (weights_of(net, i)[0, 0] for i in (0, 1))
    expected = np.stack([np.convolve(row, second[0]) for row in first])
    found = effective_filters(net, clips, layers_of(net, clips)["conv2"])
    np.testing.assert_allclose(found.weights[0, 0], expected, atol=1e-6)


def test_it_is_linearised_where_the_unit_answers_most() -> None:
    """Of max pooling the larger branch passes; a ReLU that is shut passes nothing."""
    first = nn.Conv1d(1, 2, 1)
    net = nn.Sequential(first, nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(2, 2, 1), nn.Flatten())
    set_weights(net, 0, [[[2.0]], [[3.0]]])
    set_weights(net, 3, [[[5.0], [0.0]], [[0.0], [7.0]]])
    first.bias = nn.Parameter(torch.tensor([0.0, -100.0]))
    clips = torch.tensor([[[1.0, 2, 0, 0]], [[0, 0, 0, 4]]])
    found = effective_filters(net, clips, layers_of(net, clips[:1])["act2"])
    np.testing.assert_array_equal(found.weights[:, 0], [[0, 10], [0, 0]])
    assert (found.clips[0], found.steps[0, 0]) == (1, 1)


def test_samples_outside_the_clip_have_no_weight() -> None:
    """A field larger than the clip is met where padding stands in for samples."""
    net = nn.Sequential(nn.Conv1d(1, 1, 9, padding=4), nn.Flatten())
    clips = torch.ones(1, 1, 4)
    set_weights(net, 0, [[[1.0] * 9]])
    found = effective_filters(net, clips, layers_of(net, clips)["conv1"])
    assert found.weights.shape == (1, 1, 9)
    assert found.weights.sum() == 4


def test_where_a_field_fits_into_the_clip_the_border_is_not_taken() -> None:
    """Zeros for padding make the border's answer the largest of a clip of -1."""
    net = nn.Sequential(nn.Conv1d(1, 1, 9, padding=4), nn.Flatten())
    clips = -torch.ones(1, 1, 20)
    set_weights(net, 0, [[[1.0] * 9]])
    found = effective_filters(net, clips, layers_of(net, clips)["conv1"])
    assert found.weights.sum() == 9
    assert 4 <= found.steps[0, 0] < 16


def test_a_layer_without_positions_is_refused() -> None:
    net = nn.Sequential(nn.Conv1d(1, 1, 3), nn.Flatten(), nn.Linear(6, 2))
    clips = torch.ones(1, 1, 8)
    with pytest.raises(UserError, match="logits: expected a layer whose receptive field is known"):
        effective_filters(net, clips, layers_of(net, clips)["logits"])


class Raises(nn.Module):
    """Fails once it has been through its convolution, from the third call on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 2, 3)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        answer: Tensor = self.conv(x).relu().flatten(1)
        if self.calls > 1:
            raise RuntimeError("no more")
        return answer


def effective_of_the_first(net: nn.Module, clips: Tensor, layers: dict[str, Layer]) -> None:
    effective_filters(net, clips, layers["conv1"])


@pytest.mark.parametrize("method", [effective_of_the_first, filters_of])
def test_the_model_is_left_as_found_when_its_forward_pass_raises(
    method: Callable[..., Any],
) -> None:
    net, clips = Raises().train(), torch.ones(1, 1, 8)
    layers = layers_of(net, clips)
    state = torch.random.get_rng_state()
    with pytest.raises(UserError, match="no more"):
        method(net, clips, layers)
    assert net.training
    assert net.conv.weight.requires_grad
    assert net.conv.weight.grad is None
    assert not net._forward_hooks
    assert not net._forward_pre_hooks
    assert torch.equal(torch.random.get_rng_state(), state)


class Normed(nn.Module):
    """A convolution and a batch norm that has seen something, as a module or as a function."""

    def __init__(self, is_functional: bool) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(2, 4, 5), nn.BatchNorm1d(4)
        self.is_functional = is_functional
        self.mean, self.variance = torch.randn(4), torch.rand(4) + 0.5
        self.norm.load_state_dict(
            {
                "weight": torch.randn(4),
                "bias": torch.randn(4),
                "running_mean": self.mean,
                "running_var": self.variance,
                "num_batches_tracked": torch.tensor(1),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        affine = self.norm.weight, self.norm.bias
        if self.is_functional:
            answer: Tensor = F.batch_norm(x, self.mean, self.variance, *affine)
        else:
            answer = self.norm(x)
        return answer.flatten(1)


@pytest.mark.parametrize("is_functional", [False, True])
def test_folded_filters_do_what_convolution_and_batch_norm_do(is_functional: bool) -> None:
    torch.manual_seed(0)
    net, clip = Normed(is_functional).train(not is_functional), torch.randn(1, 2, 30)
    filters = filters_of(net, clip, layers_of(net, clip))["conv1"]
    expected = net.norm.weight.detach() / (net.variance + 1e-5).sqrt()
    assert filters.gain is not None
    np.testing.assert_allclose(filters.gain, expected, rtol=1e-5)
    net.eval()
    with torch.no_grad():
        answer = (net(clip) - net(torch.zeros_like(clip))).view(4, -1)
    folded = torch.from_numpy(filters.folded())
    np.testing.assert_allclose(F.conv1d(clip, folded)[0], answer, atol=1e-5)


def test_without_a_batch_norm_nothing_is_folded() -> None:
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten())
    clip = torch.ones(1, 1, 8)
    filters = filters_of(net, clip, layers_of(net, clip))["conv1"]
    assert filters.gain is None
    np.testing.assert_array_equal(filters.folded(), weights_of(net, 0))


def test_each_filter_knows_what_it_slides_over() -> None:
    """custom pools by 3 behind every block but the first."""
    net = build(make_spec({"family": "custom", "conv_layers": 4, "base_channels": 2}), (1, 600), 3)
    clip = torch.zeros(1, 1, 600)
    found = filters_of(net, clip, layers_of(net, clip))
    assert [each.steps for each in found.values()] == [(1,), (1,), (3,), (9,)]


def test_a_stride_of_its_own_is_not_what_a_filter_slides_over() -> None:
    net = nn.Sequential(nn.Conv1d(1, 2, 3, 4), nn.Conv1d(2, 2, 3, 2, dilation=3), nn.Flatten())
    clip = torch.zeros(1, 1, 100)
    first, second = filters_of(net, clip, layers_of(net, clip)).values()
    assert (first.steps, second.steps) == ((1,), (4,))
    np.testing.assert_array_equal(second.weights[:, :, ::3], weights_of(net, 1))
    assert second.weights.shape == (2, 2, 7)
    assert (second.weights != 0).sum() == 12
