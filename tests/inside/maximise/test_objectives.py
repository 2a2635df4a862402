"""Objectives add and scale, and are what they say."""

import pytest
import torch
from torch import Tensor

from convscope.errors import UserError
from convscope.inside.maximise.objectives import (
    Objective,
    Seen,
    channel,
    diversity,
    l2,
    layer,
    logit,
    lp,
    tv,
    unit,
)
from convscope.inside.tracing.layers import Layer


def seen(inputs: Tensor, answers: Tensor | None = None, n_restarts: int = 1) -> Seen:
    """An input and what `conv1` answers to it; its logits are called a and b."""
    answers = torch.zeros(len(inputs), 1, 1) if answers is None else answers
    layers = {
        "conv1": Layer("conv1", "conv", ("conv1d", 0), tuple(answers.shape[1:]), None),
        "logits": Layer("logits", "logits", ("linear", 0), (2,), None),
    }
    logits = torch.tensor([[1.0, 2.0]]).repeat(len(inputs), 1)
    return Seen(inputs, {"conv1": answers, "logits": logits}, layers, ("a", "b"), n_restarts)


CLIP = torch.tensor([[[0.0, 3.0, -1.0]]])
MAPS = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]]])


def value(objective: Objective, given: Seen) -> list[float]:
    return [round(float(each), 5) for each in objective.value(given)]


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (unit("conv1:1"), 5.0),
        (unit("conv1:1", at=2), 9.0),
        (channel("conv1:0"), 2.0),
        (channel("conv1:1"), 6.0),
        (layer("conv1"), (1 + 4 + 9 + 16 + 25 + 81) / 6),
        (logit("b"), 2.0),
        (unit("logits:0"), 1.0),
        (tv(), (3 + 4) / 2),
        (lp(1), 4 / 3),
        (l2(), 10 / 3),
        (unit("conv1:1") - 0.1 * tv(), 5 - 0.35),
        (2 * channel("conv1:0") + -l2(), 4 - 10 / 3),
    ],
    ids=lambda each: each.text if isinstance(each, Objective) else "",
)
def test_an_objective_is_what_a_hand_works_out(objective: Objective, expected: float) -> None:
    assert value(objective, seen(CLIP, MAPS)) == [pytest.approx(expected, abs=1e-4)]


def test_total_variation_of_an_image_is_summed_over_both_axes() -> None:
    image = torch.tensor([[[[0.0, 1.0], [4.0, 9.0]]]])
    assert value(tv(), seen(image)) == [pytest.approx((4 + 8) / 2 + (1 + 5) / 2)]


def test_each_example_has_its_own_unit_and_restarts_stand_in_a_row() -> None:
    clips, maps = CLIP.repeat(4, 1, 1), MAPS.repeat(4, 1, 1)
    given = seen(clips, maps, n_restarts=2)
    assert value(channel(["conv1:0", "conv1:1"]), given) == [2, 2, 6, 6]


def test_diversity_is_0_of_equal_restarts_and_1_of_orthogonal_ones() -> None:
    equal = CLIP.repeat(2, 1, 1)
    orthogonal = torch.eye(2)[:, None]
    assert value(diversity(), seen(equal, n_restarts=2)) == [0, 0]
    assert value(diversity(), seen(orthogonal, n_restarts=2)) == [1, 1]


def test_diversity_of_a_layer_forgets_where_something_stands() -> None:
    maps = torch.cat([MAPS, MAPS.roll(1, 2)])
    assert value(diversity("conv1"), seen(CLIP.repeat(2, 1, 1), maps, 2)) == [0, 0]
    other = torch.cat([MAPS, MAPS.flip(1)])
    assert min(value(diversity("conv1"), seen(CLIP.repeat(2, 1, 1), other, 2))) > 0.1


def test_units_of_two_layers_are_refused() -> None:
    with pytest.raises(UserError, match="expected units of one layer, got conv1, conv2"):
        unit(["conv1:0", "conv2:0"])


def test_objectives_of_unlike_numbers_of_targets_do_not_add() -> None:
    with pytest.raises(UserError, match="expected as many targets on both sides, got 2 and 3"):
        unit(["conv1:0"] * 2) + channel(["conv1:0"] * 3)


def test_a_position_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"at=3: expected a position in \(3,\)"):
        unit("conv1:0", at=3).value(seen(CLIP, MAPS))


def test_objectives_add_up_by_sum_and_are_divided_by_numbers() -> None:
    mean = sum([unit("conv1:1"), channel("conv1:1")]) / 2
    assert isinstance(mean, Objective)
    assert value(mean, seen(CLIP, MAPS)) == [5.5]
    with pytest.raises(TypeError):
        1 + tv()


def test_axes_of_length_1_do_not_vary() -> None:
    assert value(tv(), seen(CLIP[..., None])) == value(tv(), seen(CLIP)) == [3.5]
    assert value(tv(), seen(torch.ones(2, 1, 1, 1))) == [0, 0]
