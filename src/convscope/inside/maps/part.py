"""The part `maps` of a look: what each layer answers to some clips, and the spectra of that."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.inside.maps.figures import (
    Heard,
    SpectraRow,
    image_maps_figure,
    map_spectra_figure,
    sound_maps_figure,
)
from convscope.inside.maps.maps import FeatureMaps, feature_maps, step_times
from convscope.inside.maps.own_axes import own_axes, own_axes_text
from convscope.inside.maps.stft import SHORTEST_WINDOW, stft
from convscope.inside.results.examples import directions, evenly, of_different_classes, pictured
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import Axis, Result, ResultWriter, axis
from convscope.inside.subject.subject import Choice, Examples, Subject, filter_layer, filter_unit
from convscope.inside.tracing.layers import Layer, layer_named

MOST_CLIPS = 3

MOST_ROWS = 8
"""Layers whose spectra are shown, evenly from all."""

MOST_SPECTRA = 3
"""Units of each layer whose spectra are shown, unless one layer is chosen."""


def look_maps(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """The maps of three clips of different classes (fewer with `choice.n`), layer by layer.

    Of a sound all layers stand below its waveform on one time axis, and the spectra of the
    strongest units of up to eight layers in a figure beside; of an image each layer has a figure
    of its own.
    """
    if subject.examples is None:
        raise NotApplicable("there are no clips to show the net: give some with --clips DIR")
    if subject.domain == "waveform" and subject.rate_hz is None:
        raise NotApplicable("the sound's rate is not known: give --rate-hz for a time axis in ms")
    layers = _chosen_layers(subject, choice)
    examples = of_different_classes(subject.examples, min(choice.n, MOST_CLIPS))
    every = feature_maps(subject.net, subject.inputs(examples.clips), layers)
    for i, maps in enumerate(every):
        clip = examples.take(np.array([i]))
        followed = {k: v for k, v in maps.items() if v.layer.fields is not None}
        for each in maps.values():
            if each.layer.fields is None:
                look_own_axes(subject, writer, clip, each)
        if followed and subject.domain == "waveform":
            _look_sound(subject, choice, writer, clip, followed)
        elif followed:
            _look_image(subject, writer, clip, followed)


def _chosen_layers(subject: Subject, choice: Choice) -> dict[str, Layer]:
    """The layer that is chosen, or whose unit is, else what each convolution hands on."""
    chosen = filter_layer(subject, choice)
    if chosen is None:
        acts = {k: v for k, v in subject.layers.items() if v.kind == "act"}
        return {k: v for k, v in acts.items() if len(v.shape) in (2, 3)}
    layer = layer_named(subject.layers, chosen)
    if layer.kind not in ("conv", "act") or len(layer.shape) < 2:
        raise NotApplicable(
            f"{layer.name} has no positions, and so no maps: choose a convolution, such as conv1"
        )
    return {layer.name: layer}


def clip_name(subject: Subject, examples: Examples, index: int = 0) -> str:
    """A short name of a clip, fit for a file: its class, and its own name."""
    stem = str(examples.ids[index]).rsplit("/", 1)[-1].rsplit(".", 1)[0]
    label = int(examples.labels[index])
    given = f"{subject.class_name(label)}-{stem}" if label >= 0 else stem
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in given)


def _look_sound(
    subject: Subject,
    choice: Choice,
    writer: ResultWriter,
    clip: Examples,
    maps: Mapping[str, FeatureMaps],
) -> None:
    assert subject.rate_hz is not None
    name, chosen = clip_name(subject, clip), filter_layer(subject, choice)
    for layer, each in maps.items():
        times = axis("time", step_times(each.layer, subject.rate_hz), "s")
        writer.array(f"maps_{layer}_{name}", _result(each, (times,)))
    waveform = subject.scaled(clip.clips)[0].mean(dim=0).cpu().numpy()
    heard = Heard(_title(subject, clip), waveform, subject.rate_hz)
    which = f"{chosen}_{name}" if chosen else name
    writer.figure(f"maps_{which}", sound_maps_figure(heard, maps))
    lively = [each for each in maps.values() if _has_spectrum(each)]
    some = evenly(np.arange(len(lively)), MOST_ROWS)
    rows = [_spectra(subject, choice, lively[i]) for i in some]
    for row in rows:
        writer.array(f"maps_stft_{row.name}_{name}", _spectra_result(row))
    if rows:
        writer.figure(f"maps_stft_{which}", map_spectra_figure(heard, rows))


def _title(subject: Subject, clip: Examples) -> str:
    label = int(clip.labels[0])
    known = f"{subject.class_name(label)}, " if label >= 0 else ""
    return f"{subject.name}: {known}{clip.ids[0]}"


def _result(maps: FeatureMaps, positions: tuple[Axis, ...]) -> Result:
    units = [f"{maps.layer.name}:{i}" for i in range(len(maps.values))]
    return Result(maps.values, (axis("unit", units), *positions), "answer")


def _has_spectrum(maps: FeatureMaps) -> bool:
    return maps.values.shape[1] >= 2 * SHORTEST_WINDOW and not maps.dead.all()


def _spectra(subject: Subject, choice: Choice, maps: FeatureMaps) -> SpectraRow:
    """Of the chosen unit, or of those that are strongest on the clip."""
    assert subject.rate_hz is not None
    assert maps.layer.fields is not None
    n_units = MOST_SPECTRA if choice.layer is None else choice.n
    units = np.sort(maps.strongest[: min(n_units, int((~maps.dead).sum()))])
    if (unit := filter_unit(subject, choice)) is not None:
        units = np.array([unit.index])
    rate_hz = subject.rate_hz / maps.layer.fields[0].stride
    start_s = float(step_times(maps.layer, subject.rate_hz)[0])
    return SpectraRow(maps.layer.name, units, stft(maps.values[units], rate_hz), start_s)


def _spectra_result(row: SpectraRow) -> Result:
    axes = (
        axis("unit", [f"{row.name}:{i}" for i in row.units]),
        axis("frequency", row.spectra.frequencies_hz, "Hz"),
        axis("time", row.spectra.times_s + row.start_s, "s"),
    )
    return Result(row.spectra.power.astype(np.float32), axes, "power")


def _look_image(
    subject: Subject, writer: ResultWriter, clip: Examples, maps: Mapping[str, FeatureMaps]
) -> None:
    name = clip_name(subject, clip)
    for layer, each in maps.items():
        writer.array(f"maps_{layer}_{name}", _result(each, _positions(subject, each.layer)))
        upright = replace(each, values=_upright(subject, each.values))
        figure = image_maps_figure(upright, _title(subject, clip), directions(subject))
        writer.figure(f"maps_{layer}_{name}", figure)


def look_own_axes(
    subject: Subject, writer: ResultWriter, clip: Examples, maps: FeatureMaps
) -> None:
    """A layer whose positions are not those of the input, such as bands and frames that the net
    made itself: over its own axes, in Hz and s where these are known, else scaled to the clip."""
    name, layer = clip_name(subject, clip), maps.layer
    axes = own_axes(layer, subject.shape[1:], subject.rate_hz)
    writer.array(f"maps_{layer.name}_{name}", _result(maps, axes))
    values = maps.values if maps.values.ndim == 3 else maps.values[:, None]
    is_up = axes[0].unit == "Hz"
    drawn = replace(maps, values=values[:, ::-1] if is_up else values)
    about = own_axes_text(axes)
    figure = image_maps_figure(drawn, _title(subject, clip), about)
    writer.figure(f"maps_{layer.name}_{name}", figure)


def _positions(subject: Subject, layer: Layer) -> tuple[Axis, Axis]:
    """Where a map's rows and columns are: in pixels of the image, or in Hz and s."""
    config, rate_hz = subject.spectrogram, subject.rate_hz
    if config is None or rate_hz is None:
        return (
            axis("row", step_times(layer, 1, 0), "pixels"),
            axis("column", step_times(layer, 1, 1), "pixels"),
        )
    frames = step_times(layer, 1, 1)
    times = ((config.window - 1) / 2 + config.stride * frames) / rate_hz
    frequencies = step_times(layer, 1, 0) * rate_hz / config.fft_size
    return axis("frequency", frequencies, "Hz"), axis("time", times, "s")


def _upright(subject: Subject, maps: NDArray[np.float32]) -> NDArray[np.float32]:
    return pictured(subject, maps) if subject.domain == "spectrogram" else maps
