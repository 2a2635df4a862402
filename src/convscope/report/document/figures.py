"""The figures that a report draws itself: a network's architecture, two confusion matrices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from convscope.figures import WIDTH_INCHES, style
from convscope.models.rows import LayerRow
from convscope.types import ConfusionMatrix

BOXES_A_ROW = 6
COLOURS = {"conv": "#cfe5f3", "pool": "#f7dccb", "dense": "#cdebe1", "input": "#eeeeee"}


@dataclass(frozen=True)
class Box:
    """One block of a drawing: what it does, its output's shape, its parameters."""

    kind: str
    lines: tuple[str, ...]
    shape: str
    params: int


def boxes(layers: Sequence[LayerRow], input_shape: tuple[int, ...]) -> list[Box]:
    """A network as blocks: each convolution, pooling or dense layer with what follows it.

    The layers of a residual block are one box, named after the block.
    """
    found = [Box("input", ("input",), _sizes(input_shape), 0)]
    for row in _whole_blocks(layers):
        starts = row.kind in ("conv", "pool", "dense", "residual", "average")
        if starts or len(found) == 1:
            found.append(Box(row.kind, (row.name,), _sizes(row.shape), row.params))
        else:
            last = found[-1]
            lines = (*last.lines, row.name)
            found[-1] = Box(last.kind, lines, _sizes(row.shape), last.params + row.params)
    return found


def _whole_blocks(layers: Sequence[LayerRow]) -> list[LayerRow]:
    """Rows in which a block's parts are counted in the block's row."""
    rows: list[LayerRow] = []
    inside: list[LayerRow] = []
    for row in layers:
        if "." in row.name:
            inside.append(row)
            continue
        own = [part for part in inside if part.name.startswith(f"{row.name}.")]
        rows.append(replace(row, params=row.params + sum(part.params for part in own)))
        inside = []
    return rows


@style()
def architecture_figure(layers: Sequence[LayerRow], input_shape: tuple[int, ...]) -> Figure:
    """A network as boxes from left to right, row by row, each with its shape and parameters."""
    drawn = boxes(layers, input_shape)
    n_rows = -(-len(drawn) // BOXES_A_ROW)
    figure = Figure(figsize=(WIDTH_INCHES, 0.25 + 1.3 * n_rows), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, BOXES_A_ROW), ylim=(-n_rows, 0))
    axes.set_axis_off()
    for k, box in enumerate(drawn):
        row, column = divmod(k, BOXES_A_ROW)
        _draw_box(axes, box, column, -row)
        if k + 1 < len(drawn):
            _draw_arrow(axes, column, -row)
    return figure


def _draw_box(axes: Axes, box: Box, x: float, y: float) -> None:
    colour = COLOURS.get(box.kind, COLOURS["conv" if box.kind == "residual" else "input"])
    axes.add_patch(
        FancyBboxPatch(
            (x + 0.08, y - 0.92),
            0.8,
            0.84,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=colour,
            edgecolor="#333333",
            linewidth=0.8,
        )
    )
    lines = box.lines if len(box.lines) < 5 else (*box.lines[:3], "…", box.lines[-1])
    axes.text(x + 0.48, y - 0.38, "\n".join(lines), ha="center", va="center", size=8)
    foot = f"{box.shape}\n{box.params:,}" if box.params else box.shape
    axes.text(x + 0.48, y - 0.88, foot, ha="center", va="bottom", size=7.5, weight="bold")


def _draw_arrow(axes: Axes, column: int, y: float) -> None:
    arrow = {"arrowstyle": "-|>", "color": "#333333", "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
    if column + 1 < BOXES_A_ROW:
        start, end = (column + 0.88, y - 0.5), (column + 1.08, y - 0.5)
        axes.annotate("", end, start, arrowprops=arrow)
        return
    axes.plot([column + 0.48] * 2, [y - 0.92, y - 1.0], color="#333333", lw=0.8)
    axes.plot([column + 0.48, 0.48], [y - 1.0] * 2, color="#333333", lw=0.8)
    axes.annotate("", (0.48, y - 1.08), (0.48, y - 1.0), arrowprops=arrow)


@style()
def two_confusions_figure(
    matrices: Sequence[ConfusionMatrix], names: Sequence[str], classes: Sequence[str]
) -> Figure:
    """Confusion matrices side by side: counts, coloured by their share of the actual class."""
    n_classes = len(classes)
    longest = max(map(len, classes))
    height = 4.4 + min(1.6, 0.06 * longest)
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=100, layout="constrained")
    both = figure.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    size = min(9.0, 330 / (n_classes * max(3, len(str(max(m.max() for m in matrices))))))
    label = min(9.0, 180 / n_classes)
    for axes, matrix, name in zip(both, matrices, names, strict=True):
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.4, 0, 1))
        axes.set_xticks(range(n_classes), classes, rotation=90 if longest * n_classes > 24 else 0)
        axes.set_yticks(range(n_classes), classes)
        axes.tick_params(labelsize=label)
        axes.set(xlabel="predicted", title=name)
        axes.title.set_size(8)
        axes.grid(visible=False)
        for i, j in np.argwhere(matrix):
            colour = "white" if share[i, j] > 0.3 else "black"
            axes.text(j, i, str(matrix[i, j]), size=size, color=colour, ha="center", va="center")
    both[0].set_ylabel("actual")
    bar = figure.colorbar(image, ax=list(both), location="bottom", shrink=0.5, aspect=40)
    bar.set_label("share of the actual class")
    bar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1], labels=["0", "0.01", "0.05", "0.2", "0.5", "1"])
    return figure


def _sizes(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
