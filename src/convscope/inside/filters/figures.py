"""Pictures of filters: their weights, what they answer to each frequency, and how they are spread.

Small multiples are drawn into one pair of axes: a figure of 128 of them is made in no more time
than one of 8.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from convscope.figures import BLUE, GREEN, GREY, ORANGE, empty_figure, style
from convscope.inside.filters.response import FrequencyResponse
from convscope.inside.filters.scales import SCALES, erb_hz, spaced_evenly
from convscope.inside.results.tiles import Tiles, largest_of, places_of, tiled

MOST_TILES = 128

MOST_NAMED = 80
"""Rows of a picture of responses; of more some are named."""

FLOOR_DB = -40

SKY = "#56B4E9"


@style()
def taps_figure(tiles: Tiles) -> Figure:
    """The weights of 1-D filters, each drawn to its own largest, with a stem for each tap up to 64.

    Args:
        tiles: lines (n_tiles, n_taps).
    """
    n_tiles, n_taps = tiles.values.shape
    n_columns, places = places_of(n_tiles)
    figure, axes = tiled(tiles, n_columns, row_inches=0.62)
    heights = 0.36 * tiles.values / largest_of(tiles.values)[:, None]
    across = 0.06 + 0.88 * (np.arange(n_taps) + 0.5) / n_taps
    x = places[:, 1:] + across
    base = places[:, :1] + 0.58 + 0 * heights
    axes.hlines(base[:, 0], x[:, 0], x[:, -1], color="#c4c4c4", lw=0.6)
    if n_taps <= 64:
        ends = np.stack([np.stack([x, base], -1), np.stack([x, base - heights], -1)], axis=2)
        axes.add_collection(LineCollection(list(ends.reshape(-1, 2, 2)), colors=BLUE, lw=0.7))
    lines = np.stack([x, base - heights], axis=-1)
    axes.add_collection(LineCollection(list(lines), colors=BLUE, lw=0.8 if n_taps <= 64 else 0.4))
    return figure


@style()
def matrix_figure(weights: NDArray[np.floating], title: str) -> Figure:
    """Filters of one tap, which only mix channels: a row for each, a column for each channel."""
    figure = empty_figure(height=min(7.5, 1.6 + 0.09 * len(weights)))
    axes = figure.subplots()
    reach = np.abs(weights).max() or 1.0
    image = axes.imshow(weights, "RdBu_r", vmin=-reach, vmax=reach, interpolation="nearest")
    axes.set(xlabel="input channel", ylabel="filter", title=title, aspect="auto")
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label="weight")
    return figure


@dataclass(frozen=True)
class ResponsePanel:
    """A layer's filters as one image of their frequency responses.

    Attributes:
        title: what they are.
        response: of the filters.
        names: n_filters of them.
        map_nyquist_hz: where the layer's own map ends; what lies above is folded down into it.
            None where that is the end of the axis.
    """

    title: str
    response: FrequencyResponse
    names: Sequence[str]
    map_nyquist_hz: float | None = None


@style()
def response_figure(title: str, panels: Sequence[ResponsePanel]) -> Figure:
    """What filters answer to each frequency, in dB below each one's peak, by centre frequency."""
    n_rows = max(len(panel.names) for panel in panels)
    figure = empty_figure(height=2.4 + (0.14 if n_rows <= 40 else 0.11) * min(n_rows, MOST_NAMED))
    every = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(every, panels, strict=True):
        image = _draw_responses(axes, panel)
    figure.suptitle(title, x=0.01, ha="left", size=10)
    bar = figure.colorbar(image, ax=list(every), location="bottom", shrink=0.5, aspect=40)
    bar.set_label("magnitude (dB re each filter's peak)")
    if any(panel.map_nyquist_hz is not None for panel in panels):
        handles = every[-1].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower left", fontsize=7.5)
    return figure


def _draw_responses(axes: Axes, panel: ResponsePanel) -> AxesImage:
    response, n_filters = panel.response, len(panel.names)
    order = np.argsort(response.centre_hz, kind="stable")
    peaks = np.max(np.nan_to_num(response.magnitude_db, nan=-np.inf), axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        shown = (response.magnitude_db - peaks)[order]
    image = axes.imshow(
        shown[:, :: max(1, shown.shape[1] // 1024)],
        "magma",
        vmin=FLOOR_DB,
        vmax=0,
        extent=(0, response.nyquist_hz, n_filters - 0.5, -0.5),
        interpolation="nearest",
    )
    image.set_cmap(image.get_cmap().with_extremes(bad="#d0d0d0"))
    centres = response.centre_hz[order]
    axes.plot(centres, range(n_filters), "o", color=SKY, ms=3, label="centre", clip_on=False)
    if panel.map_nyquist_hz is not None:
        axes.axvline(panel.map_nyquist_hz, color=SKY, ls="--", label="Nyquist of the map")
    step = -(-n_filters // MOST_NAMED)
    rows = np.arange(0, n_filters, step)
    axes.set_yticks(rows, [panel.names[order[i]] for i in rows], size=7.5 if n_filters <= 40 else 6)
    axes.set(xlabel="frequency (Hz)", aspect="auto", xlim=(0, response.nyquist_hz))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(panel.title, size=9)
    axes.grid(visible=False)
    return image


@style()
def scales_figure(response: FrequencyResponse, title: str) -> Figure:
    """Centre frequencies in order beside scales of hearing, and the bandwidth at each.

    Left: the centre frequencies, sorted, beside as many that are spread evenly over the mel scale,
    the ERB scale and in Hz. Right: the bandwidth of each, beside that of the ear's own filters.
    """
    figure = empty_figure(height=4.2)
    left, right = figure.subplots(1, 2)
    alive = np.isfinite(response.centre_hz)
    centres = np.sort(response.centre_hz[alive])
    rank = np.arange(1, len(centres) + 1)
    left.plot(rank, centres, "o", color=BLUE, ms=4, label="filters")
    for name, colour, line in (("linear", GREY, ":"), ("mel", ORANGE, "--"), ("ERB", GREEN, "-")):
        spread = spaced_evenly(name, len(centres), response.nyquist_hz)
        left.plot(rank, spread, color=colour, ls=line, label=_SPREADS[name])
    left.set(xlabel="filter, by centre frequency", ylabel="centre frequency (Hz)")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend()
    ear = np.linspace(0, response.nyquist_hz, 200)
    right.semilogy(response.centre_hz, response.bandwidth_hz, "o", color=BLUE, ms=4)
    right.semilogy(ear, erb_hz(ear), color=GREEN, label="ERB, the ear's")
    right.yaxis.set_major_formatter("{x:,.0f}")
    right.set(xlabel="centre frequency (Hz)", ylabel="bandwidth at -3 dB (Hz)")
    right.legend()
    figure.suptitle(title, x=0.01, ha="left", size=10)
    return figure


_SPREADS = {name: f"even in {'Hz' if name == 'linear' else name}" for name in SCALES}
