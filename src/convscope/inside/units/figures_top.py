"""Contact sheets: what drives some units most and least, cut out of its clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from convscope.figures import GREY, ORANGE, empty_figure, envelope, power_decibels, style

GAP = 0.06
"""Between cells, which are 1 wide."""

MOST_POINTS = 400
"""Of a waveform; of longer ones their envelope is drawn."""

LEAST_SPECTROGRAM_SECONDS = 0.1

CELL_INCHES, LABEL_INCHES = 0.81, 0.36
"""The width of one of eight cells, and the room for its label."""

BREAK = np.full((2, 1), np.nan)
"""Between lines that are drawn as one."""

UPPER, LOWER = (0.62, 1.0), (0.0, 0.56)
"""The heights of a waveform and its spectrogram in a row."""


@dataclass(frozen=True)
class Cell:
    """A stretch in its surroundings.

    Attributes:
        values: (n_times,) of a waveform; (n_rows, n_columns), or (n_rows, n_columns, 3) of colours
            from 0 to 1, the first row on top.
        box: first and behind the last place along each axis that the unit sees.
        label: lines of text below.
    """

    values: NDArray[np.floating]
    box: tuple[tuple[int, int], ...]
    label: str


@style()
def contact_sheet(
    title: str, rows: Mapping[str, Sequence[Cell]], rate_hz: int | None = None
) -> Figure:
    """A row of cells for each name; in each cell, what the unit sees is orange.

    Sounds are drawn as waveforms, each up to its own peak, and where they last 0.1 s at least with
    their spectrograms below, up to the Nyquist frequency.

    Args:
        title: of the sheet.
        rows: cells by the name of their row; all of one size.
        rate_hz: samples a second of waveforms.
    """
    first = next(iter(rows.values()))[0].values
    n_cells = max(len(cells) for cells in rows.values())
    row = _row_inches(first, rate_hz) * min(1, 8 / n_cells)
    height = 0.55 + (row + LABEL_INCHES) * len(rows)
    figure = empty_figure(height)
    figure.set_layout_engine("none")  # finding the places costs more than all the drawing
    figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", fontsize=9)
    all_axes = [
        figure.add_axes(
            (0.13, 1 - (0.5 + (i + 1) * row + i * LABEL_INCHES) / height, 0.86, row / height)
        )
        for i in range(len(rows))
    ]
    for axes, (name, cells) in zip(all_axes, rows.items(), strict=True):
        _draw_row(axes, cells, rate_hz)
        _finish(axes, name, n_cells)
    return figure


def _row_inches(values: NDArray[Any], rate_hz: int | None) -> float:
    if values.ndim > 1:
        return min(1.3, 1.04 * CELL_INCHES * len(values) / len(values[0]))
    return 1.1 if _has_spectrogram(values, rate_hz) else 0.6


def _has_spectrogram(wave: NDArray[Any], rate_hz: int | None) -> bool:
    return rate_hz is not None and len(wave) >= LEAST_SPECTROGRAM_SECONDS * rate_hz


def _draw_row(axes: Axes, cells: Sequence[Cell], rate_hz: int | None) -> None:
    first = cells[0].values
    if first.ndim > 1:
        _draw_pictures(axes, [cell.values for cell in cells], (0, 1), None)
        _draw_boxes(axes, cells)
    elif rate_hz is not None and _has_spectrogram(first, rate_hz):
        _draw_waves(axes, cells, UPPER)
        _draw_spectrograms(axes, cells, rate_hz)
    else:
        _draw_waves(axes, cells, (0, 1))
    for i, cell in enumerate(cells):
        place = i * (1 + GAP) + 0.5
        axes.text(place, -0.04, cell.label, ha="center", va="top", fontsize=6.5)


def _draw_waves(axes: Axes, cells: Sequence[Cell], heights: tuple[float, float]) -> None:
    """All waveforms of a row as one line, and all stretches as another."""
    low, high = heights
    lines: dict[str, list[NDArray[Any]]] = {GREY: [], ORANGE: []}
    for i, cell in enumerate(cells):
        n = len(cell.values)
        loudest = max(float(np.abs(cell.values).max()), 1e-12)
        y = (low + high) / 2 + (high - low) / 2 * cell.values / loudest
        x = i * (1 + GAP) + np.arange(n) / max(n - 1, 1)
        seen = slice(*cell.box[0])
        lines[GREY] += [envelope(x, y, MOST_POINTS), BREAK]
        lines[ORANGE] += [envelope(x[seen], y[seen], MOST_POINTS), BREAK]
    for colour, parts in lines.items():
        axes.plot(*np.concatenate(parts, axis=1), color=colour, lw=0.7)


def _draw_spectrograms(axes: Axes, cells: Sequence[Cell], rate_hz: int) -> None:
    window = round(0.016 * rate_hz)
    waves = [np.asarray(cell.values, np.float32) for cell in cells]
    powers = [power_decibels(wave, window, window // 4) for wave in waves]
    _draw_pictures(axes, powers, LOWER, (-60, 0))
    edges = [
        i * (1 + GAP) + edge / len(cell.values)
        for i, cell in enumerate(cells)
        for edge in cell.box[0]
    ]
    axes.vlines(edges, *LOWER, color="white", lw=1)


def _draw_pictures(
    axes: Axes,
    pictures: Sequence[NDArray[Any]],
    heights: tuple[float, float],
    limits: tuple[float, float] | None,
) -> None:
    """A row of pictures: colours as they are, decibels between limits, else greys from 0 to 1."""
    least, most = limits or (0, 1)
    for i, picture in enumerate(pictures):
        left = i * (1 + GAP)
        image = AxesImage(
            axes,
            cmap="magma" if limits else "gray",
            norm=Normalize(least, most),
            extent=(left, left + 1, *heights),
            interpolation="nearest",
            origin="upper",
        )
        image.set_data(picture)
        axes.add_image(image)


def _draw_boxes(axes: Axes, cells: Sequence[Cell]) -> None:
    for i, cell in enumerate(cells):
        n_rows, n_columns = cell.values.shape[:2]
        (top, bottom), (start, stop) = cell.box
        corner = (i * (1 + GAP) + start / n_columns, 1 - bottom / n_rows)
        size = ((stop - start) / n_columns, (bottom - top) / n_rows)
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=ORANGE, lw=1.2))


def _finish(axes: Axes, name: str, n_cells: int) -> None:
    axes.set(xlim=(-0.02, max(n_cells, 8) * (1 + GAP)), ylim=(-0.02, 1.02), aspect="auto")
    axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
