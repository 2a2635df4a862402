"""Figures of two nets side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convscope.figures import BLUE, ORANGE, empty_figure, style
from convscope.inside.compare.cka import Alignment
from convscope.inside.compare.disagreement import Answers, mcnemar
from convscope.inside.compare.matching import Matches

COLUMNS = 4


@style()
def cka_figure(alignment: Alignment, names: tuple[str, str]) -> Figure:
    """CKA of every layer of one net with every layer of the other."""
    rows, columns = alignment.names, alignment.other_names
    figure = empty_figure(height=max(3.0, min(7.5, 1.6 + 0.32 * len(rows))))
    axes = figure.subplots()
    image = axes.imshow(alignment.cka, "viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel=names[1], ylabel=names[0])
    axes.grid(visible=False)
    if max(len(rows), len(columns)) <= 12:
        for (i, j), value in np.ndenumerate(alignment.cka):
            colour = "black" if value > 0.6 else "white"
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, label=f"linear CKA ({alignment.n_clips} clips)")
    axes.set_title("how alike the layers of two nets are", loc="left", fontsize=9)
    return figure


@style()
def matches_figure(best: Mapping[str, NDArray[np.float64]], names: tuple[str, str]) -> Figure:
    """For each layer, the correlation of every unit with its best partner in the other net.

    Args:
        best: (n_units,) of each layer.
        names: of the nets.
    """
    figure = empty_figure(height=3.8)
    axes = figure.subplots()
    for place, values in enumerate(best.values()):
        spread = np.linspace(-0.3, 0.3, len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(place + spread, np.sort(values), ".", color=BLUE, ms=4)
        middle = float(np.median(values))
        axes.plot([place - 0.35, place + 0.35], [middle, middle], color=ORANGE, lw=2)
    axes.plot([], [], ".", color=BLUE, label="a unit")
    axes.plot([], [], color=ORANGE, lw=2, label="median")
    turned: Any = {"rotation": 45, "ha": "right"} if len(best) > 8 else {}
    axes.set_xticks(range(len(best)), list(best), **turned)
    low = min((float(values.min()) for values in best.values()), default=0.0)
    axes.set_ylim(min(0.0, low) - 0.02, 1.02)
    axes.set(xlabel="layer of the same name", ylabel="correlation with the best unit")
    axes.set_title(f"units of {names[0]} and their likes in {names[1]}", loc="left", fontsize=9)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@style()
def pairs_figure(
    one: NDArray[np.float32],
    two: NDArray[np.float32],
    found: Matches,
    shown: NDArray[np.int64],
    names: tuple[str, str],
) -> Figure:
    """First-layer filters beside their best match: of sound as curves, of images as pictures.

    Args:
        one: (n_filters, n_channels, n_taps, …).
        two: of the other net.
        found: the matches.
        shown: (n,) which filters of the first.
        names: of the nets.
    """
    n_rows = -(-len(shown) // COLUMNS)
    figure = empty_figure(height=0.7 + 1.5 * n_rows)
    grid = figure.subplots(n_rows, COLUMNS, squeeze=False).ravel()
    for axes in grid[len(shown) :]:
        axes.set_visible(False)
    for axes, i in zip(grid, shown, strict=False):
        j = int(found.best[i])
        axes.set_title(f"{i} and {j}: {found.likeness[i]:.2f}", fontsize=8)
        if one.ndim == 3:
            _curves(axes, one[i], two[j])
        else:
            _pictures(axes, one[i], two[j])
    how = "(blue; orange, shifted to match)" if one.ndim == 3 else "(left; right)"
    figure.suptitle(
        f"conv1 of {_short(names[0])} and {_short(names[1])}, the most alike filters: numbers and "
        f"likeness\n{how}",
        fontsize=9,
    )
    return figure


def _curves(axes: Axes, one: NDArray[np.float32], two: NDArray[np.float32]) -> None:
    """The first channel of both, of unit norm, the second shifted and turned to match."""
    a, b = (each[0] / max(float(np.linalg.norm(each)), 1e-30) for each in (one, two))
    products = np.correlate(a, b, "full")
    k = int(np.abs(products).argmax())
    shift = k - (len(b) - 1)
    axes.plot(a, color=BLUE, lw=2, alpha=0.6)
    axes.plot(np.arange(len(b)) + shift, np.sign(products[k]) * b, color=ORANGE, lw=0.7)
    axes.tick_params(labelsize=7)
    axes.set_yticks([])
    axes.set_xlabel("tap", fontsize=7)


def _pictures(axes: Axes, one: NDArray[np.float32], two: NDArray[np.float32]) -> None:
    """Both as pictures with grey between; each on its own scale."""
    a, b = _picture(one), _picture(two)
    height = max(a.shape[0], b.shape[0])
    gap = np.full((height, 1, 3), 0.5)
    padded = [np.pad(each, ((0, height - len(each)), (0, 0), (0, 0)), "edge") for each in (a, b)]
    axes.imshow(np.concatenate([padded[0], gap, padded[1]], axis=1), interpolation="nearest")
    axes.set_axis_off()


def _picture(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """(height, width, 3): in colour of three channels, else the mean over channels."""
    rgb = weight if len(weight) == 3 else np.repeat(weight.mean(axis=0, keepdims=True), 3, axis=0)
    reach = float(np.abs(rgb).max()) or 1.0
    return np.asarray(0.5 + 0.5 * rgb.transpose(1, 2, 0) / reach, dtype=np.float64)


@style()
def confusions_figure(answers: Answers, names: tuple[str, str]) -> Figure:
    """The confusions of two runs on the same clips, and where the second errs more or less."""
    one, two = answers.confusions
    size = max(2.4, min(3.2, 1.2 + 0.12 * len(answers.classes)))
    figure = empty_figure(height=size + 0.9)
    axes = figure.subplots(1, 3, sharey=True)
    errors = [matrix * (1 - np.eye(len(matrix), dtype=np.int64)) for matrix in (one, two)]
    most = max(1, *(int(each.max()) for each in errors))
    titles = [_short(name) for name in names]
    for each, matrix, title in zip(axes, errors, titles, strict=False):
        image = each.imshow(matrix, "Blues", vmin=0, vmax=most)
        each.set_title(f"{title}: {matrix.sum()} errors", fontsize=8)
    figure.colorbar(image, ax=list(axes[:2]), location="bottom", shrink=0.5, label="clips")
    change = errors[1] - errors[0]
    reach = max(1, int(np.abs(change).max()))
    shown = axes[2].imshow(change, "PuOr_r", vmin=-reach, vmax=reach)
    axes[2].set_title("second − first", fontsize=8)
    figure.colorbar(shown, ax=axes[2], location="bottom", label="clips")
    for each in axes:
        _label(each, answers.classes)
    axes[0].set_ylabel("actual")
    test = mcnemar(answers.one == answers.labels, answers.two == answers.labels)
    figure.suptitle(
        f"errors on the same {len(answers.ids)} test clips; right by one alone: {test.only_one} "
        f"and {test.only_two}, McNemar's p = {test.p:.2g}",
        fontsize=9,
    )
    return figure


def _label(axes: Axes, classes: Sequence[str]) -> None:
    size = 7 if len(classes) <= 20 else 5
    axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=size)
    axes.set_yticks(range(len(classes)), classes, fontsize=size)
    axes.set_xlabel("predicted")
    axes.grid(visible=False)


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
