"""Pictures of feature maps: over time beneath the waveform, their spectra, and as small images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from convscope.figures import GREY, empty_figure, envelope, style
from convscope.inside.maps.maps import FeatureMaps, step_times
from convscope.inside.maps.stft import Stft
from convscope.inside.results.tiles import DEAD, Tiles, images_figure

FLOOR_DB = -60

MOST_MAPS = 128


@dataclass(frozen=True)
class Heard:
    """A sound, and what it is called.

    Attributes:
        title: of the figure.
        waveform: (n_times,), full scale is 1.
        rate_hz: samples a second.
    """

    title: str
    waveform: NDArray[np.floating]
    rate_hz: float

    @property
    def duration_ms(self) -> float:
        return 1000 * len(self.waveform) / self.rate_hz


@style()
def sound_maps_figure(heard: Heard, maps: Mapping[str, FeatureMaps]) -> Figure:
    """The maps of some layers below the waveform, on one time axis in ms; dead units in grey.

    A row is a unit, drawn at the middle of what each step sees of the clip; colours go from the
    layer's least answer to its largest.
    """
    heights = [0.9, *(_panel_inches(len(maps), each) for each in maps.values())]
    figure = empty_figure(height=0.9 + sum(heights))
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
    above, *below = panels[:, 0]
    _draw_waveform(above, heard)
    for axes, (name, each) in zip(below, maps.items(), strict=True):
        image = _draw_map(axes, each, heard.rate_hz)
        axes.set_ylabel(f"{name}\nunit")
        figure.colorbar(image, ax=axes, pad=0.01, aspect=12 if len(maps) > 1 else 40)
    panels[-1, 0].set_xlabel("time (ms)")
    return figure


def _panel_inches(n_layers: int, maps: FeatureMaps) -> float:
    """All layers are low; a layer alone has room for its units' numbers."""
    return 0.85 if n_layers > 1 else float(np.clip(0.1 * len(maps.values), 2.5, 9))


def _draw_waveform(axes: Axes, heard: Heard) -> None:
    times = 1000 * np.arange(len(heard.waveform)) / heard.rate_hz
    axes.plot(*envelope(times, heard.waveform), color=GREY, lw=0.6)
    axes.set(ylabel="amplitude", xlim=(0, heard.duration_ms))
    axes.set_title(heard.title, loc="left", size=10)


def _draw_map(axes: Axes, maps: FeatureMaps, rate_hz: float) -> AxesImage:
    n_units = len(maps.values)
    times = 1000 * step_times(maps.layer, rate_hz)
    assert maps.layer.fields is not None
    half = 500 * maps.layer.fields[0].stride / rate_hz
    shown = np.where(maps.dead[:, None], np.nan, _thinned(maps.values))
    extent = (times[0] - half, times[-1] + half, n_units - 0.5, -0.5)
    image = axes.imshow(shown, "viridis", extent=extent, aspect="auto", interpolation="nearest")
    image.set_cmap(image.get_cmap().with_extremes(bad=DEAD))
    axes.grid(visible=False)
    dead = np.flatnonzero(maps.dead)
    if len(dead):
        axes.set_title(_dead_text(dead, n_units), loc="left", size=7, pad=2, color="#555555")
    return image


def _thinned(values: NDArray[np.float32], most: int = 2000) -> NDArray[np.float32]:
    """(n_units, at most `most`): of more steps the largest of each few, that no click is lost."""
    n_each = -(-values.shape[1] // most)
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % n_each)), mode="edge")
    return np.asarray(padded.reshape(len(values), -1, n_each).max(axis=2))


def _dead_text(dead: NDArray[np.int64], n_units: int) -> str:
    named = ", ".join(map(str, dead[:24])) + (" …" if len(dead) > 24 else "")
    return f"dead on this clip (grey): {len(dead)} of {n_units}: {named}"


@dataclass(frozen=True)
class SpectraRow:
    """The spectra of some of a layer's maps.

    Attributes:
        name: of the layer.
        units: (n_units,) which.
        spectra: of their maps.
        start_s: when the map's first step is.
    """

    name: str
    units: NDArray[np.int64]
    spectra: Stft
    start_s: float


@style()
def map_spectra_figure(heard: Heard, rows: Sequence[SpectraRow]) -> Figure:
    """The short-time spectra of maps, a layer a row, each unit in dB below its largest power."""
    n_columns = max(len(row.units) for row in rows)
    figure = empty_figure(height=1.3 + 1.45 * len(rows))
    every = figure.subplots(len(rows), n_columns, sharex=True, sharey="row", squeeze=False)
    for row, line in zip(rows, every, strict=True):
        for i, axes in enumerate(line):
            if i < len(row.units):
                image = _draw_spectrum(axes, row, i)
            else:
                axes.set_axis_off()
        window, stride = row.spectra.window, row.spectra.stride
        line[0].set_ylabel(f"{row.name} (Hz)\n{window} by {stride}", size=8)
    every[0, 0].set_xlim(0, heard.duration_ms)
    for axes in every[-1]:
        axes.set_xlabel("time (ms)", size=8)
    figure.suptitle(heard.title, x=0.01, ha="left", size=10)
    bar = figure.colorbar(image, ax=every, location="bottom", shrink=0.4, aspect=40, pad=0.01)
    bar.set_label("power (dB re each map's maximum); at the left: window by stride in steps")
    return figure


def _draw_spectrum(axes: Axes, row: SpectraRow, i: int) -> AxesImage:
    spectra, power = row.spectra, row.spectra.power[i]
    share = power / (power.max() or 1.0)
    decibels = 10 * np.log10(np.maximum(share, 1e-12))
    times = 1000 * (spectra.times_s + row.start_s)
    half = 1000 * spectra.hop_s / 2
    image = axes.imshow(
        decibels,
        "magma",
        vmin=FLOOR_DB,
        vmax=0,
        origin="lower",
        extent=(times[0] - half, times[-1] + half, 0, spectra.frequencies_hz[-1]),
        aspect="auto",
        interpolation="nearest",
    )
    axes.grid(visible=False)
    axes.set_title(f"{row.name}:{row.units[i]}", size=7.5, pad=2)
    axes.tick_params(labelsize=7)
    return image


def image_maps_figure(maps: FeatureMaps, title: str, about: str) -> Figure:
    """The maps of a layer on an image as small images, the dead ones grey.

    Args:
        maps: of one layer; of more than 128 units the strongest are shown.
        title: of the figure.
        about: what across and down are.
    """
    n_units = len(maps.values)
    shown = np.sort(maps.strongest[:MOST_MAPS])
    values = np.where(maps.dead[shown, None, None], np.nan, maps.values[shown])
    n_dead = int(maps.dead.sum())
    count = f"{n_units} units" if n_units <= MOST_MAPS else f"{MOST_MAPS} strongest of {n_units}"
    tiles = Tiles(
        values=values,
        labels=[f"{maps.layer.name}:{i}" for i in shown],
        title=f"{title}\n{maps.layer.name}: {count}, {n_dead} dead on this clip (grey)",
        about=about,
    )
    return images_figure(tiles, "viridis", "answer (share of each map's largest)")
