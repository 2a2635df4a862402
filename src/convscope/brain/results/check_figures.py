"""Pictures for a person who checks a study: what was heard, and each column beside its map."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from convscope.brain.records import Space
from convscope.brain.results.maps import draw_slices, slices_inches
from convscope.figures import BLUE, ORANGE, WIDTH_INCHES, style

Array = NDArray[np.float64]

N_STRONGEST = 20
"""Voxels whose mean is drawn over a column: enough to be smooth, few enough to lie close."""


@style()
def sounds_figure(seconds: ArrayLike, levels_db: ArrayLike) -> Figure:
    """How long and how loud sounds are, each as a histogram.

    Args:
        seconds: (n_sounds,).
        levels_db: (n_sounds,) root mean square re full scale; silence is left out.
    """
    figure = Figure(figsize=(WIDTH_INCHES, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _histogram(left, np.asarray(seconds), "duration in s")
    _histogram(right, np.asarray(levels_db), "level in dB re full scale")
    left.set_ylabel("sounds")
    return figure


@style()
def column_figure(
    column: ArrayLike, z: ArrayLike, volumes: Array, tr_seconds: float, space: Space, name: str
) -> Figure:
    """A column of the design above its map, with the mean of the voxels that follow it most.

    What a column is called shows nowhere in the volumes: whether its map lies where such a
    condition belongs, a person has to see.

    Args:
        column: (n_volumes,) of one run.
        z: (n_voxels,) of the column's effect over all runs.
        volumes: (n_volumes, n_voxels) of the same run.
        tr_seconds: from volume to volume.
        space: of the voxels.
        name: of the column.
    """
    z = np.asarray(z)
    below = slices_inches(space)
    figure = Figure(figsize=(WIDTH_INCHES, 2.2 + below), layout="constrained")
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[2.2, below])[:, 0]
    axes = upper.add_subplot()
    seconds = np.arange(len(volumes)) * tr_seconds
    strongest = np.argsort(np.nan_to_num(z, nan=-np.inf))[-N_STRONGEST:]
    axes.plot(seconds, _z(volumes[:, strongest]).mean(axis=1), color=BLUE, lw=1)
    axes.plot(seconds, _z(np.asarray(column)), color=ORANGE, lw=1.5, ls="--")
    axes.set_xlabel("time in s")
    axes.set_ylabel("z over volumes")
    n = len(strongest)
    axes.legend(
        [f"mean of the {n} voxels of greatest z", name],
        loc="lower left",
        ncols=2,
        bbox_to_anchor=(0, 1),
    )
    draw_slices(lower, z, space, f"z of {name}")
    return figure


def _z(values: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        scores: Array = (values - values.mean(axis=0)) / values.std(axis=0)
    return scores


def _histogram(axes: Axes, values: Array, label: str) -> None:
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if high - low < 1e-6:
        low, high = low - 0.5, high + 0.5
    axes.hist(finite, bins=list(np.linspace(low, high, 25)), color=BLUE)
    axes.set_xlabel(label)
