"""The benchmarks' own arithmetic, and that what they compare is the same; nothing is timed here."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import pytest
import torch

from convscope.data.config import WordsConfig
from convscope.data.load import load_dataset
from convscope.models.cnn import build
from convscope.models.floor import Floor
from convscope.models.spec import make_spec

ROOT = Path(__file__).parents[1]


class Script(Protocol):
    def __call__(self, name: str) -> ModuleType: ...


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """`script(name)`: a module of benchmarks/, imported as its scripts import each other."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


def test_each_case_has_noise_of_its_own_shape_to_train_and_to_validate_on(script: Script) -> None:
    cases = script("cases")
    for name in cases.CASES:
        cell = cases.case(name)
        data = cases.noise(cell, 3)
        assert data.clips.shape == (7, *cell.data.clip_shape), name
        assert data.clips.dtype == (np.int16 if hasattr(cell.data, "seconds") else np.uint8), name
        assert [len(data.indices(s)) for s in ("train", "validation", "test")] == [3, 2, 2]
        assert len(np.unique(data.clips)) > 200


@pytest.mark.parametrize(
    "values",
    [
        {"family": "custom", "conv_layers": 3, "kernel": 4},
        {"family": "custom", "conv_layers": 3, "batch_norm": True, "activation": "tanh"},
        {"family": "baseline1d", "conv_layers": 2, "kernel": 7},
        {"family": "mnist"},
    ],
    ids=lambda values: values["family"],
)
def test_a_net_channels_last_is_the_same_function(script: Script, values: dict[str, Any]) -> None:
    spec = make_spec({"base_channels": 3, "dropout": 0, **values})
    shape = (1, 28, 28) if values["family"] == "mnist" else (1, 151)
    torch.manual_seed(0)
    net = build(spec, shape, 4).double()
    clips = torch.randn(5, *shape, dtype=torch.float64)
    expected = net(clips)
    torch.testing.assert_close(script("executions").lifted(net).double()(clips), expected)


def test_the_best_of_the_goes_counts_and_the_first_does_not(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = script("measure").Meter(seconds=7)
    times = iter([0, 4, 4, 6, 6, 9])  # goes of 4, 2 and 3 s
    monkeypatch.setattr(type(meter), "now", lambda _: next(times))
    clips = iter([1000, 12, 12, 12])
    assert meter.clips_per_second(lambda: next(clips)) == 6
    assert not list(clips)


@pytest.mark.parametrize(("floor_seconds", "least"), [(1 / 1000, 300), (1 / 400, 200)])
def test_the_least_is_half_the_floor_or_one_and_a_half_of_the_best_simple_execution(
    script: Script, floor_seconds: float, least: float
) -> None:
    speed = script("executions").Speed
    speeds = {"fp32": speed(100, None, None), "bf16": speed(200, None, 2**30), "gone": None}
    speeds["ours"] = speed(250, None, None)
    rows = script("training_step").rows_of("net", speeds, Floor(floor_seconds, 0))
    assert [row["execution"] for row in rows] == ["fp32", "bf16", "ours"]
    ours = rows[-1]
    assert ours["least"] == pytest.approx(least)
    assert ours["holds"] == (least <= 250)
    assert ours["of_floor"] == pytest.approx(250 * floor_seconds)
    assert rows[1]["peak_gib"] == 1


def test_the_plan_of_the_reports_counts_every_cell_once(script: Script) -> None:
    tables, speed = script("report_tables"), script("executions").Speed
    cells = tables.read_sweep(sorted(tables.RECIPES.glob("*.yaml"))).cells
    nets = tables.nets_of(cells)
    # every net trains a cell's 20 epochs in half a minute, and answers in a tenth of one
    rate = speed(20 * 24_885 / 30, 20 * 3_378 / 6, None)
    speeds = {tables.key_of(net.cell): rate for net in nets}
    rows = {row["family"]: row for row in tables.by_family(nets, speeds)}
    assert rows["all"]["cells"] == sum(r["cells"] for r in rows.values()) / 2 == 359
    assert rows["all"]["gflop_forward"] == pytest.approx(819, rel=1e-3)
    assert rows["all"]["training_minutes"] == pytest.approx(359 / 2)
    assert rows["all"]["validation_minutes"] == pytest.approx(359 / 10)
    assert rows["image2d"]["training_minutes"] == pytest.approx(14 / 2)
    assert tables.by_family(nets, {})[0]["training_minutes"] is None


def test_two_ways_agree_where_their_means_differ_by_no_more_than_seeds_do(script: Script) -> None:
    def runs(way: str, accuracies: list[float], losses: list[float]) -> list[dict[str, Any]]:
        curve = [{"validation_loss": loss} for loss in losses]
        return [{"way": way, "accuracy": each, "curve": curve} for each in accuracies]

    plain = runs("plain fp32", [0.90, 0.92], [2.0, 1.0])  # variance 2e-4
    same = script("same_learning").summary(plain + runs("ours", [0.91, 0.93], [1.9, 1.2]))
    other = script("same_learning").summary(plain + runs("ours", [0.95, 0.95], [1.9, 1.2]))
    assert same["difference"] == pytest.approx(0.01)
    assert same["two_standard_errors"] == pytest.approx(2 * np.sqrt(2e-4))
    assert same["largest_gap_of_mean_curves"] == pytest.approx(0.2)
    assert (same["agree"], other["agree"]) == (True, False)


def test_the_peer_reads_from_files_what_ours_has_in_memory(script: Script, tmp_path: Path) -> None:
    script("recordings").make_recordings(tmp_path, 40)
    data = load_dataset(WordsConfig(folder=str(tmp_path)), for_training=False)
    files = script("peers").Files(data)
    assert len(files) == len(data.ids) == 40
    for i in (0, 17, 39):
        clip, label = files[i]
        np.testing.assert_array_equal(clip, data.clips[i])
        assert label == data.labels[i]


def test_a_table_leaves_out_empty_columns_and_its_json_keeps_them(
    script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"net": "a", "floor": None, "clips_per_second": 12_345.6}]
    script("measure").tell("steps", rows, tmp_path / "told.json")
    printed = capsys.readouterr().out
    assert "12,346" in printed
    assert "clips per second" in printed
    assert "floor" not in printed
    assert json.loads((tmp_path / "told.json").read_text())["rows"] == rows
