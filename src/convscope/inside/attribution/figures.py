"""Figures of what matters in a clip: signals or pictures side by side, and maps over clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from convscope.figures import (
    BLUE,
    GREY,
    ORANGE,
    empty_figure,
    envelope,
    power_decibels,
    style,
)
from convscope.inside.results import writer as writer
from convscope.types import Waveform

GAP = 0.08
"""Between two panels, as a share of a panel."""


@dataclass(frozen=True)
class Panel:
    """One small picture of a grid.

    Attributes:
        values: (n_channels, …) as the net's input, or (1, …) of importance.
        title: above it.
        is_clip: whether it is a clip itself, and not what is made of it: then it has its own
            colours, those of the others have white, or grey, at 0.
        behind: of a signal: the clip, to be drawn in grey behind it.
    """

    values: NDArray[np.float32]
    title: str = ""
    is_clip: bool = False
    behind: NDArray[np.float32] | None = None


Row: TypeAlias = tuple[str, Sequence[Panel]]
"""A name and panels; one alone that is a signal is drawn over the whole width."""


@style()
def grid_figure(
    title: str, rows: Sequence[Row], axes_of_input: Sequence[writer.Axis], note: str = ""
) -> Figure:
    """Rows of panels, each scaled by its own largest size.

    Args:
        title: of the figure.
        rows: from the top.
        axes_of_input: of the net's input without its channels.
        note: below it, such as what the panels' axes are, and what was left out.
    """
    n_columns = max(len(panels) for _, panels in rows)
    aspect = _aspect(axes_of_input) if len(axes_of_input) == 2 else max(0.5, 0.08 * n_columns)
    pitch = aspect + 0.24 * n_columns / 8  # the title above a panel
    figure = empty_figure(height=1.0 + 7.0 / n_columns * pitch * len(rows))
    axes = figure.subplots()
    axes.set_axis_off()
    for i, (name, panels) in enumerate(rows):
        top = -i * pitch
        axes.text(-GAP, top - aspect / 2, name, fontsize=7.5, ha="right", va="center")
        wide = n_columns if len(panels) == 1 and len(axes_of_input) == 1 else 1
        size = min(_title_points(panel.title, 7 * wide / n_columns) for panel in panels)
        for k, panel in enumerate(panels):
            _draw(axes, panel, (k, k + wide - GAP, top - aspect, top), size)
    axes.set(xlim=(0, n_columns), ylim=(-len(rows) * pitch + pitch - aspect, 0.2 * n_columns / 8))
    axes.set_aspect("equal" if len(axes_of_input) == 2 else "auto")
    figure.suptitle(title, fontsize=10)
    figure.supxlabel(note, fontsize=8)
    return figure


Box: TypeAlias = tuple[float, float, float, float]
"""Left, right, bottom and top of a panel."""


def _aspect(axes_of_input: Sequence[writer.Axis]) -> float:
    """The height of a panel; its width is 1 less the gap."""
    rows, columns = axes_of_input
    if rows.name != "row":
        return 0.8
    return (1 - GAP) * len(rows.values) / len(columns.values)


def _title_points(title: str, width_inches: float) -> float:
    """As large as a panel's width allows: a letter is some 0.6 of its height wide."""
    longest = max(map(len, title.splitlines()), default=1)
    return min(6.5, 72 * (1 - GAP) * width_inches / (0.62 * longest))


def _draw(axes: Axes, panel: Panel, box: Box, size: float) -> None:
    left, right, _, top = box
    axes.text((left + right) / 2, top, panel.title, fontsize=size, ha="center", va="bottom")
    if panel.values.ndim == 2:
        if panel.behind is not None:
            _draw_signal(axes, panel.behind, box, "#c4c4c4")
        _draw_signal(axes, panel.values, box, GREY if panel.is_clip else BLUE)
    else:
        image = axes.imshow(_pixels(panel), _colour_map(panel), extent=box, **_limits(panel))
        image.set_interpolation("nearest")


def _draw_signal(axes: Axes, values: NDArray[np.float32], box: Box, colour: str) -> None:
    left, right, bottom, top = box
    middle, half = (bottom + top) / 2, (top - bottom) / 2
    x = np.linspace(left, right, values.shape[1])
    for channel in values / (np.abs(values).max(initial=0) or 1):
        axes.plot(*envelope(x, middle + half * channel), color=colour, lw=0.6)


def _pixels(panel: Panel) -> NDArray[np.float32]:
    """(height, width) to be coloured, or (height, width, 3) colours: 0 is grey, but of a clip."""
    if len(panel.values) != 3:
        return np.asarray(panel.values.mean(axis=0))
    colours = np.moveaxis(panel.values, 0, -1)
    if panel.is_clip:
        low, high = colours.min(), colours.max()
        return np.asarray((colours - low) / ((high - low) or 1))
    return np.asarray(0.5 + 0.5 * colours / (np.abs(colours).max() or 1))


def _colour_map(panel: Panel) -> str:
    return "gray" if panel.is_clip else "RdBu_r"


def _limits(panel: Panel) -> dict[str, Any]:
    if panel.is_clip:
        return {}
    reach = float(np.abs(panel.values.mean(axis=0)).max()) or 1.0
    return {"vmin": -reach, "vmax": reach}


@style()
def sound_map_figure(
    title: str, wave: Waveform, heard: Waveform, shares: NDArray[np.float32], rate_hz: int
) -> Figure:
    """A sound and what was heard of it, the map over time, and the spectrogram faded by the map.

    Args:
        title: of the figure.
        wave, heard: (n_times,).
        shares: (n_times,) from 0 to 1.
        rate_hz: samples a second.
    """
    times = np.arange(len(wave)) / rate_hz
    figure = empty_figure(height=5.2)
    figure.suptitle(title, fontsize=10)
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 3))
    above.plot(*envelope(times, wave), color=GREY, lw=0.5, label="clip")
    above.plot(*envelope(times, heard), color=BLUE, lw=0.5, label="what it heard")
    above.legend(loc="upper right", ncols=2, fontsize=8)
    above.set(ylabel="amplitude")
    coarse = envelope(times, shares)
    middle.fill_between(*coarse, color=ORANGE, alpha=0.4, lw=0)
    middle.plot(*coarse, color=ORANGE, lw=1.2)
    middle.set(ylabel="map", ylim=(0, 1.05))
    _draw_faded(below, wave, shares, rate_hz)
    below.set(xlabel="time (s)", ylabel="frequency (Hz)", xlim=(0, times[-1]))
    return figure


def _draw_faded(axes: Axes, wave: Waveform, shares: NDArray[np.float32], rate_hz: int) -> None:
    n_window = max(2, round(0.016 * rate_hz))
    n_hop = max(1, n_window // 4)
    decibels = power_decibels(wave, n_window, n_hop)
    first = (n_window - n_hop) / 2 / rate_hz
    extent = (first, first + decibels.shape[1] * n_hop / rate_hz, 0, rate_hz / 2)
    axes.imshow(decibels, "gray_r", vmin=-80, vmax=0, extent=extent)
    over = (0, len(shares) / rate_hz, 0, rate_hz / 2)
    axes.imshow(shares[None], "Oranges", vmin=0, vmax=1, alpha=0.45, extent=over)
    axes.set_aspect("auto")
    axes.grid(visible=False)


@dataclass(frozen=True)
class MappedPicture:
    """An image or spectrogram, (n_channels, …), and the map over it, (…), from 0 to 1."""

    title: str
    values: NDArray[np.float32]
    shares: NDArray[np.float32]


@style()
def picture_maps_figure(
    title: str, pictures: Sequence[MappedPicture], axes_of_input: Sequence[writer.Axis]
) -> Figure:
    """Images or spectrograms, each beside itself under its map.

    Args:
        title: of the figure.
        pictures: at most four a row.
        axes_of_input: of the net's input without its channels.
    """
    n_columns = min(len(pictures), 4 if axes_of_input[0].name == "row" else 2)
    n_rows, aspect = -(-len(pictures) // n_columns), _aspect(axes_of_input)
    figure = empty_figure(height=1.4 + n_rows * 7.4 / (2 * n_columns) * (aspect + 0.12 * n_columns))
    every = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes in every.flat:
        axes.set_axis_off()
    for axes, picture in zip(every.flat, pictures, strict=False):
        image = _draw_mapped(axes, picture, aspect)
    bar = figure.colorbar(image, ax=every, location="bottom", shrink=0.4, aspect=40)
    bar.set_label("map, share of its largest value")
    figure.suptitle(title, fontsize=10)
    return figure


def _draw_mapped(axes: Axes, picture: MappedPicture, aspect: float) -> AxesImage:
    panel = Panel(picture.values, is_clip=True)
    over = (1.0, 2.0 - GAP, 0.0, aspect)
    axes.imshow(_pixels(panel), "gray", extent=(0, 1 - GAP, 0, aspect))
    axes.imshow(_pixels(panel), "gray", extent=over)
    image = axes.imshow(picture.shares, "inferno", vmin=0, vmax=1, alpha=0.55, extent=over)
    axes.set_title(picture.title, fontsize=7)
    axes.set(xlim=(0, 2 - GAP), ylim=(0, aspect), aspect="equal")
    return image


@style()
def faithfulness_figure(
    names: Sequence[str],
    areas: Sequence[tuple[float, float]],
    layers: Sequence[str],
    correlations: NDArray[np.float64],
    title: str,
) -> Figure:
    """Areas under the deletion and insertion curves, and what is left without weights.

    Args:
        names: of the methods.
        areas: of each, deletion and insertion.
        layers: down to which weights were shuffled, from the logits on.
        correlations: (n_methods, n_layers); NaN where there is none.
        title: of the figure.
    """
    figure = empty_figure(height=2.0 + 0.3 * len(names))
    figure.suptitle(title, fontsize=10)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
    rows = np.arange(len(names))
    deletion, insertion = np.array(areas).T
    left.plot(deletion, rows, "o", color=BLUE, label="deletion (less is better)")
    left.plot(insertion, rows, "s", color=ORANGE, label="insertion (more is better)")
    left.set_yticks(rows, names)
    left.set(xlabel="area under the curve", ylim=(len(names) - 0.5, -0.5))
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), fontsize=7)
    image = right.imshow(correlations, "RdBu_r", vmin=-1, vmax=1, aspect="auto")
    right.set_xticks(range(len(layers)), layers, rotation=90, fontsize=7)
    right.set_yticks([])
    right.grid(visible=False)
    right.set(xlabel="weights shuffled from the logits down to", ylim=left.get_ylim())
    figure.colorbar(image, ax=right, label="rank correlation with the trained net's")
    return figure
