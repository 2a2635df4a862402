"""The board's questions and pictures, by hand."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.datastructures import QueryParams

from convscope.errors import UserError
from convscope.scores.intervals import Interval
from convscope.scores.rows import BoardRow, read_row
from convscope.web.board.compare import agreement_of
from convscope.web.board.parallel import parallel_axes
from convscope.web.board.question import Question, answered, in_order, question_of
from convscope.web.board.scatter import Axis, LogAxis, round_step, scatter, short
from convscope.web.frame.formats import duration, shade
from convscope.web.run.media import over_time, waveform_bars
from convscope.web.run.summary import confusions, curves
from tests.web.conftest import MakeRun


def around(accuracy: float | None) -> Interval | None:
    return None if accuracy is None else Interval(accuracy - 0.1, accuracy + 0.1)


@pytest.fixture
def rows(sound_run: MakeRun) -> list[BoardRow]:
    row = read_row(sound_run())
    made = [(100, 0.5), (1000, 0.7), (2000, 0.6), (None, None)]
    return [
        replace(row, run=f"r{i}", params=n, accuracy=a, interval=around(a))
        for i, (n, a) in enumerate(made)
    ]


def test_an_address_asks_again_what_it_was_made_from() -> None:
    asked = Question("params<10", "seed", True, True, True, "seconds", ("seed", "train.epochs"))
    assert question_of(QueryParams(asked.address()[1:])) == asked
    assert Question().address() == "?"


def test_a_heading_sorts_and_a_second_click_turns_round() -> None:
    assert Question().sorted_by("params") == "?sort=params"
    assert Question(sort="params").sorted_by("params") == "?sort=params&reverse=1"


def test_what_is_missing_comes_last_either_way(rows: list[BoardRow]) -> None:
    assert [row.run for row in in_order(rows, "params")] == ["r0", "r1", "r2", "r3"]
    assert [row.run for row in in_order(rows, "params", reverse=True)] == ["r2", "r1", "r0", "r3"]
    assert [row.run for row in in_order(rows, "accuracy")] == ["r1", "r2", "r0", "r3"]


def test_only_the_front(rows: list[BoardRow]) -> None:
    assert [row.run for row in answered(rows, Question(front=True))] == ["r1", "r0"]


def test_a_quote_without_end_is_a_mistake(rows: list[BoardRow]) -> None:
    with pytest.raises(UserError, match="a quote has no end"):
        answered(rows, Question(where="run='a"))


def test_points_stand_where_their_values_are(rows: list[BoardRow]) -> None:
    made = scatter(answered(rows, Question()))
    assert made is not None
    at = {point.row.run: point for point in made.points}
    low, high = np.log10(100) - 0.1, np.log10(2000) + 0.1
    assert at["r1"].x == pytest.approx(100 * (3 - low) / (high - low), abs=0.01)
    assert at["r0"].y > at["r2"].y > at["r1"].y
    assert at["r0"].low is not None
    assert made.points[0].row.run == "r2"  # off the front: drawn first
    assert (made.front[0].x1, made.front[0].y1) == (at["r0"].x, at["r0"].y)


def test_axes_have_round_steps() -> None:
    assert [round_step(step) for step in (0.011, 0.02, 0.3, 7)] == [0.02, 0.02, 0.5, 10]
    assert [tick.text for tick in Axis.over([0.61, 0.79]).ticks] == [
        "0.60", "0.65", "0.70", "0.75", "0.80"
    ]  # fmt: skip
    assert [tick.text for tick in LogAxis.over([150, 2500]).ticks] == [
        "200", "500", "1 k", "2 k"
    ]  # fmt: skip
    assert Axis.over([0.5]).high > 0.5
    assert short(2e6) == "2 M"


def test_parallel_axes_are_what_differs_then_size_and_accuracy(rows: list[BoardRow]) -> None:
    done = rows[:3]
    model = [{**row.config["model"], "kernel": 3 + i} for i, row in enumerate(done)]
    done = [
        replace(row, kernel=m["kernel"], config={**row.config, "model": m})
        for row, m in zip(done, model, strict=True)
    ]
    axes = parallel_axes(done)
    assert [axis.key for axis in axes] == ["kernel", "params", "accuracy"]
    assert axes[0].values == (0.0, 0.5, 1.0)
    assert axes[1].values[1] == pytest.approx(1 / np.log10(20), abs=1e-4)


def test_mcnemar_of_a_table_by_hand() -> None:
    first = np.array([True] * 5 + [False] * 5)
    second = np.array([True] * 3 + [False] * 2 + [True] * 1 + [False] * 4)
    found = agreement_of(first, second)
    assert (found.both, found.first_alone, found.second_alone, found.neither) == (3, 2, 1, 4)
    assert found.p == pytest.approx(1.0)  # 2 of 3 by a fair coin: 2 (3 + 1) / 8


def test_confusions_by_hand() -> None:
    scores = {"classes": [{"name": "a"}, {"name": "b"}], "confusion": [[3, 1], [0, 0]]}
    found = confusions(scores)
    assert found is not None
    assert [(cell.actual, cell.predicted, cell.share) for cell in found.worst] == [("a", "b", 0.25)]
    assert found.most == 0.25
    assert confusions({}) is None


def test_what_is_not_finite_is_no_point_of_a_curve() -> None:
    found = curves([{"epoch": 1, "train_loss": float("nan")}, {"epoch": 2, "train_loss": 0.5}])
    assert found["train_loss"] == [None, 0.5]


def test_bars_span_the_samples_below_them() -> None:
    bars = waveform_bars(np.array([0, 100, -100, 0] * 240, np.int16))
    assert len(bars) == 240
    assert {(bar.top, bar.bottom) for bar in bars} == {(2.0, 98.0)}
    assert waveform_bars(np.zeros(960, np.int16))[0].top == 50


def test_a_map_over_time_is_its_largest_value_in_each_part() -> None:
    shares = np.array([[0, 1, 0, 0], [0, 0, 0, 0.5]], np.float32)
    assert over_time(shares, 2).tolist() == [1, 0.5]
    assert over_time(np.array([0.25, 1], np.float32), 4).tolist() == [0.25, 0.25, 1, 1]


def test_numbers_as_one_says_them() -> None:
    assert [duration(s) for s in (None, 45, 720, 12600, 2e5)] == [
        "–", "45 s", "12 min", "3.5 h", "2.3 d"
    ]  # fmt: skip
    assert [shade(v) for v in (None, 0, 0.5, 2)] == [
        "shade-none",
        "shade-0",
        "shade-10",
        "shade-20",
    ]


def test_text_on_every_shade_can_be_read() -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    css = Path("src/convscope/web/static/css/shades.css")
    root = Path(__file__).parents[2]
    text = (root / css).read_text()
    found = re.findall(r"--\w+-\d+: (#\w{6}); --on-\w+-\d+: (#\w{3});", text)
    assert len(found) == 3 * 2 * 21
    for ground, ink in found:
        lighter, darker = sorted((_luminance(ground), _luminance(ink)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, ground


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * sign for sign in colour[1:])
    channels = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
