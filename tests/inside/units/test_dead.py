"""Nets of known weights: which units are dead, pinned or doubles can be said by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.errors import UserError
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.stages import some_clips, stages_of
from convscope.inside.subject.subject import Choice, Examples, Subject
from convscope.inside.tracing.layers import layers_of
from convscope.inside.units.activity import activity
from convscope.inside.units.dead import Limits, dead_units, duplicate_groups
from convscope.inside.units.part_dead import look_dead

CONV = {1: nn.Conv1d, 2: nn.Conv2d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


class Net(nn.Module):
    """One convolution of known filters, an activation by function, and a mean over positions."""

    def __init__(self, n_axes: int, n_units: int, act: Callable[[Tensor], Tensor] = F.relu) -> None:
        super().__init__()
        self.conv = CONV[n_axes](1, n_units, 3, padding=1)
        self.act = act
        self.logits = nn.Linear(n_units, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.logits(self.act(self.conv(x)).flatten(2).mean(2))
        return out


def set_bias(net: Net, *values: float) -> None:
    net.conv.bias = nn.Parameter(torch.tensor(values))


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    torch.manual_seed(1)


def clips(n_axes: int, n_clips: int = 12, size: int = 9) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(n_clips, 1, *[size] * n_axes)


@pytest.mark.parametrize("n_axes", [1, 2])
def test_a_unit_with_a_large_negative_bias_is_dead_and_no_other(n_axes: int) -> None:
    net = Net(n_axes, 4)
    set_bias(net, 0.0, -100.0, 0.0, 0.0)
    found = dead_units(net, clips(n_axes))["conv1"]
    assert found.activation == "relu"
    assert found.dead.tolist() == [False, True, False, False]
    assert found.positive_share[1] == 0


def test_the_value_behind_batch_norm_decides() -> None:
    """Batch norm turns the first unit's sign and pushes the second below zero."""
    conv, norm = nn.Conv1d(1, 2, 1, bias=False), nn.BatchNorm1d(2)
    with torch.no_grad():
        conv.weight.fill_(1)
        norm.weight.copy_(torch.tensor([-1.0, 1.0]))
        norm.bias.copy_(torch.tensor([0.0, -50.0]))
    net = nn.Sequential(conv, norm, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(18, 2)).eval()
    batch = -clips(1).abs()
    found = dead_units(net, batch)["conv1"]
    assert found.dead.tolist() == [False, True]
    assert found.positive_share[0] == (batch < 0).float().mean()


def test_dense_layers_are_judged_by_what_enters_their_activation() -> None:
    dense = nn.Linear(14, 3)
    dense.bias = nn.Parameter(torch.tensor([0.0, 0.0, -100.0]))
    net = nn.Sequential(
        nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), dense, nn.ReLU(), nn.Linear(3, 2)
    )
    found = dead_units(net, clips(1))["dense1"]
    assert found.activation == "relu"
    assert found.dead.tolist()[2]
    assert list(dead_units(net, clips(1))) == ["conv1", "dense1", "logits"]


@pytest.mark.parametrize(("act", "name"), [(torch.tanh, "tanh"), (torch.sigmoid, "sigmoid")])
def test_a_unit_of_huge_bias_is_pinned_at_either_bound(
    act: Callable[[Tensor], Tensor], name: str
) -> None:
    net = Net(1, 3, act)
    with torch.no_grad():
        net.conv.weight.clamp_(-0.3, 0.3)
    set_bias(net, 0.0, 9.0, -9.0)
    found = dead_units(net, clips(1))["conv1"]
    assert found.activation == name
    assert found.pinned.tolist() == [False, True, True]
    assert not found.dead.any()


def test_the_share_of_pinned_positions_is_counted_and_its_limit_can_be_set() -> None:
    net = Net(1, 1, torch.tanh)
    with torch.no_grad():
        net.conv.weight.copy_(torch.tensor([[[0.0, 1.0, 0.0]]]))
    set_bias(net, 0.0)
    batch = torch.zeros(1, 1, 8)
    batch[0, 0, :6] = 5  # tanh(5) = 0.9999
    found = dead_units(net, batch)["conv1"]
    assert found.pinned_share.tolist() == [0.75]
    assert not found.pinned[0]
    assert dead_units(net, batch, limits=Limits(pinned=0.7))["conv1"].pinned[0]


def test_a_linear_unit_is_dead_where_it_never_changes() -> None:
    net = Net(1, 2, lambda x: x)
    with torch.no_grad():
        net.conv.weight[1] = 0
    set_bias(net, -3.0, -3.0)
    assert dead_units(net, clips(1))["conv1"].dead.tolist() == [False, True]


@pytest.mark.parametrize("n_axes", [1, 2])
def test_a_copied_filter_is_a_duplicate_whatever_its_gain(n_axes: int) -> None:
    net = Net(n_axes, 5)
    set_bias(net, *[0.0] * 5)
    with torch.no_grad():
        net.conv.weight[3] = 2 * net.conv.weight[0]
        net.conv.weight[4] = -net.conv.weight[0]
    found = dead_units(net, clips(n_axes))["conv1"]
    assert found.groups == ((0, 3),)
    assert found.duplicate.tolist() == [False, False, False, True, False]
    assert found.correlation[0, 3] == pytest.approx(1, abs=1e-6)


def test_dead_units_are_no_doubles_of_each_other() -> None:
    net = Net(1, 3)
    set_bias(net, -100.0, -100.0, 0.0)
    assert dead_units(net, clips(1))["conv1"].groups == ()


def test_groups_hang_together_by_a_third() -> None:
    correlation = np.array([[1, 0.995, 0.2], [0.995, 1, 0.992], [0.2, 0.992, 1]])
    assert duplicate_groups(correlation, 0.99) == ((0, 1, 2),)
    assert duplicate_groups(correlation, 0.994) == ((0, 1),)
    assert duplicate_groups(correlation, 0.999) == ()


@pytest.mark.parametrize("n_axes", [1, 2])
def test_batch_by_batch_equals_all_at_once_and_numpy(n_axes: int) -> None:
    """The numbers lie far from zero, where sums of squares would cancel."""
    net, batch = Net(n_axes, 4, lambda x: x), clips(n_axes, 23)
    set_bias(net, *[3000.0] * 4)
    whole = activity(net, batch)["conv1"]
    parts = activity(net, iter(batch.split(5)))["conv1"]
    answers = net.conv(batch).detach().double().flatten(2)
    flat = answers.transpose(0, 1).flatten(1).numpy()
    for found in (whole, parts):
        np.testing.assert_allclose(found.means, answers.clamp(min=0).mean(2), rtol=1e-5)
        np.testing.assert_allclose(found.peaks, answers.amax(2), rtol=1e-6)
        np.testing.assert_allclose(found.correlation, np.corrcoef(flat), atol=1e-5)
        np.testing.assert_array_equal(found.positive_share, (flat > 0).mean(1))


def test_the_model_is_left_as_found_also_when_its_forward_raises() -> None:
    net, batch = Net(1, 3).train(), clips(1).requires_grad_()
    before = torch.get_rng_state()
    dead_units(net, batch)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(UserError, match="failed on clips of shape"):
        dead_units(net, clips(1).repeat(1, 2, 1), stages_of(layers_of(net, clips(1)[:1])))
    assert net.training
    assert all(each.requires_grad for each in net.parameters())
    assert not net._forward_hooks
    assert not net._forward_pre_hooks


def test_no_clips_are_refused() -> None:
    with pytest.raises(UserError, match="expected clips to show to the net, got none"):
        dead_units(Net(1, 2), clips(1)[:0])


def subject(labels: np.ndarray, net: nn.Module | None = None, n_times: int = 9) -> Subject:
    rng = np.random.default_rng(0)
    stored = rng.normal(0, 3000, (len(labels), 1, n_times)).astype(np.int16)
    return Subject(
        name="net",
        net=net or Net(1, 4),
        scale=lambda values: values.float() / 32768,
        front=nn.Identity(),
        domain="waveform",
        shape=(1, n_times),
        clip_shape=(1, n_times),
        classes=("yes", "no"),
        examples=Examples(stored, labels, np.array([f"{i}.wav" for i in range(len(labels))])),
        rate_hz=1000,
    )


def test_look_puts_the_tables_the_arrays_and_the_pictures_on_the_shelf(tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path)
    look_dead(subject(np.arange(20) % 2), Choice(), writer)
    made = {path.name for path in writer.made}
    assert {"dead_units.csv", "dead_layers.csv", "dead_layers.png", "dead_clips.csv"} <= made
    assert {"dead_conv1_classes.npz", "dead_logits_classes.png"} <= made
    rows = (tmp_path / "dead_units.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [
        *(f"conv1:{i}" for i in range(4)),
        "logits:yes",
        "logits:no",
    ]


def test_without_classes_the_dead_are_found_all_the_same(tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path)
    look_dead(subject(np.full(6, -1)), Choice(layer="act1"), writer)
    assert {path.stem for path in writer.made} == {"dead_units", "dead_layers", "dead_clips"}


def test_without_clips_it_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="give --clips DIR"):
        look_dead(subject(np.zeros(0, np.int64)), Choice(), ResultWriter(tmp_path))


def test_some_clips_are_drawn_of_each_class_alike() -> None:
    examples = subject(np.repeat([0, 1], [40, 6])).examples
    assert examples is not None
    drawn = some_clips(examples, 10, seed=0)
    assert np.bincount(drawn.labels).tolist() == [5, 5]
    assert drawn.ids.tolist() == some_clips(examples, 10, seed=0).ids.tolist()
    assert len(some_clips(examples, 99, seed=0)) == 46


AS_GIVEN: dict[str, Callable[[Tensor], Any]] = {
    "float64 tensor": lambda x: x.double(),
    "integer tensor": lambda x: x.long(),
    "float64 array": lambda x: x.double().numpy(),
    "int16 array": lambda x: x.numpy().astype(np.int16),
    "reversed array": lambda x: x.flip(-1).numpy()[..., ::-1],
    "nested lists": lambda x: x.tolist(),
    "list of arrays": lambda x: [part.numpy() for part in x.split(5)],
    "generator of float64 tensors": lambda x: (part.double() for part in x.split(5)),
}


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
@pytest.mark.parametrize("given", AS_GIVEN.values(), ids=AS_GIVEN.keys())
def test_clips_may_be_given_as_any_array(
    given: Callable[[Tensor], Any], precision: torch.dtype
) -> None:
    net, whole = Net(1, 4).to(precision), (10 * clips(1)).round()
    found = dead_units(net, given(whole))["conv1"]
    expected = dead_units(net, whole.to(precision))["conv1"]
    np.testing.assert_array_equal(found.positive_share, expected.positive_share)


@pytest.mark.parametrize("n_axes", [1, 2])
def test_a_single_clip_is_refused_by_the_number_of_axes_that_it_should_have(n_axes: int) -> None:
    words = rf"conv{n_axes}d takes clips of {n_axes + 2} axes, .* got {n_axes + 1}: .*clips\[None\]"
    with pytest.raises(UserError, match=words):
        dead_units(Net(n_axes, 4), clips(n_axes)[0])


def test_a_filter_of_nan_is_not_called_dead() -> None:
    net = Net(1, 3)
    set_bias(net, 0.0, float("nan"), -100.0)
    assert dead_units(net, clips(1))["conv1"].dead.tolist() == [False, False, True]
