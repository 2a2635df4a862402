"""Deletion, insertion and randomised weights: where the truth is known, they find it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from convscope.errors import UserError
from convscope.inside.attribution.faithfulness import block_numbers, faithfulness
from convscope.inside.attribution.gradients import gradient_times_input, saliency
from convscope.inside.attribution.randomised import randomisation_check, shuffled_from_top
from convscope.inside.tracing.target import Target
from convscope.models.modules import GlobalAverage
from tests.inside.attribution.test_attributions import Breaks, FailsLater, assert_as_found, state_of


def adder(n: int) -> nn.Sequential:
    """Of a clip of n samples: the logits are 0 and their sum."""
    conv, dense = nn.Conv1d(1, 1, 1, bias=False), nn.Linear(1, 2)
    nn.init.constant_(conv.weight, n)
    nn.init.zeros_(dense.bias)
    with torch.no_grad():
        dense.weight.copy_(torch.tensor([[0.0], [1.0]]))
    return nn.Sequential(conv, GlobalAverage(), dense)


def test_the_curves_by_hand() -> None:
    """The clip 3 1 -2 -2 has mean 0: without the 3, 1 and the rest the sum is -3, -4, -2, 0."""
    clip = torch.tensor([[[3.0, 1, -2, -2]]])
    made = faithfulness(adder(4), clip, Target(unit=1), [[4, 3, 2, 1]], n_steps=4)
    logistic = 1 / (1 + np.exp(-np.array([[0, -3, -4, -2, 0]])))
    np.testing.assert_allclose(made.shares, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(made.deletion, logistic, rtol=1e-5)
    np.testing.assert_allclose(
        made.insertion, 1 / (1 + np.exp(-np.array([[0, 3, 4, 2, 0]]))), rtol=1e-5
    )
    inner = logistic[0, 1:4].sum() + logistic[0, [0, 4]].mean()
    np.testing.assert_allclose(made.deletion_area, [inner / 4], rtol=1e-5)


@pytest.mark.parametrize("shape", [(60,), (18, 15)])
def test_the_true_importance_beats_chance_and_its_opposite(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    conv = nn.Conv1d if len(shape) == 1 else nn.Conv2d
    net = nn.Sequential(conv(2, 3, 1), nn.Flatten(), nn.LazyLinear(4))
    clips = torch.randn(3, 2, *shape)
    target = Target(unit=net(clips).argmax(1).tolist())
    true = gradient_times_input(net, clips, target).values.sum(axis=1)
    chance = np.random.default_rng(0).random(true.shape)
    found, drawn, worst = (
        faithfulness(net, clips, target, marks) for marks in (true, chance, -true)
    )
    assert (found.deletion_area < drawn.deletion_area).all()
    assert (drawn.deletion_area < worst.deletion_area).all()
    assert (found.insertion_area > drawn.insertion_area).all()
    assert (drawn.insertion_area > worst.insertion_area).all()
    for curve in (found, drawn, worst):
        np.testing.assert_allclose(curve.deletion[:, 0], curve.insertion[:, -1], rtol=1e-5)
        np.testing.assert_allclose(curve.deletion[:, -1], curve.insertion[:, 0], rtol=1e-5)


def test_blocks_are_as_equal_as_can_be_and_at_most_one_a_sample() -> None:
    np.testing.assert_array_equal(block_numbers((7,), 3), [0, 0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(block_numbers((2,), 50), [0, 1])
    np.testing.assert_array_equal(block_numbers((2, 3), 2), [[0, 0, 1], [2, 2, 3]])


def test_an_importance_of_another_shape_is_refused() -> None:
    with pytest.raises(UserError, match=r"shape \(1, 4\), .* got \(1, 1, 4\): add the channels up"):
        faithfulness(adder(4), torch.ones(1, 1, 4), Target(unit=1), np.ones((1, 1, 4)))


def test_weights_are_shuffled_from_the_logits_down_in_a_copy() -> None:
    net = Breaks().eval()
    clips = torch.randn(1, 2, 24)
    before = state_of(net)
    seen = []
    for name, copy in shuffled_from_top(net, clips):
        own, others = net.state_dict(), copy.state_dict()
        changed = {key for key in own if not torch.equal(own[key], others[key])}
        seen.append((name, changed))
        for key in changed:
            assert torch.equal(own[key].flatten().sort()[0], others[key].flatten().sort()[0])
    assert seen == [("logits", {"dense.weight"}), ("conv1", {"dense.weight", "conv.weight"})]
    assert_as_found(net, before)


def test_what_shows_only_the_clip_stays_and_what_shows_the_net_does_not() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 8, 5), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)).eval()
    clips = torch.randn(3, 2, 100)
    net(clips)

    def loudness(_net: nn.Module) -> Any:
        return clips.abs().sum(1).numpy()

    def of_net(each: nn.Module) -> Any:
        return saliency(each, clips, Target(unit=1)).values

    stays = randomisation_check(net, clips, loudness)
    assert list(stays) == ["logits", "conv1"]
    np.testing.assert_allclose(list(stays.values()), 1)
    assert all(abs(r) < 0.4 for r in randomisation_check(net, clips, of_net).values())
    same = randomisation_check(net, clips, of_net, seed=0)
    assert same == randomisation_check(net, clips, of_net, seed=0)
    constant = randomisation_check(net, clips, lambda _net: np.ones((3, 100)))
    assert np.isnan(list(constant.values())).all()


@pytest.mark.parametrize("n_passes", [None, 0, 2])
def test_a_model_is_left_as_found_also_when_it_raises(n_passes: int | None) -> None:
    net, clips = Breaks().train(), torch.randn(2, 2, 24)
    before = state_of(net)
    if n_passes is None:
        faithfulness(net, clips, Target(unit=1), np.ones((2, 24)))
        randomisation_check(net, clips, lambda each: saliency(each, clips, Target()).values)
    else:
        net.n_left = n_passes
        with pytest.raises((UserError, RuntimeError), match="no more"):
            faithfulness(net, clips, Target(unit=1), np.ones((2, 24)))
    assert_as_found(net, before)


def test_a_forward_that_fails_on_the_way_is_explained() -> None:
    net = FailsLater(1)
    with pytest.raises(UserError, match=r"FailsLater failed on clips of shape \(2, 2, 24\)"):
        faithfulness(net, torch.randn(2, 2, 24), Target(), np.ones((2, 24)))
