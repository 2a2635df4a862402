"""Plans: the reports' parameter counts, the order of layers, and what does not fit."""

import csv
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.models.cnn import build
from convscope.models.describe import describe
from convscope.models.plan import plan
from convscope.models.rows import n_params
from convscope.models.spec import ConvNetSpec, ModelSpec, make_spec
from convscope.types import Shape

TABLE = Path(__file__).parents[1] / "reference" / "accuracy_tables.csv"
INPUTS: dict[str, tuple[Shape, int]] = {
    "baseline2d": ((1, 257, 99), 16),
    "image2d": ((3, 172, 172), 6),
}


def stated_counts() -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["params"]]


def spec_of(row: dict[str, str]) -> ModelSpec:
    """The network of a row of the table: an empty cell is the family's preset."""
    keys = ("conv_layers", "kernel", "base_channels", "fc_hidden")
    values: dict[str, Any] = {key: int(row[key]) for key in keys}
    values |= {key: row[key] for key in ("activation", "initializer") if row[key]}
    values |= {"dropout": float(row["dropout"]), "batch_norm": row["batch_norm"] == "True"}
    return make_spec({"family": row["family"], **values})


def conv_net(**values: Any) -> ConvNetSpec:
    spec = make_spec(values)
    assert isinstance(spec, ConvNetSpec)
    return spec


def names(spec: ConvNetSpec, input_shape: Shape = (1, 16_000)) -> str:
    return " ".join(layer.name for layer in plan(spec, input_shape, 16))


def test_the_table_states_69_parameter_counts() -> None:
    assert len(stated_counts()) == 69


@pytest.mark.parametrize("row", stated_counts(), ids=lambda row: "-".join(list(row.values())[:10]))
def test_a_stated_parameter_count_comes_out_exactly(row: dict[str, str]) -> None:
    input_shape, n_classes = INPUTS.get(row["family"], ((1, 16_000), 16))
    assert n_params(describe(spec_of(row), input_shape, n_classes)) == int(row["params"])


SMALL = [row for row in stated_counts() if int(row["params"]) < 2_100_000][::5]


@pytest.mark.parametrize("row", SMALL, ids=lambda row: "-".join(list(row.values())[:10]))
def test_a_built_network_has_the_stated_parameters(row: dict[str, str]) -> None:
    input_shape, n_classes = INPUTS.get(row["family"], ((1, 16_000), 16))
    net = build(spec_of(row), input_shape, n_classes)
    assert sum(p.numel() for p in net.parameters()) == int(row["params"])


def test_a_block_pools_after_its_convolution_and_the_first_of_custom_does_not() -> None:
    spec = conv_net(family="custom", conv_layers=2, batch_norm=True)
    assert names(spec) == "conv1 norm1 act1 conv2 norm2 act2 pool1 flatten dropout logits"


def test_a_block_may_pool_before_its_convolution() -> None:
    spec = conv_net(family="custom", conv_layers=3, pool="before")
    assert names(spec) == "conv1 act1 pool1 conv2 act2 pool2 conv3 act3 flatten dropout logits"


def test_vgg_pools_beside_its_pairs() -> None:
    after = conv_net(family="vgg", conv_layers=4)
    before = conv_net(family="vgg", conv_layers=4, pool="before")
    first = "conv1 act1 conv2 act2"
    second = "conv3 act3 conv4 act4"
    assert names(after) == f"{first} {second} pool1 flatten dropout logits"
    assert names(before) == f"{first} pool1 {second} flatten dropout logits"


def test_dropout_follows_each_hidden_dense_layer() -> None:
    spec = conv_net(family="baseline1d", conv_layers=1, fc_hidden=2)
    assert (
        names(spec) == "conv1 act1 pool1 flatten dense1 act2 dropout1 dense2 act3 dropout2 logits"
    )


def test_without_dropout_there_is_no_such_layer_and_average_takes_the_place_of_flatten() -> None:
    spec = conv_net(family="mnist", conv_layers=1, dropout=0, head="average")
    assert names(spec, (1, 28, 28)) == "conv1 act1 pool1 average logits"


def test_long_filter_halves_its_filters_down_to_three() -> None:
    layers = plan(conv_net(family="long_filter", conv_layers=8), (1, 16_000), 16)
    lengths = [layer.kernel for layer in layers if layer.kind == "conv"]
    assert lengths == [192, 96, 48, 24, 12, 6, 3, 3]


def test_channels_double_as_the_family_says() -> None:
    def channels(family: str, n: int, input_shape: Shape) -> list[int]:
        spec = conv_net(family=family, conv_layers=n, base_channels=8)
        layers = plan(spec, input_shape, 16)
        return [layer.out_shape[0] for layer in layers if layer.kind == "conv"]

    assert channels("baseline1d", 4, (1, 16_000)) == [8, 16, 32, 64]
    assert channels("custom", 9, (1, 16_000)) == [8] * 4 + [16] * 4 + [32]
    assert channels("vgg", 10, (1, 16_000)) == [8] * 8 + [16] * 2
    assert channels("image2d", 5, (3, 172, 172)) == [8, 8, 16, 16, 32]


def test_a_residual_net_is_a_filter_bank_and_blocks_of_separable_convolutions() -> None:
    spec = conv_net(family="residual", conv_layers=6)
    assert names(spec) == (
        "conv1 log_energy centre norm1 band_dropout conv2 norm2 act1 block1 act3 "
        "average dropout logits"
    )
    *_, block, _, _, _, _ = plan(spec, (1, 16_000), 16)
    parts = [(part.name, part.kernel, part.groups, part.bias) for part in block.parts]
    assert [part for part in parts if part[0].startswith("conv")] == [
        ("conv3", 9, 64, False),
        ("conv4", 1, 1, False),
        ("conv5", 9, 64, False),
        ("conv6", 1, 1, False),
    ]


@pytest.mark.parametrize(
    ("rate_hz", "kernel", "stride"),
    [(8_000, 200, 80), (16_000, 400, 160), (22_050, 551, 220), (44_100, 1102, 441)],
)
def test_a_filter_bank_has_25_ms_every_10_ms_at_every_rate(
    rate_hz: int, kernel: int, stride: int
) -> None:
    spec = conv_net(family="residual", conv_layers=6).for_rate(rate_hz)
    bank = plan(spec, (1, rate_hz), 16)[0]
    assert (bank.kernel, bank.stride) == (kernel, stride)
    assert bank.out_shape == (80, 100)


def test_only_a_filter_bank_has_a_rate() -> None:
    with pytest.raises(
        UserError, match=r"model\.rate_hz: custom has no filter bank: remove the key"
    ):
        make_spec({"family": "custom", "rate_hz": 8_000})


def test_a_residual_net_without_batch_norm_has_biases_instead() -> None:
    spec = conv_net(family="residual", conv_layers=6, batch_norm=False)
    assert "norm" not in names(spec)
    layers = plan(spec, (1, 16_000), 16)
    convs = [part for layer in layers for part in (layer, *layer.parts) if part.kind == "conv"]
    assert [conv.bias for conv in convs] == [False, True, True, True, True, True]


def test_the_residual_preset_stays_under_100_000_parameters() -> None:
    # 2·40·400, norm 80, 40·64·5, norm 128; a block has 2·(64·9 + 128 + 64·64 + 128); 64·16 + 16
    expected = 32_000 + 80 + 12_800 + 128 + 4 * 2 * (576 + 128 + 4096 + 128) + 1040
    rows = describe(conv_net(family="residual"), (1, 16_000), 16)
    assert n_params(rows) == expected == 85_472


def test_a_network_that_no_machine_holds_is_refused_by_its_keys_and_its_largest_layer() -> None:
    # conv i of 16 has 4096 · 2^(i // 4) channels; flatten leaves 16,384 channels at two positions
    channels = [1] + [4096 << i // 4 for i in range(9)]
    n_params = sum(5 * a * b + b for a, b in pairwise(channels))
    n_params += channels[-1] * 2 * 16 + 16
    words = (
        r"^model\.base_channels=4096, model\.conv_layers=9, model\.kernel=5, model\.fc_hidden=0: "
        rf"expected a network of at most 4 GiB of parameters, got {4 * n_params / 2**30:.1f} GiB, "
        r"2\.5 of them in conv9: make one of these keys less$"
    )
    with pytest.raises(UserError, match=words):
        plan(conv_net(family="custom", conv_layers=9, base_channels=4096), (1, 16_000), 16)


@pytest.mark.parametrize(
    ("values", "input_shape", "words"),
    [
        (
            {"family": "custom", "conv_layers": 40, "base_channels": 128},
            (1, 16_000),
            r"^model\.conv_layers=40: pool9 would shrink \(512, 2\) to nothing; "
            r"use at most 9 for an input of \(1, 16000\)$",
        ),
        (
            {"family": "vgg", "conv_layers": 40, "pool": "before"},
            (1, 16_000),
            r"^model\.conv_layers=40: pool9 .*; use at most 18 for an input of \(1, 16000\)$",
        ),
        (
            {"family": "baseline1d", "conv_layers": 6},
            (1, 16_000),
            r"^model\.conv_layers=6: conv6 would shrink \(128, 8\) to nothing; use at most 5 ",
        ),
        (
            {"family": "baseline2d", "conv_layers": 6},
            (1, 257, 99),
            r"^model\.conv_layers=6: conv5 would shrink \(64, 13, 3\) to nothing; use at most 4 ",
        ),
        (
            {"family": "image2d", "conv_layers": 40},
            (3, 172, 172),
            r"^model\.conv_layers=40: pool9 has nothing left to pool in \(512, 1, 1\); "
            r"use at most 8 for an input of \(3, 172, 172\)$",
        ),
        (
            {"family": "baseline1d", "conv_layers": 1},
            (1, 20),
            r"^model\.conv_layers=1: conv1 would shrink \(1, 20\) to nothing; an input of "
            r"\(1, 20\) is too small: give larger clips, or a smaller model\.kernel$",
        ),
        (
            {"family": "residual"},
            (1, 100),
            r"^model\.conv_layers=18: conv1 would shrink \(1, 100\) to nothing; an input of \(1",
        ),
        (
            {"family": "custom"},
            (1, 257, 99),
            r"^model\.family=custom: expected a waveform \(n_channels, n_times\), got an input of "
            r"\(1, 257, 99\): remove data\.spectrogram for sounds, or take a 2-D family: "
            r"baseline2d, image2d, mnist$",
        ),
        (
            {"family": "baseline2d"},
            (1, 16_000),
            r"^model\.family=baseline2d: expected a spectrogram or an image, got an input of "
            r"\(1, 16000\): set data\.spectrogram=reports for sounds, or take a 1-D family: bas",
        ),
    ],
)
def test_what_does_not_fit_names_the_key_the_layer_and_what_would_fit(
    values: dict[str, Any], input_shape: Shape, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        plan(conv_net(**values), input_shape, 16)


@pytest.mark.parametrize(
    ("family", "input_shape", "largest"),
    [("custom", (1, 16_000), 9), ("vgg", (1, 16_000), 18), ("image2d", (3, 172, 172), 8)],
)
def test_the_number_of_layers_that_the_message_names_works(
    family: str, input_shape: Shape, largest: int
) -> None:
    assert plan(conv_net(family=family, conv_layers=largest), input_shape, 16)


def test_plans_and_tables_need_no_torch() -> None:
    code = (
        "import sys; from convscope.models.spec import make_spec; "
        "from convscope.models.describe import describe; "
        "describe(make_spec({'family': 'custom'}), (1, 16000), 16); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
