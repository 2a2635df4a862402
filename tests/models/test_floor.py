"""The floor against figures worked out by hand, and against the reports as a whole."""

from pathlib import Path
from typing import Any

import pytest

from convscope.models.describe import describe
from convscope.models.floor import Peak, elements_handed_on, floor
from convscope.models.rows import LayerRow, flops
from convscope.models.spec import make_spec
from convscope.sweeps.planning.grid import read_sweep

REPORTS = Path(__file__).parents[2] / "recipes/reports"


def rows_of(n_times: int = 16_000, **model: Any) -> tuple[LayerRow, ...]:
    return describe(make_spec({"family": "custom", **model}), (1, n_times), 16)


@pytest.mark.parametrize(
    ("base_channels", "conv_layers", "clips_per_second", "bound"),
    [(32, 8, 553_000, "bytes"), (64, 8, 250_000, "arithmetic"), (128, 9, 63_000, "arithmetic")],
)
def test_the_floors_of_custom_nets_on_an_h200(
    base_channels: int, conv_layers: int, clips_per_second: float, bound: str
) -> None:
    least = floor(rows_of(base_channels=base_channels, conv_layers=conv_layers))
    assert 1 / least.seconds == pytest.approx(clips_per_second, rel=4e-3)
    assert least.bound == bound


def test_a_block_hands_on_what_is_left_after_its_pooling() -> None:
    # conv1 4 × 90; conv2 pooled to 4 × 30; conv3 pooled to 4 × 10, averaged to 4; 16 logits
    rows = rows_of(90, base_channels=4, conv_layers=3, batch_norm=True, head="average")
    assert elements_handed_on(rows) == 4 * 90 + 4 * 30 + 4 + 16


def test_pooling_before_a_convolution_belongs_to_the_block_before() -> None:
    # conv1 pooled to 2 × 30; conv2 pooled to 2 × 10; conv3 2 × 10 into the 16 logits
    rows = rows_of(90, base_channels=2, conv_layers=3, pool="before")
    assert elements_handed_on(rows) == 2 * 30 + 2 * 10 + 2 * 10 + 16


def test_pooling_the_clip_itself_hands_on_nothing() -> None:
    spec = {"family": "mnist", "conv_layers": 1, "base_channels": 2, "pool": "before"}
    assert elements_handed_on(describe(make_spec(spec), (1, 28, 28), 10)) == 2 * 14 * 14 + 10


def test_both_parts_of_the_floor_by_hand() -> None:
    # one convolution of 5 taps to 2 channels on 9 samples, 16 logits of its 18 numbers
    rows = rows_of(9, base_channels=2, conv_layers=1)
    least = floor(rows, Peak(flops=10, bytes=100))
    assert least.arithmetic == pytest.approx(3 * 2 * (2 * 5 * 9 + 18 * 16) / 10)
    assert least.traffic == pytest.approx(10 * (18 + 16) / 100)
    assert least.seconds == least.arithmetic


def test_the_floor_of_all_reports_is_29_minutes() -> None:
    cells = read_sweep(sorted(REPORTS.glob("*.yaml"))).cells
    nets = [describe(cell.model, cell.data.shape, len(cell.data.names or ())) for cell in cells]
    assert sum(map(flops, nets)) == pytest.approx(819e9, rel=1e-3)
    clips = 20 * 24_885
    assert sum(floor(net).seconds for net in nets) * clips / 60 == pytest.approx(28.9, abs=0.05)
