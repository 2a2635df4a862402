"""Attributions in 1-D and 2-D: closed forms of linear nets, completeness, and good manners."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.attribution.attributions import ATTRIBUTIONS, SIGNED, importance
from convscope.inside.attribution.gradients import (
    gradient_times_input,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from convscope.inside.attribution.occlusion import occlusion
from convscope.inside.tracing.target import Target

CONV: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}
LENGTHS = {1: (24,), 2: (9, 8)}


def net_of(n_axes: int, activation: nn.Module, n_classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(CONV[n_axes](2, 4, 3), activation, nn.Flatten(), nn.LazyLinear(n_classes))
    net(clips_for(n_axes))
    return net


def clips_for(n_axes: int) -> Tensor:
    return torch.randn(2, 2, *LENGTHS[n_axes], generator=torch.Generator().manual_seed(1))


def weights_of(net: nn.Module, n_axes: int, unit: int) -> np.ndarray[Any, Any]:
    """Of a linear net, from the clip to a logit."""
    leaf = torch.zeros(1, 2, *LENGTHS[n_axes], requires_grad=True)
    (weights,) = torch.autograd.grad(net(leaf)[0, unit], leaf)
    return weights.numpy()


@pytest.mark.parametrize("n_axes", [1, 2])
def test_of_a_linear_net_all_are_known_in_closed_form(n_axes: int) -> None:
    net, clips = net_of(n_axes, nn.Identity()), clips_for(n_axes)
    weights, x, target = weights_of(net, n_axes, 1), clips.numpy(), Target(unit=1)
    close: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-5}
    np.testing.assert_allclose(saliency(net, clips, target).values, abs(weights + 0 * x), **close)
    added = weights * x
    np.testing.assert_allclose(gradient_times_input(net, clips, target).values, added, **close)
    np.testing.assert_allclose(integrated_gradients(net, clips, target).values, added, **close)
    np.testing.assert_allclose(smooth_grad(net, clips, target).values, weights + 0 * x, **close)
    single = occlusion(net, clips, target, window=1, stride=1).values
    both = np.broadcast_to(added.sum(axis=1, keepdims=True), x.shape)
    np.testing.assert_allclose(single, both, **close)


@pytest.mark.parametrize("n_axes", [1, 2])
@pytest.mark.parametrize("activation", [nn.ReLU(inplace=True), nn.Tanh(), nn.GELU()])
@pytest.mark.parametrize(
    "target", [Target(unit=[0, 2]), Target("act1", 1), Target("conv1", 1, "map")]
)
def test_integrated_gradients_are_complete(
    n_axes: int, activation: nn.Module, target: Target
) -> None:
    net, clips = net_of(n_axes, activation), clips_for(n_axes)
    baseline = torch.full_like(clips, 0.1)
    made = integrated_gradients(net, clips, target, baseline, n_steps=256)
    at_baseline = saliency(net, baseline, target).scores
    sums = made.values.reshape(2, -1).sum(axis=1)
    np.testing.assert_allclose(sums, made.scores - at_baseline, atol=0.02)
    assert made.gap is not None
    np.testing.assert_allclose(made.gap, abs(sums - (made.scores - at_baseline)), atol=1e-5)


def test_the_gap_says_when_there_were_too_few_steps() -> None:
    net, clips = net_of(1, nn.ReLU()), 5 * clips_for(1)
    few = integrated_gradients(net, clips, Target(), n_steps=1).gap
    many = integrated_gradients(net, clips, Target(), n_steps=512).gap
    assert few is not None
    assert many is not None
    assert (few > 5 * many).all()


@pytest.mark.parametrize(("window", "stride"), [(5, 3), (24, 1), (1, 7), (30, 2)])
def test_occlusion_covers_every_sample(window: int, stride: int) -> None:
    net, clips = net_of(1, nn.ReLU()), clips_for(1)
    assert np.isfinite(occlusion(net, clips, Target(), window, stride).values).all()


def test_occlusion_finds_the_only_place_that_matters() -> None:
    net, clips = net_of(2, nn.Identity()), clips_for(2)
    with torch.no_grad():
        conv, dense = net[0], net[3]  # type: ignore[index]
        conv.weight.zero_()
        conv.weight[0, 0, 1, 1] = 1
        dense.weight.zero_()
        dense.weight[1, 3 * 6 + 2] = 1  # channel 0, row 3, column 2: sees row 4, column 3
    made = occlusion(net, clips, Target(unit=1), window=1, stride=1).values[:, 0]
    expected = np.zeros((2, 9, 8))
    expected[:, 4, 3] = clips[:, 0, 4, 3]
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_occlusion_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    occlusion(
        net_of(1, nn.ReLU()),
        clips_for(1),
        Target(),
        8,
        8,
        progress=lambda i, n: told.append((i, n)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_same_seed_gives_the_same_smooth_grad_and_another_another() -> None:
    net, clips = net_of(1, nn.ReLU()), clips_for(1)
    a, b, c = (smooth_grad(net, clips, Target(), seed=seed).values for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("n_axes", [1, 2])
@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_each_clip_is_explained_on_its_own(name: str, n_axes: int) -> None:
    net, clips = net_of(n_axes, nn.ReLU()), clips_for(n_axes)
    together = ATTRIBUTIONS[name](net, clips, Target(unit=[2, 0]))
    alone = ATTRIBUTIONS[name](net, clips[:1].numpy(), Target(unit=2))
    assert together.values.dtype == np.float32
    assert together.values.shape == clips.shape
    np.testing.assert_allclose(together.values[0], alone.values[0], atol=1e-5)
    np.testing.assert_allclose(
        together.scores, net(clips)[[0, 1], [2, 0]].detach().numpy(), atol=1e-5
    )
    marks = importance(name, together)
    assert marks.shape == (2, *LENGTHS[n_axes])
    assert name in SIGNED or (marks >= 0).all()


class Breaks(nn.Module):
    """A net that can be made to raise in its middle."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.drop = nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)
        self.dense = nn.Linear(66, 4)
        self.n_left = 10**9

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.norm(self.conv(x)).relu())
        self.n_left -= 1
        if self.n_left < 0:
            raise RuntimeError("no more")
        answer: Tensor = self.dense(x.flatten(1))
        return answer


def state_of(net: nn.Module) -> list[Any]:
    tensors = [value.clone() for value in net.state_dict().values()]
    flags = [(p.requires_grad, p.grad) for p in net.parameters()]
    modes = [m.training for m in net.modules()]
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    return [tensors, flags, modes, hooks, torch.get_rng_state()]


def assert_as_found(net: nn.Module, before: list[Any]) -> None:
    after = state_of(net)
    assert all(torch.equal(a, b) for a, b in zip(before[0], after[0], strict=True))
    assert before[1:4] == after[1:4]
    assert torch.equal(before[4], after[4])


@pytest.mark.parametrize("name", ATTRIBUTIONS)
@pytest.mark.parametrize("n_passes", [None, 0, 1])
def test_a_model_is_left_as_found_also_when_it_raises(name: str, n_passes: int | None) -> None:
    net, clips = Breaks().train(), clips_for(1).requires_grad_()
    net.conv.weight.requires_grad_(False)
    before = state_of(net)
    if n_passes is None:
        ATTRIBUTIONS[name](net, clips, Target("logits", 1))
    else:
        net.n_left = n_passes
        with pytest.raises((UserError, RuntimeError), match="no more"):
            ATTRIBUTIONS[name](net, clips, Target("logits", 1))
    assert_as_found(net, before)
    assert clips.grad is None


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(unit=3), "logits:3: logits has 3 units, 0 to 2"),
        (Target("conv1", -1), "conv1:-1: conv1 has 4 units, 0 to 3"),
        (Target("conv9", 0), "conv9 is no layer of this net"),
        (Target("conv1", 0, (22,)), r"position \(22,\): maps of conv1 have 22 positions"),
        (Target("conv1", 0, (1, 1)), r"position \(1, 1\): maps of conv1 have 22 positions"),
        (Target(unit=[0, 1, 2]), "one for each of 2 clips: 3"),
    ],
)
def test_a_target_that_is_not_there_is_refused(target: Target, words: str) -> None:
    with pytest.raises(UserError, match=words):
        saliency(net_of(1, nn.ReLU()), clips_for(1), target)


def test_an_answer_without_a_gradient_is_refused() -> None:
    class Detached(Breaks):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    with pytest.raises(UserError, match="no gradient comes back to the clip"):
        saliency(Detached(), clips_for(1), Target())


def test_a_net_may_write_on_its_input() -> None:
    clips = clips_for(1)
    own, plain = (nn.Sequential(nn.ReLU(place), net_of(1, nn.ReLU())) for place in (True, False))
    for method in ATTRIBUTIONS.values():
        before = clips.clone()
        made = method(own, clips, Target(unit=1)).values
        assert torch.equal(clips, before)
        np.testing.assert_allclose(made, method(plain, clips, Target(unit=1)).values, atol=1e-6)


def test_of_equal_values_one_is_the_strongest() -> None:
    net = nn.Sequential(nn.Conv1d(1, 1, 1, bias=False), nn.Flatten())
    made = saliency(net, torch.ones(1, 1, 4), Target("conv1", 0)).values
    assert np.count_nonzero(made) == 1


def test_a_sample_has_the_mean_of_the_windows_that_cover_it() -> None:
    """The sum of 1 2 4, windows of two: the first takes 3 away, the second 6."""
    conv = nn.Conv1d(1, 1, 3, bias=False)
    nn.init.ones_(conv.weight)
    net = nn.Sequential(conv, nn.Flatten())
    clip = torch.tensor([[[1.0, 2, 4]]])
    made = occlusion(net, clip, Target("conv1", 0), window=2, stride=1)
    np.testing.assert_array_equal(made.values, [[[3, 4.5, 6]]])
    np.testing.assert_array_equal(made.scores, [7])


class FailsLater(nn.Module):
    """Answers n times, then no more."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.net, self.n_left = net_of(1, nn.ReLU()), n

    def forward(self, x: Tensor) -> Tensor:
        if not self.n_left:
            raise RuntimeError("no more")
        self.n_left -= 1
        return torch.as_tensor(self.net(x))


@pytest.mark.parametrize("method", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS.keys())
def test_a_later_forward_that_fails_is_explained_as_the_first(method: Any) -> None:
    for n in (0, 1):
        with pytest.raises(UserError, match=r"FailsLater failed on clips of shape \(.*no more"):
            method(FailsLater(n), clips_for(1), Target())


def test_a_place_that_is_none_is_refused() -> None:
    at: Any
    for at in ("bogus", 5, [5]):
        with pytest.raises(UserError, match="expected 'strongest', 'map' or a position"):
            Target("conv1", 1, at)


def test_a_net_of_buffers_alone_is_explained_and_reversed_arrays_are_clips() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("taps", torch.ones(1, 2, 3).double())

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.conv1d(x, torch.as_tensor(self.taps)).mean(2)

    backwards = clips_for(1).numpy()[..., ::-1]
    made = gradient_times_input(Fixed(), backwards, Target("conv1", 0, (0,)))
    expected = backwards.copy()
    expected[..., 3:] = 0
    np.testing.assert_array_equal(made.values, expected)
