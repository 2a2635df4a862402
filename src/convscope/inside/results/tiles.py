"""Small multiples: many lines or images in one pair of axes, as fast for 128 of them as for 8."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convscope.figures import empty_figure, style

DEAD = "#c4c4c4"

LOWEST = 0.5
"""Of its width, a place's height: few bands over many frames are drawn higher than they are."""


@dataclass(frozen=True)
class Tiles:
    """Small multiples.

    Attributes:
        values: (n_tiles, n_taps) lines or (n_tiles, height, width) images; (…, 3) in colour.
        labels: n_tiles texts.
        title: of the figure.
        about: what one tile's axes are, such as `across: 1.6 ms (25 taps)`.
    """

    values: NDArray[np.floating]
    labels: Sequence[str]
    title: str
    about: str


def columns_for(n_tiles: int) -> int:
    """Tiles in a row: few and large, or many and small."""
    return next((n for n in (4, 8, 12) if n_tiles <= n * n // 2), 16)


@style()
def images_figure(tiles: Tiles, colours: str = "RdBu_r", bar: str | None = None) -> Figure:
    """The weights of 2-D filters, or other small images, each to its own largest.

    Args:
        tiles: images (n_tiles, height, width), or (n_tiles, height, width, 3) in [0, 1];
            grey where they are NaN.
        colours: a colour map; of a diverging one 0 is white.
        bar: what the colours mean; None: no bar.
    """
    n_columns, _ = places_of(len(tiles.values))
    shown = tiles.values if tiles.values.ndim == 4 else by_largest(tiles.values)
    mosaic, aspect = _mosaic(shown, n_columns)
    row_inches = 7.7 / n_columns * float(np.clip(aspect, LOWEST, 2))
    figure, axes = tiled(tiles, n_columns, row_inches, above_inches=0.75 if bar is None else 1.5)
    n_rows = -(-len(shown) // n_columns)
    image = axes.imshow(
        mosaic,
        colours,
        vmin=-1 if (shown < 0).any() else 0,
        vmax=1,
        extent=(0, n_columns, n_rows, 0),
        interpolation="nearest",
    )
    image.set_cmap(image.get_cmap().with_extremes(bad=DEAD, over="white"))
    axes.set(aspect="auto")
    if bar is not None:
        figure.colorbar(image, ax=axes, location="bottom", shrink=0.4, aspect=40).set_label(bar)
    return figure


def _mosaic(images: NDArray[np.floating], n_columns: int) -> tuple[NDArray[np.float64], float]:
    """Images put beside each other, with room for a label above each; and a place's height to its
    width. What lies between is above the largest value, 1, and so is white."""
    _, height, width, *colours = images.shape
    above, beside = (
        max(1, round((0.18 if n_columns <= 8 else 0.3) * height)),
        max(1, round(0.05 * width)),
    )
    n_rows = -(-len(images) // n_columns)
    places = np.full(
        (n_rows * n_columns, height + above, width + beside, *colours), 1.0 if colours else 2.0
    )
    places[: len(images), above:, :width] = images
    grid = places.reshape(n_rows, n_columns, *places.shape[1:]).swapaxes(1, 2)
    mosaic = grid.reshape(n_rows * (height + above), n_columns * (width + beside), *colours)
    return mosaic, (height + above) / (width + beside)


def places_of(n_tiles: int) -> tuple[int, NDArray[np.float64]]:
    """Tiles in a row, and the row and column of each, (n_tiles, 2)."""
    n_columns = columns_for(n_tiles)
    return n_columns, np.array([divmod(i, n_columns) for i in range(n_tiles)], dtype=float)


def tiled(
    tiles: Tiles, n_columns: int, row_inches: float, above_inches: float = 0.75
) -> tuple[Figure, Axes]:
    """Axes without a frame, a unit square for each tile, its label at its top."""
    _, places = places_of(len(tiles.values))
    n_rows = int(places[:, 0].max()) + 1
    figure = empty_figure(height=above_inches + row_inches * n_rows)
    axes = figure.subplots()
    axes.set(xlim=(0, n_columns), ylim=(n_rows + 0.02, 0), xticks=[], yticks=[])
    axes.set_title(tiles.title, loc="left", size=10)
    axes.set_xlabel(tiles.about, loc="left")
    axes.spines[:].set_visible(False)
    size = 7.5 if n_columns <= 8 else 6
    for (row, column), label in zip(places, tiles.labels, strict=True):
        text = label if n_columns <= 8 else label.partition(":")[2] or label
        axes.text(column + 0.04, row + 0.02, text, size=size, va="top", color="#444444")
    return figure, axes


def largest_of(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """The largest magnitude of each tile, (n_tiles,); 1 where all are 0."""
    largest = np.abs(values).reshape(len(values), -1).max(axis=1)
    return np.where(largest > 0, largest, 1.0)


def by_largest(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Each tile over its own largest magnitude."""
    return np.asarray(values / largest_of(values).reshape(-1, *[1] * (values.ndim - 1)))
