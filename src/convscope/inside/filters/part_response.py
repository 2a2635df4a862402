"""The part `response` of a look: what the filters of each layer pass, in Hz or cycles per pixel."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.inside.filters.effective import EffectiveFilters, effective_filters
from convscope.inside.filters.figures import (
    MOST_TILES,
    ResponsePanel,
    response_figure,
    scales_figure,
)
from convscope.inside.filters.filters import Filters
from convscope.inside.filters.part_filters import chosen_filters, tap_rate
from convscope.inside.filters.response import FrequencyResponse, frequency_response
from convscope.inside.filters.scales import SCALES, distance
from convscope.inside.results.examples import evenly, of_different_classes
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.tiles import Tiles, images_figure
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.subject import Choice, Examples, Subject, filter_layer, filter_unit

MOST_UNITS = 32
"""Of each layer, whose effective filters are computed unless one is chosen."""

MOST_BINS = 1025
"""Frequencies that are kept; centres and bandwidths are read off all."""

IMAGE_FFT = 32


def look_response(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
    """The response of each convolution that has more than one tap.

    Of a net of sound: of its weights, at the rate of what they slide over; behind the first
    convolution also of the whole way from the input to a unit, linearised at the clip that drives
    it most (`effective_filters`). Of a net of images: the magnitude over cycles per pixel.
    """
    if subject.domain == "spectrogram":
        raise NotApplicable(
            "a net of spectrograms filters across frequencies, not in time alone: its filters have "
            "no centre frequency; see filters"
        )
    if subject.domain == "waveform" and subject.rate_hz is None:
        raise NotApplicable("the sound's rate is not known: give --rate-hz for responses in Hz")
    every = {k: v for k, v in chosen_filters(subject, choice).items() if v.has_taps}
    if not every:
        raise NotApplicable("no convolution here has more than one tap: all pass every frequency")
    if subject.domain == "waveform":
        every = {k: v for k, v in every.items() if tap_rate(subject, v) is not None}
        if not every:
            raise NotApplicable(
                "the filters slide over bands and frames that the net makes of the sound itself: "
                "they have no centre frequency; see filters"
            )
    if subject.domain == "image":
        for filters in every.values():
            _look_image(filters, writer)
    else:
        _look_sound(subject, choice, writer, every)


def _look_sound(
    subject: Subject, choice: Choice, writer: ResultWriter, every: dict[str, Filters]
) -> None:
    examples = subject.examples and of_different_classes(subject.examples, choice.n)
    spreads = []
    for name, filters in every.items():
        in_full = name == "conv1" or filter_layer(subject, choice) is not None
        own = _look_own(subject, filters, writer, in_full)
        panels, whole = [own], own
        is_over_time = subject.layers[name.replace("conv", "act")].fields is not None
        if name != "conv1" and examples is not None and is_over_time:
            whole = _look_effective(subject, choice, writer, name, examples)
            panels.append(whole)
        title = f"{subject.name}, {name}: frequency responses by centre frequency"
        writer.figure(f"response_{name}", response_figure(title, panels))
        if in_full:
            writer.figure(f"response_{name}_scales", scales_figure(whole.response, whole.title))
        spreads.append({"layer": name, **_spread(whole.response)})
    writer.table("response_scales", spreads)


def _look_own(
    subject: Subject, filters: Filters, writer: ResultWriter, in_full: bool
) -> ResponsePanel:
    """What a layer's weights do to what they slide over."""
    rate_hz = tap_rate(subject, filters)
    assert rate_hz is not None
    response = frequency_response(filters.weights, rate_hz)
    name = f"response_{filters.layer}"
    names = _names(filters.layer, range(len(filters.weights)))
    _keep(writer, name, response, names, in_full)
    writer.table(f"{name}_filters", _rows(filters, response, rate_hz))
    return _panel(f"{filters.layer}: its weights, at {rate_hz:,.0f} Hz", response, names)


def _look_effective(
    subject: Subject, choice: Choice, writer: ResultWriter, conv: str, examples: Examples
) -> ResponsePanel:
    """What a layer's units do to the input, linearised at the clips."""
    act = subject.layers[conv.replace("conv", "act")]
    assert subject.rate_hz is not None
    unit = filter_unit(subject, choice)
    units = evenly(np.arange(act.n_units), MOST_UNITS) if unit is None else np.array([unit.index])
    effective = effective_filters(subject.net, subject.inputs(examples.clips), act, units.tolist())
    response = frequency_response(effective.weights, subject.rate_hz)
    name, names = f"response_{conv}_effective", _names(act.name, units)
    _keep(writer, name, response, names, filter_layer(subject, choice) is not None)
    assert act.fields is not None
    map_rate = subject.rate_hz / act.fields[0].stride
    ids = [str(each) for each in examples.ids]
    writer.table(f"{name}_units", _effective_rows(effective, response, map_rate, ids))
    title = f"{act.name}: all from the input on, at its strongest step"
    return _panel(title, response, names, map_rate / 2 if map_rate < subject.rate_hz else None)


def _panel(
    title: str, response: FrequencyResponse, names: list[str], nyquist: float | None = None
) -> ResponsePanel:
    """As many filters as a picture holds."""
    shown = evenly(np.arange(len(names)), MOST_TILES)
    if len(shown) < len(names):
        title += f" ({len(shown)} of {len(names)})"
    return ResponsePanel(title, response.take(shown), [names[i] for i in shown], nyquist)


def _names(layer: str, units: Iterable[int]) -> list[str]:
    return [f"{layer}:{i}" for i in units]


def _keep(
    writer: ResultWriter, name: str, response: FrequencyResponse, filters: list[str], in_full: bool
) -> None:
    """The magnitude, in full the phase and group delay as well, at most at `MOST_BINS` bins."""
    some = slice(None, None, -(-(len(response.frequencies_hz) - 1) // (MOST_BINS - 1)))
    axes = (axis("filter", filters), axis("frequency", response.frequencies_hz[some], "Hz"))
    kinds = (
        ("magnitude", "dB", response.magnitude_db),
        ("phase", "rad", response.phase),
        ("group_delay", "s", response.group_delay_s),
    )
    for what, unit, values in kinds if in_full else kinds[:1]:
        kept = values[:, some].astype(np.float32)
        writer.array(f"{name}_{what}", Result(kept, axes, what.replace("_", " "), unit))


def _rows(filters: Filters, own: FrequencyResponse, rate_hz: float) -> list[dict[str, Any]]:
    """A row for each filter; its level without and with the batch norm behind it."""
    folded = frequency_response(filters.folded(), rate_hz)
    return [
        {
            "filter": f"{filters.layer}:{i}",
            **_numbers(own, i),
            "peak_folded_db": _number(folded.magnitude_db[i].max()),
        }
        for i in range(len(own.centre_hz))
    ]


def _effective_rows(
    effective: EffectiveFilters, response: FrequencyResponse, map_rate: float, ids: list[str]
) -> list[dict[str, Any]]:
    """A row for each unit, with the frequency at which its centre comes out in the layer's map."""
    centres = folded_into(response.centre_hz, map_rate)
    return [
        {
            "unit": f"{effective.layer}:{unit}",
            "clip": ids[effective.clips[i]],
            "step": int(effective.steps[i, 0]),
            **_numbers(response, i),
            "centre_in_map_hz": _number(centres[i]),
        }
        for i, unit in enumerate(effective.units)
    ]


def folded_into(frequencies_hz: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Where frequencies come out in a map of a lower rate: |f - rate · round(f / rate)|."""
    return np.abs(frequencies_hz - rate_hz * np.round(frequencies_hz / rate_hz))


def _numbers(response: FrequencyResponse, i: int) -> dict[str, Any]:
    return {
        "centre_hz": _number(response.centre_hz[i]),
        "bandwidth_hz": _number(response.bandwidth_hz[i]),
        "q": _number(response.q[i]),
        "peak_db": _number(response.magnitude_db[i].max()),
    }


def _number(value: float) -> float | None:
    """Five digits; nothing where there is no number."""
    return float(f"{value:.5g}") if np.isfinite(value) else None


def _spread(response: FrequencyResponse) -> dict[str, Any]:
    """How far a layer's centre frequencies are from an even spread over each scale."""
    distances = {
        f"distance_{scale.lower()}": _number(
            distance(scale, response.centre_hz, response.nyquist_hz)
        )
        for scale in SCALES
    }
    n_filters = int(np.isfinite(response.centre_hz).sum())
    return {"n_filters": n_filters, "nyquist_hz": response.nyquist_hz, **distances}


def _look_image(filters: Filters, writer: ResultWriter) -> None:
    """|H| over spatial frequencies, RMS over input channels, 0 in the middle."""
    magnitude = spatial_magnitude(filters.weights)
    n_filters, n_rows, n_columns = magnitude.shape
    names = _names(filters.layer, range(n_filters))
    axes = (
        axis("filter", names),
        axis("down", np.fft.fftshift(np.fft.fftfreq(n_rows)), "cycles/pixel"),
        axis("across", np.fft.fftshift(np.fft.fftfreq(n_columns)), "cycles/pixel"),
    )
    writer.array(f"response_{filters.layer}", Result(magnitude, axes, "magnitude"))
    shown = evenly(np.arange(n_filters), MOST_TILES)
    tiles = Tiles(
        values=magnitude[shown],
        labels=[names[i] for i in shown],
        title=f"{filters.layer}: magnitude over spatial frequency, RMS over input channels",
        about="across and down: -0.5 to 0.5 cycles per pixel of what the filter slides over",
    )
    figure = images_figure(tiles, "magma", "magnitude (share of each filter's largest)")
    writer.figure(f"response_{filters.layer}", figure)


def spatial_magnitude(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The magnitude of filters on images, sqrt(mean over channels of |H|²), 0 cycles/pixel central.

    Args:
        weights: (n_filters, n_channels, height, width).

    Returns:
        (n_filters, 32, 32), or more where a filter is larger than that: cycles/pixel down and
        across, from -0.5 on.
    """
    sides = [max(IMAGE_FFT, n) for n in weights.shape[2:]]
    spectra = np.fft.fftshift(np.fft.fft2(weights, s=sides), axes=(2, 3))
    magnitude = np.sqrt(np.mean(np.abs(spectra) ** 2, axis=1))
    return np.asarray(magnitude, dtype=np.float32)
