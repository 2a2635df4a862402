"""The part `filters` of a look: the weights of a net's convolutions."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convscope.inside.filters.figures import MOST_TILES, matrix_figure, taps_figure
from convscope.inside.filters.filters import Filters, convolution_named, filters_of
from convscope.inside.filters.response import frequency_response
from convscope.inside.results.examples import evenly, pictured
from convscope.inside.results.tiles import Tiles, images_figure
from convscope.inside.results.writer import Axis, Result, ResultWriter, axis
from convscope.inside.subject.subject import Choice, Subject, filter_layer, filter_unit, silence

WEIGHTS = NDArray[np.float32]


def look_filters(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """The weights of each convolution as arrays and small multiples.

    Of a filter with many input channels the one of most energy is drawn; of a chosen unit all are.
    Filters on sound come in the order of their centre frequencies.
    """
    unit = filter_unit(subject, choice)
    for name, filters in chosen_filters(subject, choice).items():
        writer.array(f"filters_{name}", _result(subject, filters, filters.weights))
        if filters.gain is not None:
            writer.array(f"filters_{name}_folded", _result(subject, filters, filters.folded()))
        if unit is not None:
            channels = _channels(subject, filters, unit.index)
            writer.figure(f"filters_{name}_{unit.index}", _draw(channels))
        elif filters.has_taps:
            writer.figure(f"filters_{name}", _draw(_strongest(subject, filters)))
        else:
            matrix = filters.weights.reshape(filters.weights.shape[:2])
            writer.figure(f"filters_{name}", matrix_figure(matrix, f"{name}: filters of one tap"))


def chosen_filters(subject: Subject, choice: Choice) -> dict[str, Filters]:
    """The filters of the chosen layer or unit's layer, or of all convolutions.

    Raises:
        UserError: for a layer that the net does not have.
        NotApplicable: for one that is no convolution.
    """
    layers, chosen = subject.layers, filter_layer(subject, choice)
    if chosen is not None:
        name = convolution_named(chosen, layers)
        layers = {name: layers[name]}
    return filters_of(subject.net, silence(subject.net, subject.shape), layers)


def tap_rate(subject: Subject, filters: Filters) -> float | None:
    """Taps a second of filters that slide over a waveform or its maps; None of others."""
    if subject.domain != "waveform" or subject.rate_hz is None:
        return None
    if slides_over_a_plane(filters) or not filters.is_followed:
        return None
    return subject.rate_hz / filters.steps[0]


def slides_over_a_plane(filters: Filters) -> bool:
    """Whether a filter has two axes: of a net of waveforms, over bands and frames that the net has
    made itself, in units that are not known."""
    return filters.weights.ndim == 4


def _result(subject: Subject, filters: Filters, weights: WEIGHTS) -> Result:
    names = [f"{filters.layer}:{i}" for i in range(len(weights))]
    axes = [axis("filter", names), axis("channel", range(weights.shape[1]))]
    return Result(weights, (*axes, *_tap_axes(subject, filters)), "weight")


def _tap_axes(subject: Subject, filters: Filters) -> list[Axis]:
    """An axis of taps for each of the filter's: in s and Hz where they are that."""
    counts = [np.arange(n) for n in filters.weights.shape[2:]]
    scales = tap_units(subject, filters)
    names = ("time",) if len(counts) == 1 else ("row", "column")
    if subject.domain == "spectrogram":
        names = ("frequency", "time")
    elif subject.domain == "waveform" and slides_over_a_plane(filters):
        names = ("band", "frame")
    return [
        axis(name, count * size, unit) if unit else axis(f"{name} (taps)", count)
        for name, count, (size, unit) in zip(names, counts, scales, strict=True)
    ]


def tap_units(subject: Subject, filters: Filters) -> list[tuple[float, str]]:
    """For each axis of a filter, how far it is from tap to tap, and in which unit; a pixel of an
    image has none."""
    sizes: list[tuple[float, str]]
    is_plane = subject.domain == "waveform" and slides_over_a_plane(filters)
    is_within = is_plane or not filters.is_followed
    if subject.rate_hz is None or subject.domain == "image" or is_within:
        sizes = [(1.0, "") for _ in filters.steps]
    elif subject.spectrogram is None:
        sizes = [(1 / subject.rate_hz, "s") for _ in filters.steps]
    else:
        config = subject.spectrogram
        sizes = [
            (subject.rate_hz / config.fft_size, "Hz"),
            (config.stride / subject.rate_hz, "s"),
        ]
    return [(size * step, unit) for (size, unit), step in zip(sizes, filters.steps, strict=True)]


def _strongest(subject: Subject, filters: Filters) -> Tiles:
    """Each filter by its input channel of most energy; an image's three colours together."""
    weights = filters.weights
    order = evenly(_by_centre(subject, filters), MOST_TILES)
    names = [f"{filters.layer}:{i}" for i in order]
    energy = (weights**2).reshape(*weights.shape[:2], -1).sum(axis=2)
    drawn = weights[np.arange(len(weights)), energy.argmax(axis=1)][order]
    title = f"{filters.layer}: {_count(len(order), len(weights), 'filters')}"
    n_channels = weights.shape[1]
    if n_channels > 1:
        title += f", of {n_channels} input channels the one of most energy (behind <)"
        names = [f"{name} < {energy[i].argmax()}" for name, i in zip(names, order, strict=True)]
    is_colour = subject.domain == "image" and n_channels == 3 and filters.layer == "conv1"
    if is_colour:
        drawn, names = (
            _colours(pictured(subject, weights[order], is_difference=True)),
            [f"{filters.layer}:{i}" for i in order],
        )
        title = f"{filters.layer}: {_count(len(order), len(weights), 'filters')}, grey is 0"
    if tap_rate(subject, filters) is not None:
        title += "; by centre frequency"
    about = _about(subject, filters)
    if subject.domain == "spectrogram":
        drawn = pictured(subject, drawn)
    return Tiles(
        drawn, names, title, about.replace("red is positive, ", "") if is_colour else about
    )


def _colours(weights: WEIGHTS) -> WEIGHTS:
    """(n_filters, height, width, 3) in [0, 1]: grey where a weight is 0."""
    reach = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    shades = 0.5 + 0.5 * weights / np.where(reach > 0, reach, np.float32(1))
    return np.moveaxis(shades, 1, -1).astype(np.float32)


def _channels(subject: Subject, filters: Filters, index: int) -> Tiles:
    """One filter, an input channel a tile."""
    chosen = evenly(np.arange(filters.weights.shape[1]), MOST_TILES)
    count = _count(len(chosen), filters.weights.shape[1], "input channels")
    drawn = filters.weights[index, chosen]
    return Tiles(
        values=pictured(subject, drawn) if subject.domain == "spectrogram" else drawn,
        labels=[f"from {c}" for c in chosen],
        title=f"{filters.layer}:{index}: {count}",
        about=_about(subject, filters),
    )


def _draw(tiles: Tiles) -> Figure:
    return taps_figure(tiles) if tiles.values.ndim == 2 else images_figure(tiles)


def _by_centre(subject: Subject, filters: Filters) -> NDArray[np.int64]:
    rate_hz = tap_rate(subject, filters)
    if rate_hz is None:
        return np.arange(len(filters.weights))
    return np.argsort(frequency_response(filters.weights, rate_hz).centre_hz, kind="stable")


def _about(subject: Subject, filters: Filters) -> str:
    """What one tile's axes are."""
    shape = filters.weights.shape[2:]
    extents = [
        _extent(n, *each) for n, each in zip(shape, tap_units(subject, filters), strict=True)
    ]
    if len(extents) == 1:
        return f"across: {extents[0]}; up: weight, each to its own largest"
    along = "up" if subject.domain == "spectrogram" else "down"
    return f"{along}: {extents[0]}; across: {extents[1]}; red is positive, each to its own largest"


def _extent(n_taps: int, size: float, unit: str) -> str:
    if unit == "s":
        return f"{1000 * n_taps * size:.4g} ms ({n_taps} taps)"
    return f"{n_taps * size:.4g} {unit} ({n_taps} taps)" if unit else f"{n_taps} taps"


def _count(n_shown: int, n_all: int, what: str) -> str:
    return f"{n_all} {what}" if n_shown == n_all else f"{n_shown} of {n_all} {what}"
