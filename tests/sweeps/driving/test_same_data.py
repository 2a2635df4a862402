"""A sweep whose data have changed since some of it was trained."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.data.load import load_dataset
from convscope.errors import UserError
from convscope.run import MODEL, Run
from convscope.scores.rows import find_runs
from convscope.sweeps.driving.cells import Standing
from convscope.sweeps.driving.driver import View
from convscope.sweeps.driving.same_data import move_other_data, refuse_other_data
from convscope.sweeps.planning.grid import make_sweep
from convscope.sweeps.planning.plan import plan
from convscope.sweeps.run_sweep import Where, run_sweep
from convscope.training.fit import fit

Recipe = dict[str, Any]
Train = Callable[..., tuple[Standing, list[str]]]


@pytest.fixture
def folder(recordings: Path, tmp_path: Path) -> Path:
    """A copy of the recordings, to take files from."""
    return Path(shutil.copytree(recordings, tmp_path / "recordings"))


@pytest.fixture
def recipe(small_recipe: Recipe, folder: Path) -> Recipe:
    return {
        **small_recipe,
        "data": {**small_recipe["data"], "folder": str(folder)},
        "train": {**small_recipe["train"], "epochs": 1},
    }


def with_seeds(recipe: Recipe, *seeds: int) -> Recipe:
    return {**recipe, "grid": {"product": {"train.seed": list(seeds)}}}


def train_here(recipe: Recipe, out: Path) -> list[Run]:
    """The cells of a recipe, trained one by one without workers."""
    cells = make_sweep([recipe]).cells
    return [fit(cell.model, load_dataset(cell.data), cell.train, out) for cell in cells]


def take_a_training_file(recipe: Recipe) -> None:
    (cell,) = make_sweep([recipe]).cells
    data = load_dataset(cell.data)
    (Path(str(data.config.folder)) / str(data.ids[data.indices("train")[0]])).unlink()


def test_cells_that_are_left_are_not_trained_on_other_data(recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    one, two = train_here(with_seeds(recipe, 0, 1), out)
    n = one.environment["data"]["by_class"]["high"]["train"]
    take_a_training_file(recipe)
    more = make_sweep([with_seeds(recipe, 0, 1, 2)], "test")
    message = (
        rf"^2 runs of this sweep, such as .*{one.name}, were trained on other data than are now in "
        rf".*recordings: {n - 1} high train clips in place of {n}: put .* or --new-data to train"
    )
    with pytest.raises(UserError, match=message):
        run_sweep(more, out, Where(workers=1), View())
    assert [two.is_done, len(find_runs([out]))] == [True, 2]


def test_what_is_all_done_needs_no_data(recipe: Recipe, folder: Path, tmp_path: Path) -> None:
    train_here(recipe, tmp_path / "runs")
    shutil.rmtree(folder)
    standing = run_sweep(make_sweep([recipe]), tmp_path / "runs", Where(workers=1), View())
    assert standing.count("done") == 1


def test_data_that_are_not_here_are_told_of_and_left_to_the_workers(
    recipe: Recipe, folder: Path, tmp_path: Path
) -> None:
    train_here(recipe, tmp_path)
    shutil.rmtree(folder)
    planned = plan(make_sweep([with_seeds(recipe, 0, 1)]).cells, tmp_path, 3)
    lines: list[str] = []
    refuse_other_data(planned, tmp_path, lines.append)
    assert lines[0].startswith("whether 1 runs were trained on the same data is not known: data.f")
    with pytest.raises(UserError, match="does not exist"):
        move_other_data(planned, tmp_path, lines.append)


def test_with_new_data_all_is_trained_anew_and_what_was_is_kept(
    recipe: Recipe, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    (old,) = train_here(recipe, out)
    weights = old.path(MODEL).read_bytes()
    fingerprint = old.environment["data"]["fingerprint"]
    take_a_training_file(recipe)
    sweep = make_sweep([with_seeds(recipe, 0, 1)], "test")
    standing = run_sweep(sweep, out, Where(workers=1), View(), new_data=True)
    assert standing.count("done") == 2
    now = {run.environment["data"]["fingerprint"] for run in find_runs([out])}
    assert len(now) == 1
    assert fingerprint not in now
    kept = Run(out / "replaced" / f"{old.name}-{fingerprint[:8]}")
    assert kept.path(MODEL).read_bytes() == weights
    again = run_sweep(sweep, out, Where(workers=1), View(), new_data=True)
    assert again.count("done") == 2
    assert len(list((out / "replaced").iterdir())) == 1


def test_a_place_that_is_taken_is_not_written_over(recipe: Recipe, tmp_path: Path) -> None:
    (old,) = train_here(recipe, tmp_path)
    place = tmp_path / "replaced" / f"{old.name}-{old.environment['data']['fingerprint'][:8]}"
    place.mkdir(parents=True)
    take_a_training_file(recipe)
    planned = plan(make_sweep([recipe]).cells, tmp_path, 3)
    move_other_data(planned, tmp_path, lambda _: None)
    assert Run(place.with_name(f"{place.name}-2")).is_done
    assert not old.folder.exists()
