"""Figures of what classifiers make of each layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convscope.figures import BLUE, GREEN, GREY, ORANGE, empty_figure, style

COLOURS = (BLUE, ORANGE, GREEN, "#E69F00", "#56B4E9", "#CC79A7", "#000000", GREY)
MARKERS = "o^sDvP*X"
"""Colours and forms together tell 64 classes apart."""

CLASSIFIER_NAMES = {"linear": "linear probe", "knn": "10 nearest neighbours", "svm": "SVM (RBF)"}


@style()
def probe_figure(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Accuracy of each classifier over the layers, with 95 % intervals and chance.

    Args:
        rows: a row for each layer and classifier: layer, features, classifier, accuracy, low, high,
            chance.
        title: what was trained and tested.
    """
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    figure = empty_figure(height=4.4)
    axes = figure.subplots()
    names = list(dict.fromkeys(row["classifier"] for row in rows))
    for k, name in enumerate(names):
        own = [row for row in rows if row["classifier"] == name]
        places = [layers.index(row["layer"]) + 0.16 * (k - (len(names) - 1) / 2) for row in own]
        values = np.array([[row["accuracy"], row["low"], row["high"]] for row in own]).T
        reach = (values[0] - values[1], values[2] - values[0])
        form = MARKERS[k] + ("-" if len(own) > 1 else "")
        drawn = axes.errorbar(places, values[0], reach, fmt=form, color=COLOURS[k], lw=1, ms=5)
        drawn.set_label(CLASSIFIER_NAMES.get(name, name))
    axes.axhline(rows[0]["chance"], color=GREY, ls="--", label="chance: the commonest class")
    counts = {row["layer"]: row["features"] for row in rows}
    turned: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if len(layers) > 6 else {}
    )
    axes.set_xticks(range(len(layers)), [f"{name} ({counts[name]})" for name in layers], **turned)
    axes.set(xlabel="layer (features)", ylabel="test accuracy (95 % interval)")
    axes.set_ylim(0, 1.02)
    axes.set_title(title, loc="left", fontsize=9)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


@style()
def map_figure(places: NDArray[np.float32], names: Sequence[str], title: str) -> Figure:
    """A map of clips, coloured by class, with each class's name at the middle of its clips.

    Args:
        places: (n_clips, 2).
        names: (n_clips,) each clip's class.
        title: of which layer.
    """
    figure = empty_figure(height=6.6)
    axes = figure.subplots()
    classes = sorted(set(names))
    of_class = np.array(names)
    for k, name in enumerate(classes):
        own = places[of_class == name]
        colour = COLOURS[k % len(COLOURS)]
        form = MARKERS[(k // len(COLOURS) + k) % len(MARKERS)]
        axes.scatter(own[:, 0], own[:, 1], s=14, c=colour, marker=form, lw=0, alpha=0.75)
        axes.plot([], [], form, color=colour, label=f"{name} ({len(own)})")
        _name(axes, np.median(own, axis=0), name, colour)
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)
    axes.set_title(title, loc="left", fontsize=9)
    figure.legend(loc="outside right upper", title="class (clips)")
    return figure


def _name(axes: Axes, place: NDArray[np.float32], name: str, colour: str) -> None:
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": colour, "pad": 1.5}
    axes.text(float(place[0]), float(place[1]), name, ha="center", va="center", bbox=box)
