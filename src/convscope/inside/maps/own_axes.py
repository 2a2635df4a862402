"""The axes of maps whose positions are not those of the input, as far as they can be followed."""

from collections.abc import Sequence

import numpy as np

from convscope.inside.results.writer import Axis, axis
from convscope.inside.tracing.fields import Along
from convscope.inside.tracing.layers import Layer

SCALED = "over its own axes, scaled to the clip: what its units see is not known"


def own_axes(layer: Layer, sizes: Sequence[int], rate_hz: float | None) -> tuple[Axis, ...]:
    """An axis for each of a layer's positions: bands in Hz and times in s where a spectrum was met
    on the way and the rate is known; else shares of the clip, from 0 to 1.

    Args:
        layer: (n_units, *positions).
        sizes: of the input, without its channels.
        rate_hz: samples a second of a waveform; None of images.
    """
    return tuple(
        _axis(_along(layer, dim), dim - 1, n, rate_hz if len(sizes) == 1 else None)
        for dim, n in enumerate(layer.shape[1:], 2)
    )


def own_axes_text(axes: Sequence[Axis]) -> str:
    """What a picture of such a map says of its axes."""
    if any(not each.unit for each in axes):
        return SCALED
    return "; ".join(
        f"{'up' if each.unit == 'Hz' else 'across'}: {each.values[0]:.4g} to "
        f"{each.values[-1]:.4g} {each.unit}"
        for each in axes
    )


def _along(layer: Layer, dim: int) -> Along | None:
    found = [each for each in layer.view or () if each is not None and each.dim == dim]
    return found[0] if len(found) == 1 and not found[0].is_mixed else None


def _axis(along: Along | None, number: int, n: int, rate_hz: float | None) -> Axis:
    if along is None or rate_hz is None:
        return axis(f"axis {number} (share of the clip)", (np.arange(n) + 0.5) / n)
    centres = np.array([along.field.centre(i) for i in range(n)])
    if along.bands is None:
        return axis("time", centres / rate_hz, "s")
    hertz = np.interp(centres, np.arange(len(along.bands)), along.bands) * rate_hz
    return axis("frequency", hertz, "Hz")
