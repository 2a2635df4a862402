"""A contact sheet of the clips that are most suspect."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convscope.figures import empty_figure, power_decibels, style

COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """One clip on the sheet.

    Attributes:
        clip: (n_channels, …) of full scale 1.
        title: what it is suspected of, in two lines at most.
    """

    clip: NDArray[np.floating]
    title: str


@style()
def contact_sheet(panels: Sequence[Panel], rate_hz: int | None, title: str) -> Figure:
    """Small pictures of clips: a sound's power over time and frequency, or the image.

    Args:
        panels: the clips.
        rate_hz: of sounds; None of images.
        title: of the sheet.
    """
    n_rows = -(-len(panels) // COLUMNS)
    figure = empty_figure(height=0.6 + 1.75 * n_rows)
    grid = figure.subplots(n_rows, COLUMNS, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for k, (axes, panel) in enumerate(zip(grid, panels, strict=False)):
        axes.set_title(panel.title, fontsize=7.5)
        axes.grid(visible=False)
        if rate_hz is None:
            _image(axes, panel.clip)
        else:
            _sound(axes, panel.clip[0], rate_hz, is_first=k % COLUMNS == 0)
    if rate_hz is not None:
        for axes in grid[max(0, len(panels) - COLUMNS) : len(panels)]:
            axes.set_xlabel("time (s)", fontsize=7.5)
    figure.suptitle(title, fontsize=9)
    return figure


def _sound(axes: Axes, wave: NDArray[np.floating], rate_hz: int, is_first: bool) -> None:
    n_window = max(2, round(0.016 * rate_hz))
    decibels = power_decibels(wave.astype(np.float32), n_window, max(1, n_window // 4))
    extent = (0, len(wave) / rate_hz, 0, rate_hz / 2000)
    axes.imshow(decibels, "magma", vmin=-80, vmax=0, extent=extent, aspect="auto")
    axes.tick_params(labelsize=7)
    if is_first:
        axes.set_ylabel("kHz", fontsize=7.5)


def _image(axes: Axes, image: NDArray[np.floating]) -> None:
    shown = np.clip(image, 0, 1)
    if len(shown) == 1:
        axes.imshow(shown[0], "gray", vmin=0, vmax=1)
    else:
        axes.imshow(shown.transpose(1, 2, 0))
    axes.set_axis_off()
