"""Class activation maps: by hand, against each other, and where they lie over the clip."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convscope.data.config import SpectrogramConfig
from convscope.errors import UserError
from convscope.inside.attribution.cam import CAMS, cam, grad_cam, grad_cam_pp, layer_cam, score_cam
from convscope.inside.attribution.class_head import average_head
from convscope.inside.results.masked_sound import masked, masked_in_frequency
from convscope.inside.tracing.interpolation import interpolated
from convscope.inside.tracing.layers import Field
from convscope.inside.tracing.target import Target
from convscope.models.modules import GlobalAverage
from tests.inside.attribution.test_attributions import Breaks, assert_as_found, state_of

CONV: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}
POOL: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
AVERAGE: dict[int, Any] = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d}
LENGTHS = {1: (40,), 2: (14, 12)}


class Means(nn.Module):
    def __init__(self, average: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.average = average

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.average(x)
        return answer


def averages(n_axes: int) -> dict[str, nn.Module]:
    """The ways in which nets are seen to average."""
    axes = tuple(range(2, 2 + n_axes))
    return {
        "ours": GlobalAverage(),
        "pool": nn.Sequential(AVERAGE[n_axes](1), nn.Flatten()),
        "mean": Means(lambda x: x.mean(axes)),
        "kept": Means(lambda x: x.mean(axes, keepdim=True).view(len(x), -1)),
        "dropout": nn.Sequential(
            nn.Dropout(0.5), AVERAGE[n_axes](1), nn.Flatten(), nn.Dropout(0.5)
        ),
    }


def net_of(n_axes: int, average: str = "ours", end: nn.Module | None = None) -> nn.Sequential:
    torch.manual_seed(0)
    conv = CONV[n_axes]
    return nn.Sequential(
        conv(2, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        POOL[n_axes](2),
        conv(4, 5, 3),
        nn.ReLU(inplace=True),
        averages(n_axes)[average],
        nn.Linear(5, 3),
        end or nn.Identity(),
    ).eval()


def clips_for(n_axes: int) -> Tensor:
    return torch.randn(2, 2, *LENGTHS[n_axes], generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("n_axes", [1, 2])
@pytest.mark.parametrize("average", averages(1))
def test_cam_is_the_maps_under_the_weights_of_the_class(n_axes: int, average: str) -> None:
    net, clips, classes = net_of(n_axes, average), clips_for(n_axes), [2, 0]
    maps, dense = net[:5](clips).detach(), cast(nn.Linear, net[6])
    made = cam(net, clips, Target(unit=classes))
    expected: Any = np.stack(
        [
            np.sum([dense.weight[k, j].item() * maps[i, j].numpy() for j in range(5)], axis=0)
            for i, k in enumerate(classes)
        ]
    )
    np.testing.assert_allclose(made.values, expected, atol=1e-6)
    logits = net(clips)[[0, 1], classes] - dense.bias[classes]
    means = made.values.reshape(2, -1).mean(axis=1)
    np.testing.assert_allclose(means, logits.detach(), atol=1e-6)


def test_cam_by_hand() -> None:
    """Maps (1 2 0) and (0 1 3) under the weights 2 and -1."""
    conv, dense = nn.Conv1d(2, 2, 1, bias=False), nn.Linear(2, 2)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(2)[:, :, None])
        dense.weight.copy_(torch.tensor([[0.0, 5], [2, -1]]))
    net = nn.Sequential(conv, nn.ReLU(), GlobalAverage(), dense)
    clip = torch.tensor([[[1.0, 2, 0], [-4, 1, 3]]])
    made = cam(net, clip, Target(unit=1))
    np.testing.assert_array_equal(made.values, [[2, 3, -3]])
    np.testing.assert_array_equal(made.over_clip, [[2, 3, -3]])
    np.testing.assert_allclose(made.shares, [[2 / 3, 1, 0]], rtol=1e-6)
    slopes = np.array([2, -1]) / 3
    mean = grad_cam(net, clip, Target(unit=1)).values
    np.testing.assert_allclose(mean, [[2 / 3, 1, 0]], rtol=1e-6)
    own = layer_cam(net, clip, Target(unit=1)).values
    np.testing.assert_allclose(own, [slopes[0] * np.array([1, 2, 0])], rtol=1e-6)
    # one positive slope g = 2/3 at three positions, the sum of its map 3: α = 1 / (2 + 3 g)
    pp = grad_cam_pp(net, clip, Target(unit=1)).values
    np.testing.assert_allclose(pp, [3 * 2 / 3 / (2 + 3 * 2 / 3) * np.array([1, 2, 0])], rtol=1e-6)


def test_score_cam_by_hand() -> None:
    """Of the mask (1/2 1 0) for the first map only 0.5 + 2 of the first channel is left, and so
    on; the second mask is (0 1/3 1)."""
    conv, dense = nn.Conv1d(2, 2, 1, bias=False), nn.Linear(2, 2)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(2)[:, :, None])
        dense.weight.copy_(torch.tensor([[0.0, 5], [2, -1]]))
    net = nn.Sequential(conv, nn.ReLU(), GlobalAverage(), dense)
    clip = torch.tensor([[[1.0, 2, 0], [0, 1, 3]]])
    scores = np.array([(2 * 2.5 - 1 * 1) / 3, (2 * 2 / 3 - (1 / 3 + 3)) / 3])
    weights = np.exp(scores) / np.exp(scores).sum()
    expected = weights[0] * np.array([1, 2, 0]) + weights[1] * np.array([0, 1, 3])
    made = score_cam(net, clip, Target(unit=1)).values
    np.testing.assert_allclose(made, [expected], rtol=1e-5)


@pytest.mark.parametrize("n_axes", [1, 2])
@pytest.mark.parametrize("end", [nn.Identity(), nn.Softmax(1), nn.LogSoftmax(1)])
def test_grad_cam_before_a_global_average_is_cam_up_to_scale(n_axes: int, end: nn.Module) -> None:
    net, clips, target = net_of(n_axes, end=end), clips_for(n_axes), Target(unit=[1, 2])
    by_weights, by_slopes = cam(net, clips, target), grad_cam(net, clips, target)
    n_positions = by_weights.values[0].size
    expected = np.maximum(by_weights.values, 0) / n_positions
    assert expected.max() > 0
    np.testing.assert_allclose(by_slopes.values, expected, atol=1e-6)


def test_the_maps_may_be_the_classes() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Dropout(), nn.Conv2d(4, 3, 1, padding=1),
        nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
    ).eval()  # fmt: skip
    clips = clips_for(2)
    made = cam(net, clips, Target(unit=[2, 1]))
    assert made.layer == "act2"
    np.testing.assert_allclose(made.values, net[:5](clips)[[0, 1], [2, 1]].detach(), atol=1e-6)


def test_the_maps_may_come_from_a_softmax() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Softmax(1), GlobalAverage(), nn.Linear(4, 3))
    clips, dense = clips_for(1), cast(nn.Linear, net[3])
    made = cam(net, clips, Target(unit=1))
    expected = torch.einsum("k,nkt->nt", dense.weight[1], net[:2](clips)).detach()
    np.testing.assert_allclose(made.values, expected, atol=1e-6)


def test_a_net_whose_weights_are_no_numbers_still_has_its_head() -> None:
    net, clips = net_of(1), clips_for(1)
    nn.init.constant_(cast(Tensor, net[3].weight), torch.nan)
    assert average_head(net, clips[:1]) is not None
    assert np.isnan(cam(net, clips, Target(unit=1)).values).all()


class ResidualEnd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv1d(2, 4, 3), nn.Conv1d(4, 4, 3, padding=1)
        self.dense = nn.Linear(4, 3)

    def maps(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return torch.relu(x + self.second(x))

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.dense(self.maps(x).mean(-1))
        return answer


def test_the_maps_may_be_a_sum_of_two_ways() -> None:
    net, clips = ResidualEnd(), clips_for(1)
    made = cam(net, clips, Target(unit=1))
    expected = torch.einsum("k,nkt->nt", net.dense.weight[1], net.maps(clips)).detach()
    np.testing.assert_allclose(made.values, expected, atol=1e-6)


NO_HEAD: dict[str, Callable[[], nn.Module]] = {
    "flatten": lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.LazyLinear(3)),
    "hidden": lambda: nn.Sequential(
        nn.Conv1d(2, 3, 3), GlobalAverage(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)
    ),
    "two dense": lambda: nn.Sequential(
        nn.Conv1d(2, 3, 3), GlobalAverage(), nn.Linear(3, 4), nn.Linear(4, 3)
    ),
    "largest": lambda: nn.Sequential(
        nn.Conv1d(2, 3, 3), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 3)
    ),
    "a part": lambda: nn.Sequential(
        nn.Conv1d(2, 3, 3), nn.AvgPool1d(30), nn.Flatten(), nn.Linear(3, 3)
    ),
    "softmax of means": lambda: nn.Sequential(
        nn.Conv1d(2, 3, 3), GlobalAverage(), nn.Softmax(1), nn.Linear(3, 3)
    ),
    "activated": lambda: nn.Sequential(
        nn.Conv1d(2, 3, 3), GlobalAverage(), nn.Tanh(), nn.Linear(3, 3)
    ),
}


@pytest.mark.parametrize("name", NO_HEAD)
def test_cam_of_another_head_is_refused_and_grad_cam_is_not(name: str) -> None:
    net, clips = NO_HEAD[name](), clips_for(1)
    net(clips)
    assert average_head(net, clips[:1]) is None
    with pytest.raises(
        UserError, match=r"CAM explains a class by .* global average .*: use grad_cam"
    ):
        cam(net, clips, Target(unit=1))
    assert grad_cam(net, clips, Target(unit=1)).over_clip.shape == (2, 40)


def test_cam_of_a_unit_or_of_another_layer_is_refused() -> None:
    net, clips = net_of(1), clips_for(1)
    for target, layer in ((Target("act1", 0), None), (Target(unit=0), "act1")):
        with pytest.raises(UserError, match="CAM explains a class"):
            cam(net, clips, target, layer)
    with pytest.raises(UserError, match="conv1 does not depend on act2: take a layer before"):
        grad_cam(net, clips, Target("conv1", 0), "act2")
    with pytest.raises(UserError, match="logits has no map to lay over a clip"):
        grad_cam(net, clips, Target(unit=0), "logits")


@pytest.mark.parametrize("n_axes", [1, 2])
def test_grad_cam_may_take_any_layer_also_one_that_is_overwritten(n_axes: int) -> None:
    net, clips = net_of(n_axes), clips_for(n_axes)
    for k, name in ((1, "conv1"), (2, "act1"), (4, "conv2")):
        maps = net[:k](clips).detach() if name != "conv1" else net[0](clips).detach()
        maps = net[3](net[:3](clips)).detach() if name == "conv2" else maps
        rest = net[{"conv1": 1, "act1": 2, "conv2": 4}[name] :]
        leaf = maps.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(rest(leaf.clone())[:, 1].sum(), leaf)
        weights = slopes.flatten(2).mean(2)
        expected = torch.einsum("nk,nk...->n...", weights, maps).clamp_min(0)
        made = grad_cam(net, clips, Target(unit=1), name)
        assert made.layer == name
        np.testing.assert_allclose(made.values, expected, atol=1e-6)


def test_a_position_stands_in_the_middle_of_what_its_unit_sees() -> None:
    field = Field(size=7, stride=4, start=-2)  # centres 1, 5, 9
    weights = interpolated(torch.eye(3), (field,), (12,)).T.numpy()
    np.testing.assert_allclose(weights[[1, 5, 9]], np.eye(3))
    np.testing.assert_allclose(weights[3], [0.5, 0.5, 0])
    np.testing.assert_allclose(weights[[0, 11]], [[1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)


def test_a_map_is_laid_over_both_axes_of_an_image() -> None:
    maps = torch.tensor([[1.0, 2], [3, 4]])
    fields = (Field(3, 2, 0), Field(1, 3, 0))  # centres 1, 3 and 0, 3
    over = interpolated(maps, fields, (5, 4)).numpy()
    np.testing.assert_allclose(over[:, 0], [1, 1, 2, 3, 3])
    np.testing.assert_allclose(over[1], [1, 4 / 3, 5 / 3, 2], rtol=1e-6)


def test_a_click_is_heard_where_it_is() -> None:
    """Ones everywhere: the map is largest where the receptive field's middle is at the click."""
    convs = [nn.Conv1d(1, 1, 5, stride=2, bias=False), nn.Conv1d(1, 1, 5, bias=False)]
    for conv in convs:
        nn.init.ones_(conv.weight)
    net = nn.Sequential(*convs, nn.ReLU(), GlobalAverage(), nn.Linear(1, 2))
    nn.init.ones_(cast(nn.Linear, net[-1]).weight)
    for place in (20, 50, 70):
        clip = torch.zeros(1, 1, 100)
        clip[0, 0, place] = 1
        found = np.flatnonzero(cam(net, clip, Target(unit=0)).shares[0] > 0.99)
        assert abs(found.mean() - place) <= 1


@pytest.mark.parametrize("name", CAMS)
def test_each_clip_has_its_own_map_and_class(name: str) -> None:
    net, clips = net_of(2), clips_for(2)
    together = CAMS[name](net, clips, Target(unit=[2, 0]))
    alone = CAMS[name](net, clips[1:].numpy(), Target(unit=0))
    assert together.over_clip.shape == (2, *LENGTHS[2])
    np.testing.assert_allclose(together.values[1], alone.values[0], atol=1e-6)
    assert together.shares.min() >= 0
    assert together.shares.max() <= 1


class BreaksAtAnEnd(Breaks):
    """The same with a global average, so that CAM is defined."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.norm(self.conv(x)).relu())
        self.n_left -= 1
        if self.n_left < 0:
            raise RuntimeError("no more")
        answer: Tensor = self.dense(x.mean(2))
        return answer


@pytest.mark.parametrize("name", CAMS)
@pytest.mark.parametrize("n_passes", [None, 0, 1, 2])
def test_a_model_is_left_as_found_also_when_it_raises(name: str, n_passes: int | None) -> None:
    net, clips = BreaksAtAnEnd().train(), clips_for(1)
    before = state_of(net)
    if n_passes is None:
        CAMS[name](net, clips, Target(unit=1))
    else:
        net.n_left = n_passes
        with pytest.raises((UserError, RuntimeError), match="no more"):
            CAMS[name](net, clips, Target(unit=1))
    assert_as_found(net, before)


def test_what_was_heard_is_the_clip_under_its_map() -> None:
    wave = np.array([1, -2, 3], np.float32)
    np.testing.assert_array_equal(masked(wave, np.array([0, 0.5, 1])), [0, -1, 3])


def test_in_frequency_ones_give_the_clip_back_and_a_band_gives_its_tone() -> None:
    config, rate_hz = SpectrogramConfig(), 16_000
    times = np.arange(8_000) / rate_hz
    low, high = np.sin(2 * np.pi * 500 * times), np.sin(2 * np.pi * 4_000 * times)
    wave = (low + high).astype(np.float32)
    shares = np.ones(config.shape(len(wave)))
    inside = slice(256, 7_500)
    np.testing.assert_allclose(
        masked_in_frequency(wave, shares, config)[inside], wave[inside], atol=1e-5
    )
    shares[64:] = 0  # above 2,000 Hz
    np.testing.assert_allclose(
        masked_in_frequency(wave, shares, config)[inside], low[inside], atol=0.01
    )
