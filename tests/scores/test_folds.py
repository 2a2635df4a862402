"""Rows by fold: means, spreads, and answers pooled over all clips."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import yaml

from convscope.errors import UserError
from convscope.scores.board import board_rows
from convscope.scores.board_text import as_csv, as_json
from convscope.scores.folds import by_fold
from convscope.scores.folds_view import folds_view
from convscope.scores.intervals import wilson
from convscope.scores.seeds import by_seed

MakeRun = Callable[..., Any]
MATRICES = ([[8, 2], [1, 9]], [[10, 0], [4, 6]], [[9, 1], [3, 7]])  # 17, 16, 16 of 20


@pytest.fixture
def make_fold(make_run: MakeRun) -> MakeRun:
    """`make_fold(2, matrix, n=3)`: a run of two classes that is done with fold 2 of 3."""

    def make(fold: int, matrix: Sequence[Sequence[int]], n: int | None = 3, **more: Any) -> Any:
        right, total = int(np.trace(matrix)), int(np.sum(matrix))
        run = make_run(right / total, fingerprint=f"fold{fold}", **more)
        run.path("environment.json").write_text(
            json.dumps({"classes": ["a", "b"], "data": {"fingerprint": "same"}})
        )
        config = yaml.safe_load(run.path("config.yaml").read_text())
        folds = {"n": n, "by": None if n else "session", "stratify": True}
        config["data"] |= {"folds": folds, "fold": fold}
        run.path("config.yaml").write_text(yaml.safe_dump(config))
        kept = json.loads(run.path("scores.json").read_text())
        kept |= {"confusion": matrix, "classes": [{"name": "a"}, {"name": "b"}]}
        run.path("scores.json").write_text(json.dumps(kept))
        return run

    return make


def test_folds_of_one_network_are_one_row_with_spread_and_pooled_scores(make_fold: MakeRun) -> None:
    runs = [make_fold(fold, matrix) for fold, matrix in enumerate(MATRICES, 1)]
    [row] = by_fold(board_rows(runs))
    assert (row.n_folds, row.n_wanted) == (3, 3)
    assert row.mean.accuracy == pytest.approx((0.85 + 0.8 + 0.8) / 3)
    assert row.sd == pytest.approx(np.std([0.85, 0.8, 0.8], ddof=1))
    assert (row.least, row.most) == (0.8, 0.85)
    assert row.pooled is not None
    assert row.pooled.confusion == ((27, 3), (8, 22))
    assert row.pooled.accuracy == pytest.approx(49 / 60)
    assert row.mean.interval == wilson(49, 60)


def test_folds_of_other_sizes_weigh_in_the_pooled_accuracy_by_their_clips(
    make_fold: MakeRun,
) -> None:
    [row] = by_fold(board_rows([make_fold(1, [[90, 0], [10, 0]]), make_fold(2, [[0, 5], [5, 0]])]))
    assert row.mean.accuracy == pytest.approx(0.45)
    assert row.pooled is not None
    assert row.pooled.accuracy == pytest.approx(90 / 110)


def test_another_seed_is_another_row_and_other_folds_too(make_fold: MakeRun) -> None:
    runs = [make_fold(1, MATRICES[0]), make_fold(2, MATRICES[1])]
    runs += [make_fold(fold, MATRICES[0], train__seed=1) for fold in (1, 2)]
    runs += [make_fold(1, MATRICES[0], n=None, train__seed=2)]
    rows = by_fold(board_rows(runs))
    assert sorted((row.n_folds, row.n_wanted or 0) for row in rows) == [(1, 0), (2, 3), (2, 3)]
    assert len(by_seed(board_rows(runs))) == 3, "seeds of one fold are still one row"


def test_runs_without_folds_are_left_out_and_alone_refused(
    make_fold: MakeRun, make_run: MakeRun
) -> None:
    whole = make_run(0.9)
    assert len(by_fold(board_rows([whole, make_fold(1, MATRICES[0])]))) == 1
    with pytest.raises(UserError, match=r"no run has a fold: expected runs with data\.folds"):
        by_fold(board_rows([whole]))


def test_the_view_has_the_network_once_and_its_matrix(make_fold: MakeRun) -> None:
    runs = [make_fold(fold, matrix) for fold, matrix in enumerate(MATRICES[:2], 1)]
    view = folds_view(by_fold(board_rows(runs)))
    [row] = view.tables[0].rows
    assert row[1] == "2 of 3"
    assert row[3].startswith("0.8250 ± 0.0354*")
    assert row[5] == "0.8250"
    assert view.tables[1].rows == (("a", "18", "2"), ("b", "5", "15"))
    [record] = json.loads(as_json(view))
    assert record["confusion"] == [[18, 2], [5, 15]]
    assert (record["n_folds"], record["n_clips"]) == (2, 40)
    assert record["interval"] == pytest.approx(list(wilson(33, 40)))
    assert as_csv(view).splitlines()[0].count(",") == as_csv(view).splitlines()[1].count(",")


def test_the_front_and_its_order_are_of_the_means(make_fold: MakeRun) -> None:
    runs = [make_fold(fold, MATRICES[1], params=10) for fold in (1, 2)]
    better = [[10, 0], [0, 10]]
    runs += [make_fold(fold, better, params=99, model__dropout=0.1) for fold in (1, 2)]
    runs += [make_fold(fold, MATRICES[1], params=50, model__dropout=0.2) for fold in (1, 2)]
    rows = by_fold(board_rows(runs))
    assert [each["params"] for each in folds_view(rows).records] == [99, 10, 50]
    assert [each["params"] for each in folds_view(rows, front=True).records] == [99, 10]
    assert [each["params"] for each in folds_view(rows, order="params").records] == [10, 50, 99]


def test_what_is_not_done_shows_its_state(make_fold: MakeRun) -> None:
    run = make_fold(1, MATRICES[0])
    run.path("manifest.json").unlink()
    view = folds_view(by_fold(board_rows([run])))
    assert view.tables[0].rows[0][1:4] == ("0 of 3", "", "interrupted")
    assert view.records[0]["confusion"] is None
    assert len(view.tables) == 1
