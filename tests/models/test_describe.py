"""The layer table against real forward passes: shapes, fields, parameters, FLOPs, bytes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from convscope.models.cnn import build
from convscope.models.describe import describe
from convscope.models.families import FAMILIES
from convscope.models.rows import LayerRow, flops, n_params
from convscope.models.spec import ConvNetSpec, make_spec
from convscope.types import Shape

INPUTS: dict[str, Shape] = {
    "baseline1d": (1, 16_000),
    "baseline2d": (1, 257, 99),
    "custom": (1, 16_000),
    "vgg": (1, 16_000),
    "long_filter": (1, 16_000),
    "image2d": (3, 172, 172),
    "mnist": (1, 28, 28),
    "residual": (1, 16_000),
}
VARIANTS = [
    {"pool": "after", "head": "flatten", "fc_hidden": 2},
    {"pool": "before", "head": "flatten", "batch_norm": True},
    {"pool": "after", "head": "average", "batch_norm": True, "fc_hidden": 1},
    {"pool": "before", "head": "average", "dropout": 0},
]
CASES = [
    pytest.param({"family": family, **variant}, id=f"{family}-{i}")
    for family in INPUTS
    for i, variant in enumerate(VARIANTS)
]


def small(values: dict[str, Any]) -> tuple[ConvNetSpec, Shape]:
    own = {"conv_layers": 4} if values["family"] == "baseline1d" else {}
    pool = {} if FAMILIES[values["family"]].pool else {"pool": "after"}
    spec = make_spec({"base_channels": 2, **own, **values, **pool})
    assert isinstance(spec, ConvNetSpec)
    return spec, INPUTS[spec.family]


def outputs(net: nn.Module, clips: Tensor) -> list[tuple[str, Tensor]]:
    """What each layer gives in evaluation mode, in the order in which they are done."""
    given: list[tuple[str, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name: given.append((name, out)))
        for name, module in net.named_modules()
        if name
    ]
    with torch.no_grad():
        net.eval()(clips)
    for hook in hooks:
        hook.remove()
    return given


@pytest.mark.parametrize("values", CASES)
def test_shapes_bytes_and_parameters_are_those_of_a_forward_pass(values: dict[str, Any]) -> None:
    spec, shape = small(values)
    net = build(spec, shape, 7)
    rows = describe(spec, shape, 7)
    passed = outputs(net, torch.zeros(1, *shape))
    assert [row.name for row in rows] == [name for name, _ in passed]
    for row, (name, output) in zip(rows, passed, strict=True):
        assert row.shape == tuple(output.shape[1:]), name
        assert row.activation_bytes == output.numel() * output.element_size(), name
        own = sum(p.numel() for p in net.get_submodule(name).parameters(recurse=False))
        assert row.params == own, name
    assert n_params(rows) == sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("values", CASES)
def test_flops_are_those_that_torch_counts(values: dict[str, Any]) -> None:
    spec, shape = small(values)
    net = build(spec, shape, 7)
    rows = describe(spec, shape, 7)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.zeros(1, *shape))
    assert flops(rows) == counter.get_total_flops()
    counts = counter.get_flop_counts()
    for row in rows:
        counted = sum(counts.get(f"Sequential.{row.name}", {}).values())
        # torch counts the parts of a block once more for the block
        assert row.flops == (0 if row.kind == "residual" else counted), row.name


def test_the_first_layers_of_custom_by_hand() -> None:
    rows = describe(make_spec({"family": "custom", "base_channels": 64}), (1, 16_000), 16)
    table = {row.name: row for row in rows}
    assert table["conv1"] == LayerRow(
        name="conv1",
        kind="conv",
        shape=(64, 16_000),
        receptive_field=(5,),
        start=(-2,),
        stride=(1,),
        params=64 * 5 + 64,
        flops=2 * 64 * 5 * 16_000,
        activation_bytes=64 * 16_000 * 4,
        sees_whole=False,
    )
    conv2, pool1, conv3 = table["conv2"], table["pool1"], table["conv3"]
    assert (conv2.receptive_field, conv2.start, conv2.stride) == ((9,), (-4,), (1,))
    assert (pool1.receptive_field, pool1.start, pool1.stride) == ((11,), (-4,), (3,))
    assert (conv3.receptive_field, conv3.start, conv3.stride) == ((23,), (-10,), (3,))
    assert conv2.centre == (0.0,)
    assert pool1.centre == (1.0,)
    assert table["logits"].stride is None


FIELD_CASES: list[tuple[dict[str, Any], Shape]] = [
    ({"family": "custom", "conv_layers": 3}, (1, 95)),
    ({"family": "custom", "conv_layers": 3, "pool": "before"}, (1, 95)),
    ({"family": "custom", "conv_layers": 3, "kernel": 4, "head": "average"}, (1, 97)),
    ({"family": "vgg", "conv_layers": 6}, (1, 101)),
    ({"family": "long_filter", "conv_layers": 3, "kernel": 12}, (1, 121)),
    ({"family": "baseline1d", "conv_layers": 2, "kernel": 7, "fc_hidden": 1}, (1, 91)),
    ({"family": "baseline1d", "conv_layers": 2, "kernel": 7, "pool": "before"}, (1, 131)),
    ({"family": "image2d", "conv_layers": 2, "kernel": 3}, (1, 13, 15)),
    ({"family": "mnist", "conv_layers": 2, "kernel": 4, "pool": "before"}, (1, 15, 13)),
    ({"family": "baseline2d", "conv_layers": 2, "kernel": 3}, (1, 15, 17)),
    ({"family": "residual", "conv_layers": 6, "kernel": 3}, (1, 2_573)),
]


def probed(spec: ConvNetSpec, shape: Shape) -> Iterator[tuple[str, Tensor]]:
    """For each layer, which input positions (first axis) change which of its units.

    All weights are positive, and so are all values that reach an activation: a sample that rises
    changes every unit that sees it. The mean over time, which sees all, is left out.
    """
    net = build(spec, shape, 2).double()
    for name, parameter in net.named_parameters():
        nn.init.constant_(parameter, 10.0 if name == "norm1.bias" else 1.0)
    if spec.rule.filter_bank is not None:
        net.add_module("centre", nn.Identity())
    n_positions = torch.Size(shape[1:]).numel()
    one_each = torch.eye(n_positions, dtype=torch.float64).reshape(n_positions, *shape)
    silent = torch.zeros(1, *shape, dtype=torch.float64)
    changed = zip(outputs(net, one_each), outputs(net, silent), strict=True)
    return ((name, (a - b).abs() > 1e-9 * b.abs()) for (name, a), (_, b) in changed)


@pytest.mark.parametrize(("values", "shape"), FIELD_CASES)
def test_a_unit_sees_its_receptive_field_and_nothing_else(
    values: dict[str, Any], shape: Shape
) -> None:
    spec = make_spec({"base_channels": 1, "dropout": 0, **values})
    assert isinstance(spec, ConvNetSpec)
    rows = {row.name: row for row in describe(spec, shape, 2)}
    positions = torch.cartesian_prod(*map(torch.arange, shape[1:])).reshape(-1, len(shape) - 1)
    for name, sees in probed(spec, shape):
        row = rows[name]
        if row.name == "flatten":
            continue
        reached = sees.flatten(1).any(1)  # by the layer as a whole: pooling may drop the end
        for at in np.ndindex(*row.shape[1:]):
            expected = reached & inside(row, at, positions)
            assert torch.equal(sees[(slice(None), 0, *at)], expected), (name, at)


def inside(row: LayerRow, at: tuple[int, ...], positions: Tensor) -> Tensor:
    """Which input positions lie in the field of the unit at `at`."""
    assert row.start is not None
    assert row.receptive_field is not None
    strides = row.stride or (0,) * len(row.start)
    first = torch.tensor(
        [s + i * d for s, i, d in zip(row.start, at or (0,) * len(strides), strides, strict=True)]
    )
    size = torch.tensor(row.receptive_field)
    return ((positions >= first) & (positions < first + size)).all(1)


@pytest.mark.parametrize(("values", "shape"), FIELD_CASES)
def test_a_layer_without_positions_reports_the_whole_part_of_the_input_that_it_sees(
    values: dict[str, Any], shape: Shape
) -> None:
    spec = make_spec({"base_channels": 1, "dropout": 0, **values})
    assert isinstance(spec, ConvNetSpec)
    logits = describe(spec, shape, 2)[-1]
    *_, (_, sees) = probed(spec, shape)
    seen = sees[:, 0].reshape(shape[1:]).nonzero()
    first, last = seen.min(0).values, seen.max(0).values
    assert logits.start == tuple(first.tolist())
    assert logits.receptive_field == tuple((last - first + 1).tolist())


def test_a_floor_pooling_leaves_the_end_of_the_clip_unseen() -> None:
    spec = make_spec({"family": "custom", "conv_layers": 3, "kernel": 1, "base_channels": 1})
    logits = describe(spec, (1, 17), 2)[-1]  # 17 -> 5 -> 1: only 9 samples count
    assert logits.receptive_field == (9,)


def test_a_layer_is_marked_from_the_first_of_whose_units_one_sees_the_whole_clip() -> None:
    spec = make_spec({"family": "custom", "conv_layers": 3, "base_channels": 2})
    for n_times in (30, 200, 4000):
        for row in describe(spec, (1, n_times), 3):
            assert row.start is not None
            assert row.receptive_field is not None
            stride = row.stride[0] if row.stride else 1
            starts = [row.start[0] + i * stride for i in range((row.shape[1:] or (1,))[0])]
            reached = {
                frozenset(range(max(start, 0), min(start + row.receptive_field[0], n_times)))
                for start in starts
            }
            assert row.sees_whole == (frozenset(range(n_times)) in reached)
