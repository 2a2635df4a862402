"""Layers are found in any net, however it is written, with the fields of its layer table."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.errors import UserError
from convscope.inside.tracing.layers import Field, layer_named, layers_of
from convscope.models.cnn import ACTIVATIONS, build
from convscope.models.describe import describe
from convscope.models.families import FAMILIES
from convscope.models.spec import make_spec
from convscope.types import Shape

SHAPES: dict[str, Shape] = {
    "image2d": (3, 64, 64),
    "mnist": (1, 28, 28),
    "baseline2d": (1, 129, 99),
}
PLAIN = sorted(set(FAMILIES) - {"residual"})


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("family", PLAIN)
def test_fields_are_those_of_the_layer_table(family: str, batch_norm: bool) -> None:
    shape = SHAPES.get(family, (1, 16000))
    spec = make_spec({"family": family, "base_channels": 2, "batch_norm": batch_norm})
    rows = {row.name: row for row in describe(spec, shape, 4)}
    layers = layers_of(build(spec, shape, 4), torch.zeros(1, *shape))
    for name, layer in layers.items():
        row = rows[name.replace("act", "conv")]
        assert layer.shape == row.shape
        if layer.fields is not None:
            assert tuple(axis.size for axis in layer.fields) == row.receptive_field
            assert tuple(axis.start for axis in layer.fields) == row.start
            assert tuple(axis.stride for axis in layer.fields) == row.stride


def test_the_fields_of_residual_blocks_are_those_of_the_layer_table() -> None:
    spec = make_spec({"family": "residual"})
    rows = {row.name.split(".")[-1]: row for row in describe(spec, (1, 16000), 4)}
    layers = layers_of(build(spec, (1, 16000), 4), torch.zeros(1, 1, 16000))
    last = layers["conv18"].fields
    assert last is not None
    assert (last[0].size,) == rows["conv18"].receptive_field


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_what_a_convolution_hands_on_is_behind_its_batch_norm_and_activation(
    activation: str,
) -> None:
    spec = make_spec(
        {"family": "custom", "conv_layers": 2, "activation": activation, "batch_norm": True}
    )
    net = build(spec, (1, 100), 3).eval()
    layers = layers_of(net, torch.zeros(1, 1, 100))
    expected = {"rrelu": "leaky_relu"}.get(activation, activation)
    assert [layers[name].activation for name in ("act1", "act2")] == [expected] * 2
    assert list(layers) == ["conv1", "act1", "conv2", "act2", "logits"]


class Written(nn.Module):
    """One net, its activation called in one of several ways, with or without a softmax."""

    def __init__(self, act: Callable[[Tensor], Tensor], end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 5, padding=2)
        self.norm = nn.BatchNorm1d(4)
        self.hidden = nn.Linear(4, 6)
        self.last = nn.Linear(6, 3)
        self.act, self.end = act, end

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool1d(self.act(self.norm(self.conv(x))), 2)
        return self.end(self.last(self.hidden(x.mean(2))))


WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "function": F.relu,
    "torch": torch.relu,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
    "clamp": lambda x: x.clamp(min=0),
}
ENDS: dict[str, Callable[[Tensor], Tensor]] = {
    "logits": lambda x: x,
    "softmax": lambda x: x.softmax(1),
    "log-softmax": lambda x: F.log_softmax(x, dim=1),
    "module": nn.Softmax(dim=1),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("way", WAYS)
def test_it_does_not_matter_how_a_net_is_written(way: str, end: str) -> None:
    layers = layers_of(Written(WAYS[way], ENDS[end]).eval(), torch.zeros(1, 1, 16))
    assert list(layers) == ["conv1", "act1", "dense1", "logits"]
    assert layers["act1"].activation in ("relu", "clamp")
    assert layers["logits"].call == ("linear", 1)
    assert layers["conv1"].weight is not None
    assert layers["conv1"].fields == (Field(size=5, stride=1, start=-2),)


def test_a_convolution_without_activation_hands_on_its_own_output() -> None:
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 8, 2))
    layers = layers_of(net, torch.zeros(1, 1, 10))
    assert layers["act1"].activation is None
    assert layers["act1"].call == layers["conv1"].call


@pytest.mark.parametrize("padding", ["same", "valid", 1])
@pytest.mark.parametrize("dilation", [1, 3])
def test_dilation_and_padding_count(padding: str | int, dilation: int) -> None:
    net = nn.Sequential(
        nn.Conv1d(1, 2, 4, padding=padding, dilation=dilation), nn.Conv1d(2, 2, 3, stride=2)
    )
    fields = layers_of(net, torch.zeros(1, 1, 40))["conv2"].fields
    assert fields is not None
    before = {"same": (3 * dilation) // 2, "valid": 0, 1: 1}[padding]
    assert fields[0] == Field(size=1 + 3 * dilation + 2, stride=2, start=-before)


class Between(nn.Module):
    """An operation between two convolutions."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 4, 5, padding=2)
        self.second = nn.Conv1d(4, 4, 3)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.second(self.between(self.first(x)))
        return answer


def first_is_second(x: Tensor) -> Tensor:
    x = x.clone()
    x[..., 0] = x[..., 1]
    return x


MIXING: dict[str, Callable[[Tensor], Tensor]] = {
    "flip": lambda x: x.flip(-1),
    "roll": lambda x: x.roll(3, -1),
    "permuted": lambda x: x[..., torch.arange(39, -1, -1)],
    "dense": lambda x: F.linear(x, torch.ones(40, 40)),
    "shares its filters": lambda x: F.conv1d(x, x.mean(-1).expand(4, 4)[..., None]),
    "written": first_is_second,
}


@pytest.mark.parametrize("name", MIXING)
def test_where_positions_are_mixed_in_another_way_the_field_is_not_known(name: str) -> None:
    layers = layers_of(Between(MIXING[name]), torch.zeros(1, 1, 40))
    assert layers["conv1"].fields is not None
    assert layers[max(each for each in layers if each.startswith("conv"))].fields is None


KEEPING: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, int]]] = {
    "padded": (lambda x: F.pad(x, (4, 1)), (7, -6)),
    "circular": (lambda x: F.pad(x, (2, 2), mode="circular"), (7, -4)),
    "channels padded": (lambda x: F.pad(x, (0, 0, 1, 1))[:, 1:5], (7, -2)),
    "with indices": (lambda x: F.max_pool1d(x, 9, 1, 4, return_indices=True)[0], (15, -6)),
    "scaled and shifted": (lambda x: 2 * x / torch.ones(4, 1) + torch.ones(40), (7, -2)),
    "halves": (lambda x: torch.cat(x.chunk(2, 1), dim=1), (7, -2)),
    "swish": (lambda x: x * x.sigmoid(), (7, -2)),
    "masked": (lambda x: x * (x > 0), (7, -2)),
    "group norm": (lambda x: F.group_norm(x, 2), (7, -2)),
    "mean taken off": (lambda x: x - x.mean(-1, keepdim=True), (7, -2)),
    "softmax of channels": (lambda x: F.softmax(x, dim=1), (7, -2)),
}


@pytest.mark.parametrize("name", KEEPING)
def test_where_positions_stay_the_field_is_known(name: str) -> None:
    between, (size, start) = KEEPING[name]
    layers = layers_of(Between(between), torch.zeros(1, 1, 40))
    assert layers["conv2"].fields == (Field(size=size, stride=1, start=start),)


def test_a_convolution_of_circular_padding_has_a_field() -> None:
    net = nn.Conv2d(1, 2, (3, 5), padding=(1, 2), padding_mode="circular")
    fields = layers_of(net, torch.zeros(1, 1, 9, 9))["conv1"].fields
    assert fields == (Field(size=3, start=-1), Field(size=5, start=-2))


BEFORE: dict[str, Callable[[Tensor], Tensor]] = {
    "max_pool1d": lambda x: F.max_pool1d(x, 2),
    "group_norm": lambda x: F.group_norm(x, 2),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "instance_norm": F.instance_norm,
    "dropout": lambda x: F.dropout(F.batch_norm(x, torch.zeros(4), torch.ones(4)), training=False),
}


@pytest.mark.parametrize("name", BEFORE)
def test_a_step_may_stand_between_a_convolution_and_its_activation(name: str) -> None:
    net = Between(lambda x: F.hardsigmoid(BEFORE[name](x)))
    act = layers_of(net, torch.zeros(1, 1, 40))["act1"]
    assert act.activation == "hardsigmoid"
    assert act.entering == (name, 0)
    assert act.leaving == act.call == ("hardsigmoid", 0)
    is_pooled = name == "max_pool1d"
    assert act.shape == (4, 20 if is_pooled else 40)
    assert act.fields == ((Field(6, 2, -2) if is_pooled else Field(5, 1, -2)),)


def test_without_an_activation_a_pooling_is_no_part_of_a_layer() -> None:
    net = Between(lambda x: F.max_pool1d(F.group_norm(x, 2), 2))
    assert layers_of(net, torch.zeros(1, 1, 40))["act1"].call == ("group_norm", 0)


class InADict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 2, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"answer": self.conv(x)}


def test_a_net_whose_answer_is_no_tensor_has_layers_but_no_logits() -> None:
    assert list(layers_of(InADict(), torch.zeros(1, 1, 9))) == ["conv1", "act1"]


def test_errors_say_what_to_do() -> None:
    with pytest.raises(UserError, match="no convolution is met"):
        layers_of(nn.Linear(4, 2), torch.zeros(1, 4))
    with pytest.raises(
        UserError, match=r"Conv1d failed on clips of shape \(1, 2, 8\): RuntimeError"
    ):
        layers_of(nn.Conv1d(1, 2, 3), torch.zeros(1, 2, 8))
    layers = layers_of(nn.Conv1d(1, 2, 3), torch.zeros(1, 1, 8))
    with pytest.raises(
        UserError, match=r"conv2 is no layer of this net.*known: conv1, act1, logits"
    ):
        layer_named(layers, "conv2")
