"""Units by name."""

import pytest
import torch
from torch import nn

from convscope.errors import UserError
from convscope.inside.tracing.layers import Layer, layers_of
from convscope.inside.tracing.unit_names import Unit, read_unit


@pytest.fixture(scope="module")
def layers() -> dict[str, Layer]:
    return layers_of(
        nn.Sequential(nn.Conv1d(1, 4, 3), nn.Flatten(), nn.Linear(32, 2)), torch.zeros(1, 1, 10)
    )


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("conv1:3", Unit("conv1", 3)),
        ("logits:no", Unit("logits", 1)),
        ("logits:0", Unit("logits", 0)),
    ],
)
def test_a_unit_has_a_layer_and_a_number_or_a_class(
    text: str, unit: Unit, layers: dict[str, Layer]
) -> None:
    assert read_unit(text, layers, ("yes", "no")) == unit


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conv1", "expected layer:unit such as conv3:17"),
        ("conv1:", "expected layer:unit"),
        ("conv1:4", "conv1 has 4 units, 0 to 3"),
        ("conv1:x", "x is no unit of conv1, they count from 0$"),
        ("conv5:1", "conv5 is no layer of this net"),
        ("logits:nope", r"nope is no unit of logits.*did you mean 'no'\?\); known: yes, no"),
    ],
)
def test_a_unit_that_is_not_there_is_refused_by_name(
    text: str, words: str, layers: dict[str, Layer]
) -> None:
    with pytest.raises(UserError, match=words):
        read_unit(text, layers, ("yes", "no"))
