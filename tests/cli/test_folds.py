"""Cross-validation from the command line, on recordings whose names say word and speaker."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Convscope = Callable[..., Any]

RECIPE = """
data:
  kind: sounds
  pattern: "{label}_s{speaker}"
  rate_hz: 2000
  seconds: 0.25
  folds: {n: 3, by: speaker}
model: {family: custom, conv_layers: 2, base_channels: 4}
train: {epochs: 1, batch_size: 16, threads: 1, device: cpu}
"""


@pytest.fixture
def recipe(recordings: Path, tmp_path: Path) -> tuple[Path, str]:
    """A recipe, and the folder of its data as an assignment."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for word in recordings.iterdir():
        for i, file in enumerate(sorted(word.iterdir())[:30]):
            shutil.copy(file, folder / f"{word.name}_s{i}.wav")
    path = tmp_path / "folds.yaml"
    path.write_text(RECIPE)
    return path, f"data.folder={folder}"


def test_every_fold_is_trained_and_the_board_pools_them(
    convscope: Convscope, recipe: tuple[Path, str], tmp_path: Path
) -> None:
    path, folder = recipe
    runs = tmp_path / "runs"
    planned = convscope("sweep", path, folder, "data.fold=all", "--dry-run", "--json")
    assert len(planned.out.splitlines()) == 3
    for fold in (1, 2, 3):
        assert convscope("train", path, folder, f"data.fold={fold}", "--out", runs).code == 0
    assert all(run.name in planned.out for run in runs.iterdir())
    [row] = convscope("board", runs, "--by-fold", "--json").json
    assert (row["n_folds"], row["n_folds_wanted"], row["n_clips"]) == (3, 3, 60)
    assert [sum(counts) for counts in row["confusion"]] == [30, 30]
    shown = convscope("board", runs, "--by-fold").out
    assert "clips of all folds by actual (down) and predicted class" in shown
    assert "pooled" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--by-seed",), "--by-seed and --by-fold are different tables"),
        (("--board", "size"), "--board has no effect beside --by-fold"),
        (("--mlflow", "x"), "--by-fold has no effect beside --mlflow"),
    ],
)
def test_what_does_not_go_with_it_is_refused(
    convscope: Convscope, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    answer = convscope("board", tmp_path, "--by-fold", *options)
    assert (answer.code, message in answer.err) == (2, True), answer.err


def test_one_training_takes_one_fold(convscope: Convscope, recipe: tuple[Path, str]) -> None:
    path, folder = recipe
    answer = convscope("train", path, folder)
    assert (answer.code, answer.out) == (2, "")
    assert "data.fold: expected a fold from 1 to 3, got nothing" in answer.err
    answer = convscope("train", path, folder, "data.fold=all")
    assert answer.code == 2
    assert "use convscope sweep" in answer.err
