"""The command board: options, formats, and what it refuses."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.run import Run

Convscope = Callable[..., Any]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three networks that are done, of the second two seeds."""
    for name, dropout, seed, params, accuracy in (
        ("a", 0.25, 0, 300, 0.9),
        ("b", 0.5, 0, 100, 0.8),
        ("c", 0.5, 1, 100, 0.82),
        ("d", 0.75, 0, 200, 0.7),
    ):
        _write(tmp_path / "runs" / name, dropout, seed, params, accuracy)
    return tmp_path / "runs"


def _write(folder: Path, dropout: float, seed: int, params: int, accuracy: float) -> None:
    folder.mkdir(parents=True)
    model = {"family": "custom", "conv_layers": 8, "kernel": 5, "base_channels": 64}
    model |= {"fc_hidden": 0, "activation": "relu", "initializer": "glorot_uniform"}
    model |= {"dropout": dropout, "batch_norm": False}
    config = {"data": {"kind": "words"}, "model": model, "train": {"seed": seed}}
    files: dict[str, Any] = {
        "config.yaml": config,  # JSON is YAML
        "environment.json": {"classes": ["x", "y"], "data": {"fingerprint": "same"}},
        "scores.json": {"accuracy": accuracy, "interval": [accuracy, 1], "params": params},
        "status.json": {"state": "done", "chance": False},
        "manifest.json": {},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))


def names(answer: Any) -> list[str]:
    assert answer.code == 0, answer.err
    return [row["run"] for row in answer.json]


def test_the_board_lists_a_trained_run(convscope: Convscope, trained: Path) -> None:
    [row] = convscope("board", trained.parent, "--json").json
    assert row["run"] == trained.name
    assert row["accuracy"] == Run(trained).scores["accuracy"]
    assert row["params"] == Run(trained).scores["params"]
    assert row["flops"] > row["params"]
    assert "custom" in convscope("board", trained).out


def test_sort_where_and_front_choose_rows(convscope: Convscope, runs: Path) -> None:
    assert names(convscope("board", runs, "--json")) == ["a", "c", "b", "d"]
    assert names(convscope("board", runs, "--json", "--sort", "name")) == ["a", "b", "c", "d"]
    assert names(convscope("board", runs, "--json", "--front")) == ["a", "c"]
    chosen = convscope("board", runs, "--json", "--where", "train.seed=0", "--where", "params<300")
    assert names(chosen) == ["b", "d"]


def test_by_seed_gives_one_row_a_network(convscope: Convscope, runs: Path) -> None:
    rows = convscope("board", runs, "--by-seed", "--json").json
    assert [(row["n_seeds"], row["accuracy"]) for row in rows] == [
        (1, 0.9),
        (2, pytest.approx(0.81)),
        (1, 0.7),
    ]


def test_the_board_of_accuracy_has_no_params(convscope: Convscope, runs: Path) -> None:
    assert "params" not in convscope("board", runs, "--board", "accuracy").out
    assert "params" in convscope("board", runs, "--board", "size").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--pivot", "RUNS"],
        ["RUNS", "--pivot"],
        ["RUNS", "--pivot", "--format", "table"],
        ["RUNS", "--pivot", "conv_layers,regulariser"],
    ],
)
def test_pivot_stands_alone_or_takes_its_keys(
    convscope: Convscope, runs: Path, arguments: list[str]
) -> None:
    answer = convscope("board", *(runs if each == "RUNS" else each for each in arguments))
    assert answer.code == 0, answer.err
    assert "DO 0.25" in answer.out
    assert "0.8100 ± 0.0141 (2)" in answer.out


def test_pivot_takes_other_keys(convscope: Convscope, runs: Path) -> None:
    answer = convscope("board", runs, "--pivot", "seed,dropout")
    assert "dropout 0.25" in answer.out


def test_against_a_table(convscope: Convscope, runs: Path) -> None:
    reference = Path(__file__).parents[1] / "reference" / "accuracy_tables.csv"
    answer = convscope("board", runs, "--against", reference, "--json").json
    assert answer["summary"]["n_lines"] == 357
    assert {row["run"] for row in answer["rows"]} == {"b", "d"}


def test_csv_is_read_back(convscope: Convscope, runs: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(convscope("board", runs, "--format", "csv").out)))
    assert [row["run"] for row in rows] == ["a", "c", "b", "d"]
    assert (rows[0]["accuracy"], rows[0]["interval_low"], rows[0]["pareto"]) == (
        "0.9",
        "0.9",
        "True",
    )


@pytest.mark.parametrize(("form", "part"), [("md", "| run |"), ("latex", r"\toprule")])
def test_other_formats(convscope: Convscope, runs: Path, form: str, part: str) -> None:
    assert part in convscope("board", runs, "--format", form).out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--where", "dropot=1"], "did you mean 'dropout'"),
        (["--where", "dropout"], "expected KEY=VALUE"),
        (["--pivot", "dropout,"], "--pivot dropout,: expected two keys, ROWS,COLUMNS"),
        (["--pivot", "a,b"], "a is no key to pivot by"),
        (["--by-seed", "--pivot"], "--by-seed and --pivot are different tables: give one"),
        (["--sort", "name", "--pivot"], "--sort has no effect beside --pivot: leave it out"),
        (["--front", "--against", "x"], "--front has no effect beside --against"),
        (["--experiment", "x"], "--experiment has no effect without --mlflow URI"),
        (["--mlflow", "x", "--pivot"], "--pivot has no effect beside --mlflow"),
        (["--sort", "size"], "'size' is not one of 'accuracy', 'params'"),
        (["--format", "html"], "'html' is not one of 'table', 'csv'"),
        (["--format", "csv", "--json"], "--json is --format json: leave out --format csv"),
    ],
)
def test_what_says_nothing_is_refused(
    convscope: Convscope, runs: Path, options: list[str], message: str
) -> None:
    answer = convscope("board", runs, *options)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_what_is_missing_or_idle_is_told_in_one_line(
    convscope: Callable[..., Any], trained: Path
) -> None:
    for arguments, words in (
        ((), "missing argument 'runs'"),
        ((trained, "--board", "accuracy", "--front"), "--front has no effect beside --board acc"),
    ):
        answer = convscope("board", *arguments)
        assert answer.code == 2
        assert words in answer.err
        assert len(answer.err.splitlines()) == 1


def test_brain_alone_takes_the_only_study_and_says_how_to_get_one(
    convscope: Convscope, runs: Path
) -> None:
    answer = convscope("board", runs, "--brain")
    assert answer.code == 2
    assert "convscope brain encode STUDY RUN" in answer.err
    both = convscope("board", runs, "--brain", "--pivot")
    assert "--pivot and --brain are different tables" in both.err
