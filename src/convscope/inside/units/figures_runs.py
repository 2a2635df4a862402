"""Units of no use over the runs of a sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from convscope.figures import BLUE, GREEN, GREY, ORANGE, empty_figure, style

COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", GREY)

KINDS = ("dead", "pinned", "duplicate")

Row = Mapping[str, Any]


@style()
def dead_runs_figure(rows: Sequence[Row]) -> Figure:
    """The share of dead, pinned and duplicate units by depth, a line a run.

    A column for each activation, a colour for each initializer; dashed lines have batch norm.

    Args:
        rows: a row for each layer of each run, as `dead_over_runs` gives them.
    """
    activations = sorted({_text(row["activation"]) for row in rows})
    initializers = sorted({_text(row["initializer"]) for row in rows})
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(initializers)}
    figure = empty_figure(height=6.2)
    panels = figure.subplots(len(KINDS), len(activations), sharex=True, sharey=True, squeeze=False)
    for i, kind in enumerate(KINDS):
        for j, activation in enumerate(activations):
            here = [row for row in rows if _text(row["activation"]) == activation]
            _draw_runs(panels[i, j], here, kind, colour)
        panels[i, 0].set_ylabel(f"{kind} units (share)")
    for j, activation in enumerate(activations):
        panels[0, j].set_title(activation, fontsize=10)
        panels[-1, j].set_xlabel("layer")
    lines = [Line2D([], [], color=colour[name], label=name) for name in initializers]
    if any(row["batch_norm"] for row in rows):
        lines.append(Line2D([], [], color="black", ls="--", label="with batch norm"))
    figure.legend(handles=lines, loc="outside upper center", ncols=4)
    return figure


def _draw_runs(axes: Axes, rows: Sequence[Row], kind: str, colour: Mapping[str, str]) -> None:
    for run in dict.fromkeys(row["run"] for row in rows):
        layers = [row for row in rows if row["run"] == run]
        axes.plot(
            [row["depth"] for row in layers],
            [row[kind] for row in layers],
            ".--" if layers[0]["batch_norm"] else ".-",
            color=colour[_text(layers[0]["initializer"])],
            lw=1,
            alpha=0.8,
        )
    axes.set_ylim(-0.03, 1.03)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _text(name: str | None) -> str:
    return name or "not stated"
