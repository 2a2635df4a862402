"""Figures by what can be read from them: labels, texts, cells, lines, bytes."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from convscope.figures import (
    AccuracyPoint,
    accuracy_params_figure,
    confusion_figure,
    loss_figure,
    per_class_figure,
    spectrogram_figure,
    to_png,
    to_svg,
)
from convscope.types import Waveform

RATE_HZ = 16_000
MATRIX = np.array([[90, 10, 0], [1, 99, 0], [0, 0, 0]])
CLASSES = ["bed", "bird", "<cat & $dog$>"]
EPOCHS = [
    {"epoch": 1, "train_loss": 2.0, "validation_loss": 2.1, "validation_accuracy": 0.2},
    {"epoch": 2, "train_loss": 1.0, "validation_loss": 1.3, "validation_accuracy": 0.6},
    {"epoch": 3, "train_loss": 0.5, "validation_loss": 1.4, "validation_accuracy": 0.7},
]
POINTS = [
    AccuracyPoint("small", 10_000, 0.8, (0.78, 0.82), pareto=True),
    AccuracyPoint("wasteful", 90_000, 0.7, (0.68, 0.72), pareto=False),
    AccuracyPoint("best", 80_000, 0.9, (0.88, 0.92), pareto=True),
]
SCORES = {
    "classes": [
        {"name": "bed", "precision": 0.9, "recall": 0.8, "f1": 0.85, "support": 30},
        {"name": "bird", "precision": None, "recall": 0.0, "f1": 0.0, "support": 7},
    ]
}


def tone(hz: float) -> Waveform:
    return np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)


FIGURES: dict[str, Callable[[], Figure]] = {
    "confusion": lambda: confusion_figure(MATRIX, CLASSES),
    "loss": lambda: loss_figure(EPOCHS),
    "accuracy_params": lambda: accuracy_params_figure(POINTS),
    "spectrogram": lambda: spectrogram_figure(tone(1000), RATE_HZ),
    "per_class": lambda: per_class_figure(SCORES),
}
every_figure = pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES.keys())


def texts(figure: Figure) -> list[str]:
    """All that is written in the figure, as a reader finds it in the SVG."""
    root = ElementTree.fromstring(to_svg(figure))
    return ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]


def labels(figure: Figure) -> list[tuple[str, str]]:
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]


def cells(image: AxesImage) -> NDArray[np.float64]:
    return np.asarray(image.get_array(), dtype=np.float64)


def xs(line: Line2D) -> list[float]:
    return list(np.asarray(line.get_xdata(), dtype=np.float64))


def ys(line: Line2D) -> list[float]:
    return list(np.asarray(line.get_ydata(), dtype=np.float64))


# Every figure


@every_figure
def test_the_same_figure_has_the_same_bytes(make: Callable[[], Figure]) -> None:
    assert to_svg(make()) == to_svg(make())
    assert to_png(make()) == to_png(make())


@every_figure
def test_a_figure_looks_the_same_under_a_users_own_settings(make: Callable[[], Figure]) -> None:
    expected = to_svg(make())
    own: dict[Any, Any] = {
        "figure.facecolor": "black",
        "font.size": 20,
        "svg.hashsalt": None,
        "axes.grid": False,
    }
    with matplotlib.rc_context(own):
        assert to_svg(make()) == expected
        assert matplotlib.rcParams["font.size"] == 20


@every_figure
def test_files_hold_no_date_nor_program(make: Callable[[], Figure]) -> None:
    svg, png = to_svg(make()), to_png(make())
    assert svg.startswith("<svg")
    assert not re.search("date|metadata|created|matplotlib v", svg, re.IGNORECASE)
    assert b"tEXt" not in png
    assert b"tIME" not in png


@every_figure
def test_a_png_is_800_pixels_wide(make: Callable[[], Figure]) -> None:
    assert int.from_bytes(to_png(make())[16:20], "big") == 800


@every_figure
def test_nothing_reaches_over_the_edge(make: Callable[[], Figure]) -> None:
    assert_inside(make())


def assert_inside(figure: Figure) -> None:
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height


# Confusion


def test_a_confusion_figure_writes_every_count_that_is_not_0() -> None:
    axes = confusion_figure(MATRIX, CLASSES).axes[0]
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    assert counts == {(0, 0): "90", (1, 0): "10", (0, 1): "1", (1, 1): "99"}


def test_its_rows_are_the_actual_class_and_its_colours_the_share_of_it() -> None:
    figure = confusion_figure(MATRIX, CLASSES)
    assert labels(figure)[0] == ("predicted", "actual")
    share = np.array([[0.9, 0.1, 0], [0.01, 0.99, 0], [0, 0, 0]])
    np.testing.assert_allclose(cells(figure.axes[0].images[0]), share)
    assert "share of the actual class" in texts(figure)


def test_a_confusion_of_one_percent_differs_from_none_to_the_eye() -> None:
    image = confusion_figure(MATRIX, CLASSES).axes[0].images[0]
    none, one_percent = image.to_rgba(np.array([0.0, 0.01]), bytes=True)[:, 0].astype(int)
    assert none - one_percent >= 20


def test_a_name_is_written_as_it_is() -> None:
    assert texts(confusion_figure(MATRIX, CLASSES)).count("<cat & $dog$>") == 2


@pytest.mark.parametrize("n_classes", [2, 6, 16, 35])
def test_no_count_is_wider_than_its_cell_and_no_name_cut_off(n_classes: int) -> None:
    matrix = np.full((n_classes, n_classes), 888)
    figure = confusion_figure(matrix, ["backward"] * n_classes)
    assert_inside(figure)
    (axes, _) = figure.axes
    cell = axes.get_window_extent().width / n_classes
    assert len(axes.texts) == n_classes**2
    assert max(text.get_window_extent().width for text in axes.texts) < cell
    names = [text.get_window_extent() for text in axes.get_xticklabels()]
    assert all(a.x1 <= b.x0 for a, b in pairwise(names))


# Training


def test_a_loss_figure_marks_the_epoch_of_least_validation_loss() -> None:
    figure = loss_figure(EPOCHS)
    above, below = figure.axes
    assert labels(figure) == [("", "loss (cross-entropy)"), ("epoch", "validation accuracy")]
    drawn = {str(line.get_label()): line for line in above.lines}
    assert list(drawn) == ["train", "validation", "chosen: epoch 2"]
    assert ys(drawn["train"]) == [2.0, 1.0, 0.5]
    assert xs(drawn["chosen: epoch 2"]) == [2, 2]
    assert ys(below.lines[0]) == [0.2, 0.6, 0.7]


def test_a_training_that_ended_in_nan_or_before_its_first_epoch_is_drawn_all_the_same() -> None:
    nan = {"epoch": 1, "train_loss": np.nan, "validation_loss": np.nan, "validation_accuracy": 0.1}
    for epochs in ([nan], []):
        assert not any("chosen" in text for text in texts(loss_figure(epochs)))


# Accuracy and parameters


def test_the_pareto_front_is_a_line_by_size_and_its_networks_are_numbered_and_named() -> None:
    figure = accuracy_params_figure(POINTS)
    (axes,) = figure.axes
    assert labels(figure) == [("parameters", "test accuracy (95 % interval)")]
    assert axes.get_xscale() == "log"
    front = next(line for line in axes.lines if line.get_linestyle() == "-")
    assert xs(front) == [10_000, 80_000]
    written = texts(figure)
    assert {"1", "2", "1  small", "2  best", "10 k"} <= set(written)
    assert not any("wasteful" in text for text in written)


def test_bars_are_the_intervals() -> None:
    (axes,) = accuracy_params_figure(POINTS[:1]).axes
    (bar,) = axes.collections
    assert np.asarray(bar.get_paths()[0].vertices).tolist() == [[10_000, 0.78], [10_000, 0.82]]


@pytest.mark.parametrize("params", [[1], [33_000_000], [2_100_000, 4_900_000], [100, 10**8]])
def test_the_parameter_axis_always_carries_a_figure(params: list[int]) -> None:
    points = [AccuracyPoint("a", n, 0.5, (0.4, 0.6), pareto=True) for n in params]
    (axes,) = accuracy_params_figure(points).axes
    low, high = axes.get_xlim()
    assert any(low <= tick <= high for tick in axes.get_xticks())


def test_no_points_are_an_empty_figure() -> None:
    assert accuracy_params_figure([]).axes[0].lines[:] == []


# Sound


@pytest.mark.parametrize("hz", [500, 4000, 7000])
def test_a_tone_is_brightest_at_its_frequency(hz: int) -> None:
    image = spectrogram_figure(tone(hz), RATE_HZ).axes[1].images[0]
    decibels = cells(image)
    _, _, low_hz, high_hz = image.get_extent()
    brightest = decibels.mean(axis=1).argmax()  # rows from the highest frequency down
    assert high_hz - brightest / (len(decibels) - 1) * (high_hz - low_hz) == pytest.approx(
        hz, abs=63
    )
    assert (low_hz, high_hz, decibels.max()) == (0, 8000, 0)


def test_a_click_stands_at_its_time() -> None:
    click = np.zeros(RATE_HZ, np.float32)
    click[4000] = 1
    image = spectrogram_figure(click, RATE_HZ).axes[1].images[0]
    decibels = cells(image)
    start, end, _, _ = image.get_extent()
    brightest = decibels.mean(axis=0).argmax() + 0.5
    assert start + brightest / decibels.shape[1] * (end - start) == pytest.approx(0.25, abs=0.004)


def test_a_spectrogram_has_axes_in_seconds_hertz_and_decibels() -> None:
    figure = spectrogram_figure(tone(1000), RATE_HZ)
    assert labels(figure)[:2] == [("", "amplitude"), ("time (s)", "frequency (Hz)")]
    assert "power (dB re maximum)" in texts(figure)


@pytest.mark.parametrize("n_times", [1, 3, 100])
def test_a_clip_shorter_than_the_window_is_drawn(n_times: int) -> None:
    image = spectrogram_figure(np.ones(n_times, np.float32), RATE_HZ).axes[1].images[0]
    decibels = cells(image)
    assert decibels.shape[1] == 1


def test_silence_is_dark() -> None:
    image = spectrogram_figure(np.zeros(RATE_HZ, np.float32), RATE_HZ).axes[1].images[0]
    assert cells(image).max() <= -80


# Classes


def test_scores_per_class_leave_out_what_is_undefined() -> None:
    figure = per_class_figure(SCORES)
    (axes,) = figure.axes
    drawn = {str(line.get_label()): xs(line) for line in axes.lines}
    assert list(drawn) == ["precision", "recall", "F1"]
    assert drawn["precision"][0] == 0.9
    assert np.isnan(drawn["precision"][1])
    assert drawn["recall"] == [0.8, 0.0]
    assert {"bed (30)", "bird (7)", "score", "class (clips)"} <= set(texts(figure))
