"""Runs by accuracy, parameters and how well they predict a study's responses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.errors import UserError
from convscope.run import RESULTS, Run
from convscope.scores.brain import brain_rows, over_seeds, undominated
from convscope.scores.brain_view import brain_view
from convscope.scores.rows import read_row

SUMMARY: dict[str, Any] = {
    "study": "story",
    "hash": "a1",
    "score": 0.5,
    "layer": "act3",
    "untrained": 0.4,
    "control": "spectral_all",
    "control_score": 0.6,
    "ceiling": None,
    "interval": [0.45, 0.55],
}


def held(
    folder: Path, params: int, accuracy: float, score: float, seed: int = 0, **more: Any
) -> Run:
    """A finished run with a brain score."""
    run = Run(folder)
    channels = params // 100
    run.write_config(
        {"model": {"family": "custom", "base_channels": channels}, "train": {"seed": seed}}
    )
    run.write_json("environment.json", {"classes": ["a", "b"], "data": {"fingerprint": "same"}})
    run.write_epochs([{"epoch": 1, "seconds": 2.5}])
    run.write_json("scores.json", {"params": params, "accuracy": accuracy, "interval": [0.0, 1.0]})
    for name in RESULTS:
        if not run.path(name).exists():
            run.write(name, b"")
    run.finish()
    values = {**SUMMARY, "score": score, **more}
    run.write_json(f"brain/{values['study']}/summary.json", values)
    return run


def rows_of(*runs: Run, study: str | None = None) -> Any:
    return brain_rows([read_row(run) for run in runs], study)


def test_a_small_net_far_from_the_brain_and_a_large_one_close_to_it_are_both_on_the_front(
    tmp_path: Path,
) -> None:
    rows = rows_of(
        held(tmp_path / "small", 1000, 0.8, 0.3),
        held(tmp_path / "large", 9000, 0.9, 0.6),
        held(tmp_path / "worse", 9100, 0.9, 0.5),
    )
    assert [(each.row.run, each.pareto) for each in rows] == [
        ("large", True),
        ("worse", False),
        ("small", True),
    ]


def test_points_that_agree_do_not_dominate_each_other_and_nan_is_never_on_the_front() -> None:
    points = np.array([[1, 1, 1], [1, 1, 1], [0, 1, 1], [2, np.nan, 2], [0, 0, 3.0]])
    assert undominated(points).tolist() == [True, True, False, False, True]
    assert undominated(np.zeros((0, 3))).tolist() == []


def test_seeds_become_a_mean_with_students_interval_over_them(tmp_path: Path) -> None:
    runs = [
        held(tmp_path / f"seed{seed}", 1000, 0.8 + seed / 100, score, seed)
        for seed, score in enumerate((0.4, 0.5, 0.6))
    ]
    (mean,) = over_seeds(rows_of(*runs))
    assert (mean.n_seeds, mean.row.seed) == (3, None)
    assert mean.row.accuracy == pytest.approx(0.81)
    assert mean.brain.score == pytest.approx(0.5)
    half = 4.302653 * 0.1 / 3**0.5
    assert mean.interval == pytest.approx((0.5 - half, 0.5 + half))


def test_the_table_says_where_no_ceiling_exists_and_the_record_has_the_gain(tmp_path: Path) -> None:
    rows = rows_of(
        held(tmp_path / "a", 1000, 0.8, 0.5), held(tmp_path / "b", 2000, 0.9, 0.7, ceiling=0.9)
    )
    view = brain_view(rows)
    assert [row[-1] for row in view.tables[0].rows] == ["0.900", "none"]
    assert view.records[1]["trained_minus_untrained"] == pytest.approx(0.1)
    assert json.dumps(view.records, allow_nan=False)


def test_scores_of_several_studies_or_of_two_versions_of_one_are_not_mixed(tmp_path: Path) -> None:
    story = held(tmp_path / "a", 1000, 0.8, 0.5)
    film = held(tmp_path / "b", 1000, 0.8, 0.5, study="film")
    with pytest.raises(UserError, match=r"the runs have scores of film, story: say which"):
        rows_of(story, film)
    assert [each.row.run for each in rows_of(story, film, study="film")] == ["b"]
    with pytest.raises(UserError, match=r"no run has scores of play, only of film, story"):
        rows_of(story, film, study="play")
    newer = held(tmp_path / "c", 1000, 0.8, 0.5, hash="b2")
    with pytest.raises(UserError, match=r"a and c were held against different versions"):
        rows_of(story, newer)


def test_runs_without_scores_are_told_how_to_get_them_and_damage_is_named(tmp_path: Path) -> None:
    run = held(tmp_path / "a", 1000, 0.8, 0.5)
    path = run.folder / "brain" / "story" / "summary.json"
    path.write_text('{"study": "story"}')
    with pytest.raises(UserError, match=r"summary.json is damaged"):
        rows_of(run)
    path.unlink()
    with pytest.raises(UserError, match=r"convscope brain encode STUDY RUN does that"):
        rows_of(run)
