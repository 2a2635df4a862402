"""Arrays in, matplotlib figures out: 800 px wide at 100 dpi, for a white page.

No pyplot and no global state: a figure looks the same whatever settings a user's matplotlib has,
and the same arrays give the same bytes. The colours tell apart for colour-blind eyes (M. Okabe and
K. Ito, Color Universal Design, 2008).
"""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convscope.types import ConfusionMatrix, Waveform

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"

WIDTH_INCHES = 8.0

STYLE: Mapping[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "convscope",
    "text.parse_math": False,  # a $ in a name is a $
}


@dataclass(frozen=True)
class AccuracyPoint:
    """One network in the plane of parameters and accuracy."""

    name: str
    params: int
    accuracy: float
    interval: tuple[float, float]
    pareto: bool


@contextmanager
def style() -> Iterator[None]:
    """Our look and nothing of the user's, for as long as a figure is drawn or saved."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        # of a sign that our font lacks: an empty box, but in SVG, where the reader's font is taken
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


@style()
def to_svg(figure: Figure) -> str:
    """The figure as an `<svg>` element to put into a page: same figure, same text, no date."""
    text = io.StringIO()
    figure.savefig(
        text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


@style()
def to_png(figure: Figure, dpi: int = 100) -> bytes:
    """The figure as a PNG file, 8 · dpi pixels wide: same figure, same bytes."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dpi, metadata={"Software": None})
    return data.getvalue()


@style()
def confusion_figure(matrix: ConfusionMatrix, classes: Sequence[str]) -> Figure:
    """A confusion matrix: counts in the cells, coloured by their share of the actual class.

    The colour goes with the share to the power of 0.4, so that a confusion of 1 % is still seen.

    Args:
        matrix: (n_classes, n_classes) counts, rows actual.
        classes: n_classes names.
    """
    n_classes = len(classes)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure(height=min(8.6, 4.2 + 0.2 * n_classes))
    image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.4, 0, 1))
    axes.set_xticks(range(n_classes), classes, rotation=90 if n_classes > 8 else 0)
    axes.set_yticks(range(n_classes), classes)
    axes.set(xlabel="predicted", ylabel="actual")
    axes.grid(visible=False)
    _write_counts(axes, matrix, share)
    bar = figure.colorbar(image, location="bottom", shrink=0.6, aspect=40)
    bar.set_label("share of the actual class")
    bar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1], labels=["0", "0.01", "0.05", "0.2", "0.5", "1"])
    return figure


def _write_counts(axes: Axes, matrix: ConfusionMatrix, share: NDArray[np.float64]) -> None:
    """The count in each cell that has one, as large as the cells and the longest count allow."""
    n_digits = len(str(matrix.max()))
    size = min(10.0, 720 / (len(matrix) * max(n_digits, 3)))
    for i, j in np.argwhere(matrix):
        colour = "white" if share[i, j] > 0.3 else "black"
        axes.text(j, i, str(matrix[i, j]), size=size, color=colour, ha="center", va="center")


@style()
def loss_figure(epochs: Sequence[Mapping[str, float]]) -> Figure:
    """Losses and validation accuracy over the epochs, the epoch of least validation loss marked.

    Args:
        epochs: a row an epoch with epoch, train_loss, validation_loss and validation_accuracy.
    """
    figure = empty_figure(height=5.0)
    losses, accuracies = figure.subplots(2, 1, sharex=True)
    keys = ("epoch", "train_loss", "validation_loss", "validation_accuracy")
    column = {key: np.array([row[key] for row in epochs]) for key in keys}
    number = column["epoch"]
    losses.plot(number, column["train_loss"], ".-", color=GREY, label="train")
    losses.plot(number, column["validation_loss"], ".-", color=BLUE, label="validation")
    accuracies.plot(number, column["validation_accuracy"], ".-", color=BLUE)
    if np.isfinite(column["validation_loss"]).any():
        chosen = np.nanargmin(column["validation_loss"])
        label = f"chosen: epoch {number[chosen]:g}"
        for axes in (losses, accuracies):
            axes.axvline(number[chosen], color=ORANGE, linestyle="--", label=label)
    losses.set(ylabel="loss (cross-entropy)")
    accuracies.set(xlabel="epoch", ylabel="validation accuracy")
    accuracies.set_xlim(0.5, max(len(epochs), 1) + 0.5)
    accuracies.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    losses.legend()
    return figure


@style()
def accuracy_params_figure(points: Sequence[AccuracyPoint]) -> Figure:
    """Accuracy over the number of parameters, with intervals and the Pareto front as a line.

    The networks on the front carry numbers, which the legend beside the axes explains.
    """
    front = sorted((point for point in points if point.pareto), key=lambda point: point.params)
    others = [point for point in points if not point.pareto]
    figure, axes = _figure(height=max(4.6, 1 + 0.2 * len(front)))
    _draw_points(axes, others, GREY, "o", "other networks")
    _draw_points(axes, front, BLUE, "o-", "Pareto front:")
    for number, point in enumerate(front, start=1):
        axes.annotate(
            str(number),
            (point.params, point.accuracy),
            (-4, 4),
            textcoords="offset points",
            ha="right",
        )
    axes.set(xlabel="parameters", ylabel="test accuracy (95 % interval)")
    log_parameters(axes, [point.params for point in points])
    names = [
        Line2D([], [], linestyle="none", label=f"{number}  {point.name}")
        for number, point in enumerate(front, start=1)
    ]
    drawn = axes.get_legend_handles_labels()[0]
    figure.legend(handles=[*drawn, *names], loc="outside right upper")
    return figure


def _draw_points(
    axes: Axes, points: Sequence[AccuracyPoint], colour: str, form: str, label: str
) -> None:
    if not points:
        return
    accuracy = np.array([point.accuracy for point in points])
    low, high = np.array([point.interval for point in points]).T
    params, reach = [point.params for point in points], (accuracy - low, high - accuracy)
    drawn = axes.errorbar(params, accuracy, reach, fmt=form, color=colour, elinewidth=1, capsize=2)
    drawn.set_label(label)


def log_parameters(axes: Axes, params: Sequence[int]) -> None:
    """A logarithmic axis, wide enough that one of 1, 2 and 5 times a power of ten is on it."""
    axes.set_xscale("log")
    low, high = min(params, default=1), max(params, default=1)
    axes.set_xlim(low / 1.7, high * 1.7)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))


@style()
def spectrogram_figure(waveform: Waveform, rate_hz: int, window_seconds: float = 0.016) -> Figure:
    """A clip's waveform, and below it the power in time and frequency, in dB below the strongest.

    Hann windows that overlap by three quarters; 80 dB are shown.

    Args:
        waveform: (n_times,), full scale is 1.
        rate_hz: samples a second.
        window_seconds: length of the window: the longer, the finer in frequency.
    """
    n_window = max(2, round(window_seconds * rate_hz))
    n_hop = max(1, n_window // 4)
    decibels = power_decibels(waveform, n_window, n_hop)
    first_edge = (n_window - n_hop) / 2 / rate_hz
    last_edge = first_edge + decibels.shape[1] * n_hop / rate_hz
    figure = empty_figure(height=4.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    above.plot(np.arange(len(waveform)) / rate_hz, waveform, color=GREY, lw=0.6)
    above.set(ylabel="amplitude")
    extent = (first_edge, last_edge, 0, rate_hz / 2)
    image = below.imshow(decibels, "magma", vmin=-80, vmax=0, extent=extent)
    image.set(interpolation="nearest")
    below.set(aspect="auto", xlabel="time (s)", ylabel="frequency (Hz)")
    below.set_xlim(0, max(len(waveform), n_window) / rate_hz)
    below.grid(visible=False)
    figure.colorbar(image, ax=below, label="power (dB re maximum)")
    return figure


def envelope(x: NDArray[Any], y: NDArray[Any], most: int = 2000) -> NDArray[Any]:
    """The line (2, n_points) of so many points at most: the least and largest y of each bin.

    A waveform looks the same as a line of all its samples, and is drawn in a fraction of the time.
    """
    if len(x) <= most:
        return np.stack([x, y])
    starts = np.linspace(0, len(x), most // 2, endpoint=False).astype(int)
    ends = np.stack([np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)], axis=1)
    return np.stack([np.repeat(x[starts], 2), ends.ravel()])


def power_decibels(waveform: Waveform, n_window: int, n_hop: int) -> NDArray[np.float64]:
    """Power (n_bins, n_frames), the highest frequency first, in dB re the largest."""
    n_missing = max(0, n_window - len(waveform))
    padded = np.pad(np.asarray(waveform, dtype=np.float64), (0, n_missing))
    frames = sliding_window_view(padded, n_window)[::n_hop] * np.hanning(n_window)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    share = power.T[::-1] / (power.max() or 1.0)
    return np.asarray(10 * np.log10(np.maximum(share, 1e-12)))


@style()
def per_class_figure(scores: Mapping[str, Any]) -> Figure:
    """Precision, recall and F1 of every class, with its number of clips.

    Args:
        scores: as `scores.json` has them; a score that is None is left out.
    """
    classes = scores["classes"]
    figure, axes = _figure(height=1.2 + 0.21 * len(classes))
    rows = np.arange(len(classes))
    for key, colour, marker in (
        ("precision", BLUE, "<"),
        ("recall", ORANGE, ">"),
        ("f1", GREEN, "|"),
    ):
        values = [np.nan if each[key] is None else each[key] for each in classes]
        label = key.replace("f1", "F1")
        axes.plot(values, rows, marker, color=colour, ms=6, mew=1.5 * (key == "f1"), label=label)
    axes.set_yticks(rows, [f"{each['name']} ({each['support']})" for each in classes])
    axes.set(xlabel="score", ylabel="class (clips)", ylim=(len(classes) - 0.5, -0.5))
    axes.set_xlim(right=1.005)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def empty_figure(height: float) -> Figure:
    """A page-wide figure to draw into, within `style`."""
    return Figure(figsize=(WIDTH_INCHES, height), dpi=100, layout="constrained")


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = empty_figure(height)
    return figure, figure.subplots()


def short(value: float) -> str:
    """Three digits, or all of a larger whole number, without an exponent for it."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
