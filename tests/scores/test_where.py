"""Conditions on the rows of a board."""

from collections.abc import Callable
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.scores.board import board_rows
from convscope.scores.rows import BoardRow
from convscope.scores.where import parse_condition, where


@pytest.fixture
def rows(make_run: Callable[..., Any]) -> list[BoardRow]:
    """Three networks that are done, and one that is not."""
    return board_rows(
        [
            make_run(0.9, 300, model__dropout=0.5, model__batch_norm=True),
            make_run(0.8, 200, model__dropout=0.25, train__epochs=5),
            make_run(0.7, 100, model__dropout=0.0, model__family="vgg"),
            make_run(None, model__dropout=0.75),
        ]
    )


@pytest.mark.parametrize(
    ("conditions", "dropouts"),
    [
        (["dropout=0.5"], [0.5]),
        (["dropout = .25"], [0.25]),
        (["dropout!=0.5"], [0.25, 0.0, 0.75]),
        (["dropout<0.5"], [0.25, 0.0]),
        (["dropout<=0.5"], [0.5, 0.25, 0.0]),
        (["dropout>0.25"], [0.5, 0.75]),
        (["model.dropout>=0.25"], [0.5, 0.25, 0.75]),
        (["family=vgg"], [0.0]),
        (["batch_norm=true"], [0.5]),
        (["batch_norm=False", "state=done"], [0.25, 0.0]),
        (["train.epochs=5"], [0.25]),
        (["train.seed=0", "accuracy>0.75"], [0.5, 0.25]),
        (["accuracy=null"], [0.75]),
        (["accuracy<2"], [0.5, 0.25, 0.0]),
        (["data.spectrogram=null", "params<250"], [0.25, 0.0]),
        (["fingerprint=other"], []),
    ],
)
def test_all_conditions_hold_of_the_rows_that_are_kept(
    rows: list[BoardRow], conditions: list[str], dropouts: list[float]
) -> None:
    kept = where(rows, map(parse_condition, conditions))
    assert [row.dropout for row in kept] == dropouts


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            "dropot=1",
            r"dropot is neither a column .* \(did you mean 'dropout'\?\); known: run, fam",
        ),
        ("batch_size=1", "did you mean 'train.batch_size'"),
        ("model.dropot=1", r"did you mean 'model.dropout'\?\); known: model.family"),
        ("interval=1", "interval is neither a column"),
        ("accuracy>high", "--where accuracy>high: expected a number after >, got 'high'"),
        ("accuracy=high", "expected a number after =, got 'high'"),
        ("accuracy", "--where accuracy: expected KEY=VALUE, KEY!=VALUE, KEY<N"),
        ("=3", "--where =3: expected KEY=VALUE"),
    ],
)
def test_a_condition_that_says_nothing_is_refused(
    rows: list[BoardRow], condition: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        where(rows, [parse_condition(condition)])
