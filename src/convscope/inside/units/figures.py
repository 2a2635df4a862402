"""Figures of what units say of no clip, of one class, or of all."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convscope.figures import BLUE, GREEN, GREY, ORANGE, empty_figure, style
from convscope.inside.units.selectivity import Selectivity

MOST_NAMED_UNITS = 64


@style()
def dead_layers_figure(layers: Sequence[Mapping[str, Any]], n_clips: int) -> Figure:
    """Layer by layer: the shares of units of no use, and how much units prefer one class.

    Args:
        layers: a row a layer, as the table `dead_layers` has them.
        n_clips: that were shown.
    """
    has_classes = "selectivity_median" in layers[0]
    figure = empty_figure(height=5.6 if has_classes else 3.0)
    panels = figure.subplots(2 if has_classes else 1, 1, sharex=True, squeeze=False)[:, 0]
    figure.suptitle(f"units of each layer, over {n_clips} clips", fontsize=10)
    _draw_useless(panels[0], layers)
    if has_classes:
        _draw_preference(panels[1], layers)
    names = [f"{row['layer']}\n{row['activation'] or '–'}\n{row['units']}" for row in layers]
    panels[-1].set_xticks(range(len(layers)), names, fontsize=8 if len(layers) <= 12 else 6)
    panels[-1].set_xlabel("layer, activation, number of units")
    return figure


def _draw_useless(axes: Axes, layers: Sequence[Mapping[str, Any]]) -> None:
    x = np.arange(len(layers))
    kinds = (("dead", ORANGE), ("pinned", BLUE), ("duplicate", GREEN))
    for i, (kind, colour) in enumerate(kinds):
        counts = [row[kind] for row in layers]
        shares = [row[kind] / row["units"] for row in layers]
        bars = axes.bar(x + (i - 1) * 0.27, shares, 0.25, color=colour, label=kind)
        axes.bar_label(bars, [str(n) if n else "" for n in counts], fontsize=7)
    if not any(row[kind] for row in layers for kind, _ in kinds):
        axes.text(
            0.5, 0.5, "none is dead, pinned or a duplicate", transform=axes.transAxes, ha="center"
        )
    axes.set(ylabel="share of the layer's units", ylim=(0, 1.15))
    axes.legend(ncols=3, loc="upper left")


def _draw_preference(axes: Axes, layers: Sequence[Mapping[str, Any]]) -> None:
    x = np.arange(len(layers))
    column = {
        key: np.array([row[key] for row in layers], dtype=np.float64)
        for key in ("selectivity_median", "selectivity_median_by_chance")
    }
    axes.plot(x, column["selectivity_median"], "o-", color=BLUE, label="median selectivity")
    axes.plot(
        x,
        column["selectivity_median_by_chance"],
        "--",
        color=GREY,
        label="the same under shuffled labels",
    )
    owned = [row["classes_with_a_unit"] / row["classes"] for row in layers]
    axes.plot(x, owned, "s-", color=ORANGE, label="classes that have a unit of their own")
    for i, row in enumerate(layers):
        if not owned[i]:
            continue
        text = f"{row['classes_with_a_unit']}/{row['classes']}"
        axes.annotate(
            text, (i, owned[i]), (0, 6), textcoords="offset points", ha="center", fontsize=7
        )
    axes.set(ylabel="selectivity, share of classes", ylim=(-0.02, 1.12))
    axes.legend(loc="upper left", fontsize=8)


@style()
def class_units_figure(layer: str, select: Selectivity, classes: Sequence[str]) -> Figure:
    """A layer's units over the classes, sorted by the class that each prefers.

    Each column is a unit's mean positive response to each class, over its largest; above it stands
    its selectivity. A dot marks the class that alone uses a unit.

    Args:
        layer: its name.
        select: of its units.
        classes: names, in the order of `select.classes`.
    """
    order = np.lexsort((-np.nan_to_num(select.index), _places(select)))
    figure = empty_figure(height=2.3 + 0.17 * max(len(classes), 8))
    above, below = _panels(figure, classes)
    above.bar(range(len(order)), np.nan_to_num(select.index[order]), 0.8, color=BLUE)
    above.set(ylabel="selectivity", ylim=(0, 1), xticks=[], xlim=(-0.5, len(order) - 0.5))
    above.set_title(_owned_text(layer, select), fontsize=10)
    largest = np.maximum(select.means.max(1, keepdims=True), 1e-30)
    shares = (select.means / largest)[order].T
    below.imshow(shares, "Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    _mark_owners(below, select, order)
    below.set_yticks(range(len(classes)), classes, fontsize=8 if len(classes) <= 24 else 6)
    _name_units(below, order)
    below.set_xlabel(
        f"unit of {layer}, sorted by the class that it prefers\n"
        "blue: mean response, up to the unit's largest; dot: the only class that uses it"
    )
    below.grid(visible=False)
    return figure


def _panels(figure: Figure, classes: Sequence[str]) -> tuple[Axes, Axes]:
    """Two panels in fixed places: to let matplotlib find them costs more than all the drawing."""
    figure.set_layout_engine("none")
    width, height = figure.get_size_inches()
    left = (0.4 + 0.075 * max(8, *(len(name) for name in classes))) / width
    wide = 1 - left - 0.15 / width
    bottom, gap, low = 0.8 / height, 0.12 / height, 0.8 / height
    top = 1 - 0.3 / height
    above = figure.add_axes((left, top - low, wide, low))
    return above, figure.add_axes((left, bottom, wide, top - low - gap - bottom))


def _places(select: Selectivity) -> NDArray[np.int64]:
    """Where each unit's preferred class stands; the silent units come last."""
    places = np.searchsorted(select.classes, select.preferred)
    return np.where(select.preferred < 0, len(select.classes), places)


def _owned_text(layer: str, select: Selectivity) -> str:
    owned = select.owner[select.owner >= 0]
    silent = int((select.preferred < 0).sum())
    text = (
        f"{layer}: {len(np.unique(owned))} of {len(select.classes)} classes have a unit of their "
        f"own; {len(owned)} of {len(select.owner)} units serve one class alone"
    )
    return text + (f", {silent} are silent" if silent else "")


def _mark_owners(axes: Axes, select: Selectivity, order: NDArray[np.int64]) -> None:
    owner = select.owner[order]
    x = np.flatnonzero(owner >= 0)
    axes.plot(x, np.searchsorted(select.classes, owner[x]), ".", color=ORANGE, ms=6)


def _name_units(axes: Axes, order: NDArray[np.int64]) -> None:
    """Each column's unit, where there is room."""
    if len(order) <= MOST_NAMED_UNITS:
        axes.set_xticks(range(len(order)), [str(unit) for unit in order])
        axes.tick_params("x", rotation=90 * (len(order) > 16), labelsize=8 - 2 * (len(order) > 24))
    else:
        axes.set_xticks([])
