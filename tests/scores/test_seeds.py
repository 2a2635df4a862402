"""Rows by seed: means, spreads, and what counts as the same thing."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from convscope.data.config import DATA_KINDS
from convscope.scores.board import board_rows, ranked, with_front
from convscope.scores.board_table import seeds_view
from convscope.scores.network import NOT_COMPARED
from convscope.scores.seeds import by_seed, mean_interval
from convscope.training.config import TrainConfig

MakeRun = Callable[..., Any]


def test_seeds_of_one_network_are_one_row_with_mean_and_spread(make_run: MakeRun) -> None:
    runs = [make_run(accuracy, train__seed=i) for i, accuracy in enumerate([0.9, 0.92, 0.94])]
    runs[1].path("epochs.csv").write_text("epoch,seconds\n1,9\n")
    [row] = by_seed(board_rows(runs))
    assert row.accuracy == pytest.approx(0.92)
    assert row.seconds == pytest.approx((3 + 9 + 3) / 3)
    assert row.spread is not None
    assert row.spread.sd == pytest.approx(0.02)  # deviations 0.02, 0, 0.02; n - 1 = 2
    assert (row.spread.n_seeds, row.spread.least, row.spread.most) == (3, 0.9, 0.94)
    # Student's t with 2 degrees has the closed quantile (2 p - 1) √(2 / (4 p (1 - p)))
    half = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025)) * 0.02 / math.sqrt(3)
    assert row.interval == pytest.approx((0.92 - half, 0.92 + half))
    assert row.to_dict()["interval_kind"] == "t"


def test_one_seed_has_no_spread_and_keeps_its_own_interval(make_run: MakeRun) -> None:
    [alone] = board_rows([make_run(0.9)])
    [row] = by_seed([alone])
    assert row.spread is not None
    assert (row.spread.n_seeds, row.spread.sd, row.interval) == (1, None, alone.interval)
    assert row.to_dict()["interval_kind"] == "wilson"


def test_many_values_approach_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.01, 4000).tolist()
    interval = mean_interval(values)
    assert interval is not None
    z = NormalDist().inv_cdf(0.975)
    assert interval.high - interval.low == pytest.approx(2 * z * 0.01 / math.sqrt(4000), rel=0.05)


def test_an_interval_stays_among_the_accuracies_there_can_be() -> None:
    assert mean_interval([0.2, 0.99]) == (0.0, 1.0)


def test_other_settings_and_other_data_are_not_averaged(make_run: MakeRun) -> None:
    runs = [
        make_run(0.9),
        make_run(0.8, train__seed=1),
        make_run(0.7, train__epochs=5),
        make_run(0.6, train__seed=2, fingerprint="other"),
    ]
    means = [row.accuracy for row in by_seed(board_rows(runs))]
    assert means == pytest.approx([0.85, 0.7, 0.6])


def test_where_and_how_a_run_was_trained_makes_no_other_network(make_run: MakeRun) -> None:
    runs = [
        make_run(0.9, train__seed=0, train__device="cpu", data__folder="here"),
        make_run(0.9, train__seed=1, train__threads=4, data__folder={"gpu7": "x", "default": "y"}),
    ]
    assert len(by_seed(board_rows(runs))) == 1


def test_what_is_not_compared_is_what_is_not_in_a_cells_name() -> None:
    data = {key for kind in DATA_KINDS.values() for key in kind.not_in_name}
    unnamed = {f"data.{key}" for key in data} | {f"train.{key}" for key in TrainConfig.not_in_name}
    assert unnamed | {"train.seed"} == NOT_COMPARED


def test_unfinished_seeds_count_for_nothing(make_run: MakeRun) -> None:
    runs = [make_run(0.9), make_run(None, train__seed=1)]
    [row] = by_seed(board_rows(runs))
    assert row.spread is not None
    assert (row.accuracy, row.spread.n_seeds, row.state) == (0.9, 1, "done")
    [row] = by_seed(board_rows(runs[1:]))
    assert row.spread is not None
    assert (row.accuracy, row.spread.n_seeds, row.state) == (None, 0, "running")


def test_a_copy_of_a_run_is_no_second_seed(make_run: MakeRun) -> None:
    [row] = board_rows([make_run(0.9)])
    [mean] = by_seed([row, row])
    assert mean.spread is not None
    assert mean.spread.n_seeds == 1


def test_seeds_at_chance_are_counted_and_the_front_is_of_means(make_run: MakeRun) -> None:
    runs = [
        make_run(0.9, 100),
        make_run(0.1, 100, train__seed=1, status={"chance": True}),
        make_run(0.8, 50, model__dropout=0.25),
    ]
    rows = ranked(with_front(by_seed(board_rows(runs))))
    assert [(row.accuracy, row.pareto) for row in rows] == [(0.8, True), (0.5, False)]
    table = seeds_view(rows).tables[0]
    assert table.rows[1][:4] == ("custom 8×5 ch64 do0.5", "2", "100", "0.5000 ± 0.5657 chance 1/2")
    assert table.rows[1][4] == "0.100–0.900"


def test_the_table_says_in_what_equal_networks_differ(make_run: MakeRun) -> None:
    rows = by_seed(board_rows([make_run(0.9), make_run(0.8, train__epochs=5)]))
    networks = [row[0] for row in seeds_view(rows).tables[0].rows]
    assert networks == ["custom 8×5 ch64 do0.5 epochs=60", "custom 8×5 ch64 do0.5 epochs=5"]
