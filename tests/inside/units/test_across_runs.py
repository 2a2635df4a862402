"""Runs whose nets have known dead units."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Examples, Subject
from convscope.inside.units.across_runs import dead_over_runs, put_dead_over_runs
from convscope.run import Run


def run(folder: Path, name: str, activation: str, initializer: str) -> Run:
    made = Run(folder / name)
    spec = {"family": "custom", "conv_layers": 2, "base_channels": 4, "activation": activation}
    made.write_config({"model": {**spec, "initializer": initializer}})
    return made


def subject_of(run: Run) -> Subject:
    """The ReLU net's second layer has 3 dead units of 4, the tanh net's first 2 pinned ones."""
    torch.manual_seed(0)
    is_relu = run.config["model"]["activation"] == "relu"
    act = nn.ReLU if is_relu else nn.Tanh
    first, second = nn.Conv1d(1, 4, 3), nn.Conv1d(4, 4, 3)
    if is_relu:
        second.bias = nn.Parameter(torch.tensor([-100.0, -100.0, -100.0, 0.0]))
    else:
        first.bias = nn.Parameter(torch.tensor([-5.0, -5.0, 0.0, 0.0]))
    return Subject(
        name=run.name,
        net=nn.Sequential(first, act(), second, act(), nn.Flatten(), nn.Linear(24, 2)),
        scale=lambda values: values.float() / 32768,
        front=nn.Identity(),
        domain="waveform",
        shape=(1, 10),
        clip_shape=(1, 10),
        classes=("yes", "no"),
        examples=Examples(
            np.random.default_rng(0).normal(0, 8000, (9, 1, 10)).astype(np.int16),
            np.arange(9) % 2,
            np.array([f"{i}.wav" for i in range(9)]),
        ),
        rate_hz=10,
    )


def test_each_layer_of_each_run_has_its_shares_beside_its_spec(tmp_path: Path) -> None:
    runs = [run(tmp_path, "a", "relu", "he_normal"), run(tmp_path, "b", "tanh", "glorot_uniform")]
    told: list[tuple[int, int]] = []
    rows = dead_over_runs(runs, subject_of, progress=lambda *each: told.append(each))
    assert [(row.run, row.layer, row.depth) for row in rows] == [
        ("a", "conv1", 1),
        ("a", "conv2", 2),
        ("b", "conv1", 1),
        ("b", "conv2", 2),
    ]
    assert [(row.dead, row.pinned) for row in rows][1:3] == [(0.75, 0), (0, 0.5)]
    assert (rows[0].activation, rows[0].initializer) == ("relu", "he_normal")
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_the_table_and_the_picture_are_put_on_the_shelf(tmp_path: Path) -> None:
    rows = dead_over_runs([run(tmp_path, "a", "relu", "he_normal")], subject_of)
    writer = ResultWriter(tmp_path / "out")
    put_dead_over_runs(rows, writer)
    assert {path.name for path in writer.made} == {
        *("dead_runs.csv", "dead_runs.json"),
        *("dead_runs.png", "dead_runs.svg"),
    }
