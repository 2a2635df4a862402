"""Pictures of what drives units and classes most."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
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

COLUMNS = 4
FEWEST_TIMES = 1024  # of a spectrogram; shorter sounds have a spectrum
FFT_SIZE = 4096
MOST_POINTS = 800  # of a waveform; of longer ones their envelope is drawn
DEAD_SHADE = 0.77


@style()
def sounds_figure(
    waves: NDArray[np.float32], names: Sequence[str], rate_hz: int, title: str
) -> Figure:
    """Sounds, each over its spectrogram, or over its spectrum where it is too short for one.

    Args:
        waves: (n_sounds, n_times), full scale 1; NaN where there is nothing to show.
        names: n_sounds of them.
        rate_hz: samples a second.
        title: of the whole.
    """
    n_rows = -(-len(waves) // COLUMNS)
    figure = empty_figure(height=0.5 + 2.3 * n_rows)
    figure.suptitle(title)
    cells = np.ravel(figure.subfigures(n_rows, min(COLUMNS, len(waves)), squeeze=False))
    for i, (cell, wave, name) in enumerate(zip(cells, waves, names, strict=False)):
        _draw_sound(cell, wave, name, rate_hz, is_first=i % COLUMNS == 0)
    return figure


def _draw_sound(
    cell: SubFigure, wave: NDArray[np.float32], name: str, rate_hz: int, is_first: bool
) -> None:
    if np.isnan(wave).any():
        blank = cell.subplots()
        blank.set(xticks=[], yticks=[], facecolor=str(DEAD_SHADE))
        blank.set_title(name, fontsize=8)
        return
    above, below = cell.subplots(2, 1, height_ratios=(1, 2))
    in_ms = len(wave) < 0.3 * rate_hz
    scale, unit = (1e3, "ms") if in_ms else (1.0, "s")
    times = np.arange(len(wave)) / rate_hz * scale
    above.plot(*envelope(times, wave, MOST_POINTS), color=BLUE, lw=0.7)
    above.set_title(name, fontsize=8)
    above.set_yticks([])
    above.margins(x=0)
    if len(wave) >= FEWEST_TIMES:
        decibels = power_decibels(wave, 256, 64)
        extent = (0, times[-1], 0, rate_hz / 2000)
        below.imshow(decibels, "magma", vmin=-60, vmax=0, extent=extent, aspect="auto")
        below.grid(visible=False)
        below.set_xlabel(f"time ({unit})", fontsize=8)
        above.sharex(below)
        above.tick_params(labelbottom=False)
        label = "frequency (kHz)"
    else:
        _draw_spectrum(below, wave, rate_hz)
        above.set_xlabel(f"time ({unit})", fontsize=7, labelpad=0)
        label = "magnitude (dB)"
    for axes in (above, below):
        axes.tick_params(labelsize=7)
        axes.xaxis.set_major_locator(MaxNLocator(3))
    if is_first:
        below.set_ylabel(label, fontsize=8)


def _draw_spectrum(axes: Axes, wave: NDArray[np.float32], rate_hz: int) -> None:
    magnitude = np.abs(np.fft.rfft(wave, FFT_SIZE))
    decibels = 20 * np.log10(np.maximum(magnitude / (magnitude.max() or 1), 1e-3))
    axes.plot(np.fft.rfftfreq(FFT_SIZE, 1 / rate_hz) / 1000, decibels, color=ORANGE, lw=0.8)
    axes.set(ylim=(-60, 3))
    axes.set_xlabel("frequency (kHz)", fontsize=8)
    axes.margins(x=0)


@style()
def images_figure(images: NDArray[np.float32], names: Sequence[str], title: str) -> Figure:
    """Images, each on a scale of its own from its darkest to its brightest.

    Args:
        images: (n_images, n_channels, height, width); three channels are red, green and blue; grey
            where they are NaN.
        names: n_images of them.
        title: of the whole.
    """
    n_rows = -(-len(images) // COLUMNS)
    figure = empty_figure(height=0.5 + 2.2 * n_rows)
    figure.suptitle(title)
    places = np.ravel(figure.subplots(n_rows, min(COLUMNS, len(images)), squeeze=False))
    for axes in places:
        axes.set_axis_off()
    for axes, image, name in zip(places, images, names, strict=False):
        low, high = np.nan_to_num([image.min(), image.max()])
        scaled = (image - low) / max(high - low, 1e-12)
        shown = scaled.transpose(1, 2, 0) if len(image) == 3 else scaled.mean(0)
        shown = np.where(np.isnan(shown), DEAD_SHADE, shown)
        axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(name, fontsize=9)
    return figure


@style()
def traces_figure(
    logits: NDArray[np.float32],
    log_probabilities: NDArray[np.float32],
    names: Sequence[str],
    title: str,
) -> Figure:
    """How logits climb, and the loss under the softmax falls, step by step.

    Args:
        logits: (n_steps + 1, n_classes) each class's own, as its own input climbs.
        log_probabilities: the same, under the softmax.
        names: n_classes of them.
        title: of the whole.
    """
    figure = empty_figure(height=5.0)
    figure.suptitle(title)
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, traces in ((above, logits), (below, -log_probabilities)):
        axes.plot(traces, color=GREY, lw=0.6, alpha=0.7)
        axes.plot(np.median(traces, axis=1), color=BLUE, lw=1.8, label="median")
    above.set(ylabel="logit, maximised")
    below.set(xlabel="step", ylabel="cross-entropy, not minimised")
    below.set_ylim(bottom=0)
    for i in {int(logits[-1].argmin()), int(logits[-1].argmax())}:
        above.annotate(
            names[i], (len(logits) - 1, logits[-1, i]), (3, -3), textcoords="offset points"
        )
    above.legend(loc="upper left")
    return figure
