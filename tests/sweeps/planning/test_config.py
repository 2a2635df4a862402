"""How a sweep is trained: what may be said, and that nothing of it is in a cell's name."""

from typing import Any

import pytest

from convscope.errors import UserError
from convscope.sweeps.planning.config import SweepConfig, same
from convscope.sweeps.planning.grid import make_sweep

RECIPE: dict[str, Any] = {"data": {"kind": "mnist"}, "model": {"family": "mnist"}}


def test_how_a_sweep_is_trained_changes_no_name() -> None:
    said = {
        "attempts": 1,
        "cell_seconds": 9.5,
        "workers_per_gpu": 2,
        "limits": {"load_per_core": 1},
    }
    sweep, plain = make_sweep([{**RECIPE, "sweep": said}]), make_sweep([RECIPE])
    assert sweep.cells == plain.cells
    assert sweep.name == plain.name
    assert sweep.config != plain.config == SweepConfig()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"attempts": 0}, "sweep.attempts: expected greater than or equal to 1, got 0"),
        ({"cell_seconds": 0}, "sweep.cell_seconds: expected greater than 0, got 0"),
        ({"silence_seconds": "long"}, "sweep.silence_seconds: expected number, got 'long'"),
        ({"tries": 1}, "sweep.tries is not a known key; known: attempts, silence_seconds"),
        ({"limits": {"load": 1}}, r"sweep.limits.load is not a known key"),
    ],
)
def test_a_mistake_is_named(said: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_sweep([{**RECIPE, "sweep": said}])


@pytest.mark.parametrize(
    ("value", "other", "expected"),
    [(0, 0.0, True), (1, True, False), (False, 0, False), ([1], [1], True), ("1", 1, False)],
)
def test_true_is_not_1_but_0_is_0_point_0(value: Any, other: Any, expected: bool) -> None:
    assert same(value, other) is expected
