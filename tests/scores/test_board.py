"""The board: run folders as training leaves them, in all states."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import UserError
from convscope.run import RESULTS, Run
from convscope.scores.board import Order, board_rows, pareto_front, ranked, with_front
from convscope.scores.board_table import board_table, board_view
from convscope.scores.flops import with_flops
from convscope.scores.rows import find_runs
from convscope.terminal import PlainConsole


def make_run(folder: Path, state: str = "done", chance: bool = False, **scores: Any) -> Run:
    """A run folder with what the board reads; `scores` only where it is done."""
    run = Run(folder)
    model = {"family": "custom", "conv_layers": 8, "kernel": 5, "base_channels": 32}
    model |= {"dropout": 0.75, "batch_norm": True}
    run.write_config({"data": {"kind": "words"}, "model": model})
    run.write_json("environment.json", {"classes": ["a", "b"], "data": {"fingerprint": "same"}})
    run.write_epochs([{"epoch": 1, "seconds": 2.5}, {"epoch": 2, "seconds": 3.5}])
    run.write_status(state=state, chance=chance)
    if state == "done":
        run.write_json("scores.json", scores)
        for name in RESULTS:
            if not run.path(name).exists():
                run.write(name, b"")
        run.finish()
    return run


def done(folder: Path, params: int, accuracy: float, chance: bool = False) -> Run:
    interval = [accuracy - 0.01, accuracy + 0.01]
    return make_run(folder, chance=chance, params=params, accuracy=accuracy, interval=interval)


def printed(runs: list[Run], width: int = 140) -> str:
    text = io.StringIO()
    PlainConsole(file=text, width=width).print(board_table(board_rows(runs)))
    return text.getvalue()


def test_a_row_holds_what_the_run_folder_says(tmp_path: Path) -> None:
    (row,) = board_rows([done(tmp_path / "custom-1", params=1000, accuracy=0.9)])
    assert (row.run, row.family, row.conv_layers, row.kernel) == ("custom-1", "custom", 8, 5)
    assert (row.base_channels, row.dropout, row.batch_norm) == (32, 0.75, True)
    assert (row.params, row.accuracy, row.interval) == (1000, 0.9, (0.89, 0.91))
    assert (row.epochs, row.seconds, row.state, row.chance) == (2, 6.0, "done", False)


def test_rows_go_by_accuracy_then_size_and_unfinished_ones_come_last(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / "running", state="running"),
        done(tmp_path / "small", params=10, accuracy=0.8),
        done(tmp_path / "best", params=99, accuracy=0.9),
        done(tmp_path / "large", params=50, accuracy=0.8),
    ]
    rows = board_rows(runs)
    assert [row.run for row in rows] == ["best", "small", "large", "running"]
    assert [row.pareto for row in rows] == [True, True, False, False]


def test_runs_on_other_data_do_not_compete_and_are_told_apart(tmp_path: Path) -> None:
    best = done(tmp_path / "best", params=10, accuracy=0.9)
    other = done(tmp_path / "other", params=10, accuracy=0.8)
    environment = {"classes": ["a", "b", "c"], "data": {"fingerprint": "other"}}
    other.write_json("environment.json", environment)
    rows = board_rows([best, other])
    assert [(row.data, row.pareto) for row in rows] == [("words 2", True), ("words 3", True)]
    assert "words 3" in printed([best, other])
    assert "words 2" not in printed([best])


def test_a_run_at_chance_is_never_on_the_front(tmp_path: Path) -> None:
    (row,) = board_rows([done(tmp_path / "a", params=10, accuracy=0.1, chance=True)])
    assert row.pareto is False


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_a_run_that_is_not_done_shows_its_state_and_no_accuracy(tmp_path: Path, state: str) -> None:
    run = make_run(tmp_path / "a", state=state)
    run.write_json("scores.json", {"accuracy": 0.9, "params": 10, "interval": [0.8, 1]})
    (row,) = board_rows([run])
    assert (row.state, row.accuracy, row.params, row.pareto) == (state, None, None, False)
    assert state in printed([run])


def test_a_run_stopped_just_before_its_manifest_is_not_done(tmp_path: Path) -> None:
    run = done(tmp_path / "a", params=10, accuracy=0.9)
    run.path("manifest.json").unlink()
    assert [(row.state, row.accuracy) for row in board_rows([run])] == [("interrupted", None)]


def test_a_folder_with_a_config_alone_has_a_row(tmp_path: Path) -> None:
    run = Run(tmp_path / "a")
    run.write_config({"model": {"family": "nets.py:make_net"}})
    (row,) = board_rows([run])
    assert (row.family, row.kernel, row.epochs, row.state) == (
        "nets.py:make_net",
        None,
        0,
        "interrupted",
    )
    assert "nets.py:make_net" in printed([run])


def test_a_row_is_plain_json(tmp_path: Path) -> None:
    make_run(tmp_path / "running", state="running")
    done(tmp_path / "done", params=10, accuracy=0.5)
    rows = [row.to_dict() for row in board_rows(find_runs([tmp_path]))]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert [row["interval"] for row in rows] == [[0.49, 0.51], None]


def test_runs_are_found_by_themselves_and_in_a_folder_of_runs_each_once(tmp_path: Path) -> None:
    for name in ("b", "a"):
        done(tmp_path / "runs" / name, params=10, accuracy=0.5)
    (tmp_path / "runs" / "notes").mkdir()
    found = find_runs([tmp_path / "runs" / "b", tmp_path / "runs"])
    assert [run.name for run in found] == ["b", "a"]


def test_a_folder_without_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{tmp_path} holds no run: expected a run, or a folder of"):
        find_runs([tmp_path])
    with pytest.raises(UserError, match="gone is no folder: expected a run, or a folder of runs"):
        find_runs([tmp_path / "gone"])


def test_the_table_shows_network_scores_and_the_mark_chance(tmp_path: Path) -> None:
    best = done(tmp_path / "best", params=1_234_567, accuracy=0.9)
    chance = done(tmp_path / "lost", params=2_000_000, accuracy=0.0625, chance=True)
    first, second = (line for line in printed([best, chance]).splitlines() if "custom" in line)
    for part in ("best", "custom 8×5 ch32 do0.75 BN", "1,234,567", "0.9000*", "0.890–0.910"):
        assert part in first
    assert "chance" not in first
    assert "0.0625 chance" in second
    assert "*" not in second


def test_nothing_is_cut_off_in_80_columns(tmp_path: Path) -> None:
    runs = [done(tmp_path / "long_filter-0123456789ab", params=21_234_567, accuracy=0.9)]
    runs += [make_run(tmp_path / "custom-0123456789ab", state="interrupted")]
    text = printed(runs, width=80)
    for part in ("21,234,567", "0.9000*", "0.890–0.910", "interrupted", "do0.75", " s"):
        assert part in text
    assert "…" not in text


def test_an_empty_board_is_a_table_without_rows() -> None:
    assert board_rows([]) == []
    assert "accuracy" in printed([])


def test_the_table_marks_what_was_trained_in_pieces_of_a_batch(tmp_path: Path) -> None:
    run = done(tmp_path / "a", params=10, accuracy=0.5)
    run.write_status(divided=True)
    assert "0.5000* divided" in printed([run])


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("accuracy", ["b", "a", "c", "d"]),
        ("params", ["c", "a", "b", "d"]),
        ("seconds", ["b", "a", "c", "d"]),
        ("name", ["a", "b", "c", "d"]),
    ],
)
def test_each_order_begins_with_the_best_and_ends_with_what_has_no_value(
    tmp_path: Path, order: Order, names: list[str]
) -> None:
    runs = [
        done(tmp_path / "a", params=20, accuracy=0.8),
        done(tmp_path / "b", params=30, accuracy=0.9),
        done(tmp_path / "c", params=10, accuracy=0.7),
        make_run(tmp_path / "d", state="running"),
    ]
    assert [row.run for row in ranked(board_rows(runs), order)] == names


def test_the_front_is_against_the_cost_that_is_asked(tmp_path: Path) -> None:
    small_but_slow = done(tmp_path / "slow", params=10, accuracy=0.8)
    quick_but_large = done(tmp_path / "quick", params=20, accuracy=0.8)
    quick_but_large.write_epochs([{"epoch": 1, "seconds": 1}])
    rows = board_rows([small_but_slow, quick_but_large])
    assert [row.run for row in with_front(rows, "params") if row.pareto] == ["slow"]
    assert [row.run for row in with_front(rows, "seconds") if row.pareto] == ["quick"]


def test_the_board_of_accuracy_alone_has_no_costs(tmp_path: Path) -> None:
    view = board_view(board_rows([done(tmp_path / "a", params=10, accuracy=0.5)]), "accuracy")
    assert [column.heading for column in view.tables[0].columns] == [
        "run",
        "network",
        "accuracy",
        "95 %",
    ]
    assert "0.5000" in view.tables[0].rows[0]
    assert not {"params", "flops", "seconds", "pareto"} & set(view.records[0])


def test_flops_are_counted_by_hand_and_unknown_where_nothing_says_the_input(make_run: Any) -> None:
    known = make_run(model__conv_layers=1, model__base_channels=2, data__rate_hz=100)
    # Conv(5, same, 2) on 100 samples, then a dense layer from 200 to 16: two a multiply-add
    assert [row.flops for row in with_flops(board_rows([known]))] == [2 * (5 * 2 * 100 + 200 * 16)]
    known.write_config({"model": {"family": "nets.py:make_net"}})
    assert [row.flops for row in with_flops(board_rows([known]))] == [None]


# The Pareto front

# Few different values, so that ties are common.
points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12)


@given(points)
def test_the_front_is_what_no_other_point_dominates(points: list[tuple[int, int]]) -> None:
    def dominated(cost: int, value: int) -> bool:
        return any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)

    costs, values = [c for c, _ in points], [v for _, v in points]
    assert pareto_front(costs, values).tolist() == [not dominated(c, v) for c, v in points]


def test_equal_points_are_on_the_front_together() -> None:
    assert pareto_front([2, 2, 1], [0.9, 0.9, 0.5]).tolist() == [True, True, True]


def test_a_point_without_a_value_is_never_on_the_front() -> None:
    assert pareto_front([1, np.nan, 3], [np.nan, 0.99, 0.5]).tolist() == [False, False, True]
