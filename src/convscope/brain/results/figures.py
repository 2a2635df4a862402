"""Pictures of an encoding analysis: layers and controls, always in the same picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from convscope.brain.results.scores import Ceiling, EncodingScores, SpaceScore
from convscope.figures import BLUE, GREEN, GREY, ORANGE, log_parameters, style

Scores = NDArray[np.float64]

ROLE_LOOKS: dict[str, tuple[str, str, str]] = {
    "trained": (BLUE, "o", "trained"),
    "untrained": (ORANGE, "s", "untrained"),
    "untrained_calibrated": (GREEN, "^", "untrained, norms calibrated"),
    "permuted": (GREY, "x", "weights permuted"),
}
"""Colour, marker and words of each net in the profile."""

MOST_TARGETS = 24
"""More of them are shown by their distribution, not one by one."""


@dataclass(frozen=True)
class SweepPoint:
    """One net, or the mean of its seeds, in the picture of a sweep.

    Attributes:
        name: of the network.
        params: parameters.
        accuracy: on its own test clips.
        score: of the brain, r.
        interval: of the score; None where there is none.
        untrained: the score of the same architecture untrained.
        pareto: whether no other is better in all three.
    """

    name: str
    params: int
    accuracy: float
    score: float
    interval: tuple[float, float] | None
    untrained: float
    pareto: bool


@style()
def sweep_figure(points: Sequence[SweepPoint], study: str) -> Figure:
    """Brain score over parameters and over accuracy.

    The front of all three is blue and numbered; the untrained nets are hollow squares.
    """
    figure = Figure(figsize=(9.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    front = [each for each in points if each.pareto]
    for axes, key in ((left, "params"), (right, "accuracy")):
        for each in points:
            number = str(front.index(each) + 1) if each.pareto else ""
            _draw_net(axes, getattr(each, key), each, number)
    log_parameters(left, [each.params for each in points])
    left.set_xlabel("parameters")
    right.set_xlabel("test accuracy of the net's own task")
    left.set_ylabel(f"r on held-out samples of {_short(study, 24)}")
    looks = (
        ("o", BLUE, BLUE, "on the front of all three"),
        ("o", GREY, GREY, "others"),
        ("s", ORANGE, "white", "untrained"),
    )
    handles = [
        Line2D([], [], ls="", marker=marker, color=colour, mfc=fill, label=label)
        for marker, colour, fill, label in looks
    ]
    handles += [
        Line2D([], [], ls="", label=f"{i + 1}  {_short(each.name, 30)}")
        for i, each in enumerate(front)
    ]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8)
    return figure


def _draw_net(axes: Axes, x: float, each: SweepPoint, number: str) -> None:
    colour = BLUE if each.pareto else GREY
    if each.interval is not None:
        axes.plot([x, x], each.interval, color=colour, lw=1)
    axes.plot(x, each.score, "o", color=colour, zorder=3)
    axes.plot(x, each.untrained, "s", color=ORANGE, mfc="white", ms=5)
    axes.annotate(number, (x, each.score), (-6, 4), textcoords="offset points", ha="right")


@style()
def heat_map(scores: EncodingScores) -> Figure:
    """Layers by targets, trained above, the controls below a gap; r is written into each cell.

    Of more than `MOST_TARGETS` targets the columns are their quartiles.
    """
    rows, groups = _rows(scores)
    values = np.stack([values for _, values in rows])
    columns = list(scores.targets)
    if len(columns) > MOST_TARGETS:
        values = np.nanpercentile(values, [25, 50, 75], axis=1).T
        columns = ["lower quartile", "median", "upper quartile"]
    n_rows, n_columns = values.shape
    width = min(14.0, 3.2 + 0.75 * max(n_columns, 3))
    figure = Figure(figsize=(width, 1.6 + 0.24 * (n_rows + len(groups))), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(n_rows) + np.repeat(np.arange(len(groups)) * 0.5, groups)
    limit = max(0.05, float(np.nanmax(np.abs(values))))
    for place, row in zip(places, values, strict=True):
        mesh = axes.pcolormesh(
            np.arange(n_columns + 1) - 0.5,
            [place - 0.5, place + 0.5],
            row[None],
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
        )
        for j, value in enumerate(row):
            if n_columns <= MOST_TARGETS:
                dark = np.isfinite(value) and abs(value) > 0.65 * limit
                text = f"{value:.2f}" if np.isfinite(value) else "–"
                axes.text(
                    j,
                    place,
                    text,
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if dark else "black",
                )
    axes.set_yticks(places, [_short(label) for label, _ in rows])
    axes.set_xticks(range(n_columns), [_short(name, 22) for name in columns], rotation=40)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(mesh, ax=axes, shrink=0.6, pad=0.02)
    bar.set_label(f"r on held-out {scores.unit}")
    return figure


@style()
def profile(scores: EncodingScores) -> Figure:
    """Score against depth: r of each layer of each net, mean over targets.

    The range over seeds is a band, controls are lines, the noise ceiling is grey.
    """
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    names = [each.name for each in scores.spaces if each.role == "trained"]
    for role, (colour, marker, words) in ROLE_LOOKS.items():
        lines = _by_seed(scores.spaces, role, names)
        if not len(lines):
            continue
        x = np.arange(len(names))
        if len(lines) > 1:
            axes.fill_between(
                x, lines.min(axis=0), lines.max(axis=0), color=colour, alpha=0.15, lw=0
            )
            words = f"{words}, {len(lines)} seeds"
        axes.plot(x, lines.mean(axis=0), color=colour, marker=marker, markersize=5, label=words)
    _draw_controls(axes, scores, len(names))
    _draw_ceiling(axes, scores.ceiling)
    axes.set_xticks(range(len(names)), [_short(name, 18) for name in names])
    axes.set_xlabel("layer")
    axes.set_ylabel(f"r on held-out {scores.unit}, mean over targets")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8)
    return figure


@style()
def scatter(scores: EncodingScores) -> Figure:
    """The net against the control, a point a target; above the line the net is better."""
    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    trained = scores.trained
    assert trained is not None
    control = scores.space(scores.control).r.mean(axis=0)
    net = trained.r.mean(axis=0)
    known = np.isfinite(control) & np.isfinite(net)
    control, net = control[known], net[known]
    names = [name for name, is_known in zip(scores.targets, known, strict=True) if is_known]
    low = float(min(0.0, control.min(initial=0), net.min(initial=0))) - 0.03
    high = float(max(control.max(initial=0.1), net.max(initial=0.1))) + 0.06
    axes.plot([low, high], [low, high], color=GREY, lw=1, ls="--")
    if len(net) > 300:
        axes.hexbin(control, net, gridsize=40, cmap="Blues", mincnt=1, bins="log", linewidths=0.1)
    else:
        axes.scatter(control, net, s=28, color=BLUE, zorder=3)
    if len(net) <= MOST_TARGETS:
        for i, place in enumerate(np.argsort(net)):  # neighbours are named on either side
            side, alignment = ((6, "left"), (-6, "right"))[i % 2]
            axes.annotate(
                _short(names[place], 18),
                (control[place], net[place]),
                textcoords="offset points",
                xytext=(side, 0),
                ha=alignment,
                va="center",
                fontsize=8,
            )
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.set_xlabel(f"r of {_short(scores.control, 28)}")
    axes.set_ylabel("r of the net, layer chosen in training folds")
    return figure


@style()
def rdm_figure(rdms: Sequence[tuple[str, Scores]], categories: Sequence[str] | None) -> Figure:
    """Dissimilarities side by side, as ranks from 0 to 1, stimuli ordered by category.

    Args:
        rdms: a name and (n_stimuli, n_stimuli) of each.
        categories: of the stimuli; None: in their own order.
    """
    from scipy.stats import rankdata

    n = len(rdms[0][1])
    labels = np.asarray(categories if categories is not None else [""] * n)
    order = np.argsort(labels, kind="stable")
    figure = Figure(figsize=(min(12.0, 3.0 * len(rdms) + 1.4), 3.6), layout="constrained")
    all_axes = figure.subplots(1, len(rdms), squeeze=False)[0]
    upper = np.triu_indices(n, 1)
    for axes, (name, matrix) in zip(all_axes, rdms, strict=True):
        ranks = np.zeros((n, n))
        ordered = matrix[order][:, order]
        ranks[upper] = (rankdata(ordered[upper]) - 1) / max(len(upper[0]) - 1, 1)
        image = axes.imshow(
            ranks + ranks.T, cmap="viridis", vmin=0, vmax=1, interpolation="nearest"
        )
        axes.set_title(_short(name, 30), fontsize=9)
        axes.grid(False)
        axes.set_xticks([])
        axes.set_yticks([])
        for edge in np.flatnonzero(labels[order][1:] != labels[order][:-1]) + 0.5:
            axes.axhline(edge, color="white", lw=0.5)
            axes.axvline(edge, color="white", lw=0.5)
    if categories is not None:
        names, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
        all_axes[0].set_yticks(starts + counts / 2 - 0.5, [_short(each, 16) for each in names])
        all_axes[0].tick_params(axis="y", labelsize=7, length=0)
    figure.colorbar(image, ax=list(all_axes), shrink=0.8, label="rank of the dissimilarity")
    return figure


@style()
def responses_figure(responses: NDArray[np.floating], targets: Sequence[str]) -> Figure:
    """Responses as they are read: samples down, targets across, each brought to z.

    Args:
        responses: (n_samples, n_targets).
        targets: their names; of many every so many is drawn.
    """
    step = max(1, len(targets) // 400)
    values = np.asarray(responses, dtype=np.float64)[:, ::step]
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (values - values.mean(axis=0)) / values.std(axis=0)
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(False)
    image = axes.imshow(z, aspect="auto", cmap="RdBu_r", vmin=-3, vmax=3, interpolation="nearest")
    axes.set_ylabel("sample (stimulus or volume)")
    axes.set_xlabel("target" + (f", every {step}th" if step > 1 else ""))
    if len(targets) <= MOST_TARGETS:
        axes.set_xticks(range(len(targets)), [_short(name, 16) for name in targets], rotation=40)
    figure.colorbar(image, ax=axes, label="z over samples")
    return figure


@style()
def designs_figure(designs: Sequence[tuple[str, Scores, Sequence[str]]]) -> Figure:
    """Design matrices: volumes down, columns across, each brought to its greatest size.

    Args:
        designs: of each run its name, (n_volumes, n_columns) and the names of the columns.
    """
    shown = list(designs)[:4]
    n_columns = max(len(names) for _, _, names in shown)
    width = min(14.0, max(4.5, (0.35 * n_columns + 0.6) * len(shown) + 1.2))
    figure = Figure(figsize=(width, 5.0), layout="constrained")
    all_axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (run, values, names) in zip(all_axes, shown, strict=True):
        size = np.abs(values).max(axis=0)
        image = axes.imshow(
            values / np.where(size > 0, size, 1),
            aspect="auto",
            cmap="RdBu_r",
            vmin=-1,
            vmax=1,
            interpolation="nearest",
        )
        axes.grid(False)
        axes.set_title(_short(run, 20), fontsize=9)
        axes.set_xticks(range(len(names)), [_short(name, 18) for name in names], rotation=90)
        axes.tick_params(axis="x", labelsize=7)
    all_axes[0].set_ylabel("volume")
    figure.colorbar(image, ax=list(all_axes), shrink=0.5, label="share of the column's greatest")
    return figure


def _rows(scores: EncodingScores) -> tuple[list[tuple[str, Scores]], list[int]]:
    """A label and (n_targets,) r of each row, and how many rows each group has."""
    trained = [each for each in scores.spaces if each.role == "trained"]
    groups = [[(each.name, each.r.mean(axis=0)) for each in trained]]
    chosen = []
    for role, (_, _, words) in ROLE_LOOKS.items():
        own = [each.r.mean(axis=0) for each in scores.nets if each.role == role]
        if own:
            chosen.append((f"best layer, {words}", np.mean(own, axis=0)))
    groups.append(chosen)
    others = ("acoustic", "pixels", "categories", "given")
    groups.append([(e.name, e.r.mean(axis=0)) for e in scores.spaces if e.role in others])
    if scores.ceiling.lower is not None:
        groups.append([("noise ceiling", scores.ceiling.lower)])
    kept = [group for group in groups if group]
    return [row for group in kept for row in group], [len(group) for group in kept]


def _by_seed(spaces: Sequence[SpaceScore], role: str, names: Sequence[str]) -> Scores:
    """(n_seeds, n_layers) mean r over subjects and targets; nan of a layer that is not there."""
    seeds = sorted({each.seed or 0 for each in spaces if each.role == role})
    values = {
        (each.seed or 0, each.name): float(np.nanmean(each.r))
        for each in spaces
        if each.role == role
    }
    return np.array([[values.get((seed, name), np.nan) for name in names] for seed in seeds])


def _draw_controls(axes: Axes, scores: EncodingScores, n_layers: int) -> None:
    looks = iter(("-", "--", ":", "-."))
    for name in (scores.control, "categories"):
        found = [e for e in scores.spaces if e.name == name and e.role not in ROLE_LOOKS]
        if found:
            axes.axhline(
                float(np.nanmean(found[0].r)), color="black", lw=1.2, ls=next(looks), label=name
            )
    axes.set_xlim(-0.4, max(n_layers, 1) - 0.6)


def _draw_ceiling(axes: Axes, ceiling: Ceiling) -> None:
    if ceiling.lower is None or ceiling.upper is None:
        return
    low, high = float(np.nanmean(ceiling.lower)), float(np.nanmean(ceiling.upper))
    if high > low:
        axes.axhspan(low, high, color=GREY, alpha=0.2, lw=0, label="noise ceiling")
    else:
        axes.axhline(low, color=GREY, lw=3, alpha=0.5, label="noise ceiling")


def _short(name: str, most: int = 42) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
