"""The grid tables, against a grid laid out by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.scores.board import board_rows
from convscope.scores.pivot import pivot_view

MakeRun = Callable[..., Any]


def cells(view: Any, number: int = 0) -> list[list[str]]:
    """A table with its headings."""
    table = view.tables[number]
    return [[column.heading for column in table.columns], *map(list, table.rows)]


def grid(make_run: MakeRun) -> list[Any]:
    return [
        make_run(0.80, model__conv_layers=3, model__dropout=0.0),
        make_run(0.81, model__conv_layers=3, model__dropout=0.5),
        make_run(0.82, model__conv_layers=3, model__dropout=0.0, model__batch_norm=True),
        make_run(0.83, model__conv_layers=3, model__dropout=0.5, model__batch_norm=True),
        make_run(0.90, model__conv_layers=10, model__dropout=0.25),
        make_run(None, model__conv_layers=10, model__dropout=0.75),
    ]


def test_depth_goes_down_and_the_regulariser_across_as_in_the_reports(make_run: MakeRun) -> None:
    view = pivot_view(board_rows(grid(make_run)))
    assert cells(view) == [
        ["conv_layers", "none", "DO 0.25", "DO 0.5", "BN", "BN+DO 0.5"],
        ["3", "0.8000", "", "0.8100", "0.8200", "0.8300"],
        ["10", "", "0.9000*", "", "", ""],
    ]
    assert view.tables[0].title == "custom, kernel 5, base_channels 64, fc_hidden 0, relu, " + (
        "glorot_uniform"
    )
    assert view.tables[0].note == "* the best of its table; 1 not done, left out"


def test_seeds_share_a_place(make_run: MakeRun) -> None:
    runs = [make_run(0.8), make_run(0.82, train__seed=1)]
    view = pivot_view(board_rows(runs))
    assert cells(view)[1] == ["8", "0.8100 ± 0.0141 (2)*"]
    assert [(each["n_seeds"], each["best"]) for each in view.records] == [(2, True)]


def test_what_differs_otherwise_stands_in_another_table_with_its_own_best(
    make_run: MakeRun,
) -> None:
    runs = [
        make_run(0.9, model__base_channels=128),
        make_run(0.8, model__base_channels=32),
        make_run(0.7, model__base_channels=32, train__epochs=5),
        make_run(0.6, model__base_channels=32, fingerprint="other"),
    ]
    view = pivot_view(board_rows(runs))
    titles = [table.title for table in view.tables]
    assert sorted(table.rows[0][1] for table in view.tables) == [
        "0.6000*",
        "0.7000*",
        "0.8000*",
        "0.9000*",
    ]
    assert "base_channels 128" in titles[-1]  # numbers by size, not by their digits
    assert sum("train.epochs 5" in title for title in titles) == 1
    assert all("words 16" in title for title in titles)


def test_any_two_settings_make_a_pivot(make_run: MakeRun) -> None:
    runs = [
        make_run(0.8, model__dropout=0.25, train__learning_rate=0.01),
        make_run(0.9, model__dropout=0.25, train__learning_rate=0.001),
        make_run(0.7, model__dropout=0.5, train__learning_rate=0.001, train__seed=1),
    ]
    view = pivot_view(board_rows(runs), ("train.learning_rate", "dropout"))
    assert cells(view) == [
        ["train.learning_rate", "dropout 0.25", "dropout 0.5"],
        ["0.001", "0.9000*", "0.7000"],
        ["0.01", "0.8000", ""],
    ]


def test_by_seed_no_seeds_are_averaged(make_run: MakeRun) -> None:
    runs = [make_run(0.8), make_run(0.9, train__seed=1)]
    view = pivot_view(board_rows(runs), ("conv_layers", "seed"))
    assert cells(view) == [["conv_layers", "seed 0", "seed 1"], ["8", "0.8000", "0.9000*"]]


def test_an_unknown_key_is_refused(make_run: MakeRun) -> None:
    message = r"--pivot: kernal is no key to pivot by \(did you mean 'kernel'\?\); known: regul"
    with pytest.raises(UserError, match=message):
        pivot_view(board_rows([make_run()]), ("kernal", "dropout"))


def test_without_a_finished_run_the_table_says_so(make_run: MakeRun) -> None:
    [table] = pivot_view(board_rows([make_run(None)])).tables
    assert (table.rows, table.note) == ((), "no finished run; 1 not done")
