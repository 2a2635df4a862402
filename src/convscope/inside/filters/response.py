"""How filters on sound answer to each frequency."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from convscope.errors import UserError
from convscope.inside.tracing.target import as_array

SMALLEST_FFT = 4096

PADDING = 4
"""The spectrum is sampled at least so many times as finely as the filter's length asks for, so that
the -3 dB points of even the sharpest peak lie between neighbours."""

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class FrequencyResponse:
    """What each of some filters answers to each frequency.

    A filter of zeros, or of anything not finite, has NaN everywhere.

    Attributes:
        frequencies_hz: (n_bins,) from 0 to the Nyquist frequency.
        magnitude_db: (n_filters, n_bins) 20 log10 of the RMS over input channels.
        phase: (n_filters, n_bins) radians, unwrapped, of the input channel of most energy.
        group_delay_s: (n_filters, n_bins) -dφ/dω behind the first tap, channels weighted by their
            power; NaN where the magnitude is 0.
        centre_hz: (n_filters,) where the magnitude is largest.
        bandwidth_hz: (n_filters,) around it, between the half-power (-3 dB) points.
        q: (n_filters,) centre_hz / bandwidth_hz.
    """

    frequencies_hz: Floats
    magnitude_db: Floats
    phase: Floats
    group_delay_s: Floats
    centre_hz: Floats
    bandwidth_hz: Floats
    q: Floats

    @property
    def nyquist_hz(self) -> float:
        return float(self.frequencies_hz[-1])

    def take(self, filters: NDArray[np.int64]) -> "FrequencyResponse":
        """Of some of the filters."""
        some = {k: v[filters] for k, v in vars(self).items() if k != "frequencies_hz"}
        return FrequencyResponse(frequencies_hz=self.frequencies_hz, **some)


def frequency_response(weights: ArrayLike | Tensor, rate_hz: float) -> FrequencyResponse:
    """The frequency response of filters.

        H_c(f) = sum over k of w_c[k] exp(-2πi f k / rate),    |H| = sqrt(mean over c of |H_c|²)

    by an FFT of at least 4,096 points and four times the length of the filters. The group delay
    needs no unwrapping: it is the sum over c of Re(D_c conj(H_c)) / sum of |H_c|², D_c the spectrum
    of k · w_c[k] / rate.

    The weights are read as an impulse response, first tap first. torch slides them over the signal
    unflipped, so that the group delay says how far behind the first sample of its window a filter
    listens. A peak at 0 Hz or at the Nyquist frequency has a half-power point on one side only: the
    bandwidth then ends at that frequency.

    Args:
        weights: (n_filters, n_channels, n_taps), an array or a tensor.
        rate_hz: samples a second of what the filters slide over.

    Raises:
        UserError: for weights of another number of axes or of no taps, or a rate that is not
            positive.

    Source: A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing, section 5.1.
    """
    filters = _checked(weights, rate_hz)
    n_taps = filters.shape[-1]
    n_fft = max(SMALLEST_FFT, PADDING << (n_taps - 1).bit_length())
    spectra = np.fft.rfft(filters, n_fft)
    delays = np.fft.rfft(filters * np.arange(n_taps) / rate_hz, n_fft)
    power = np.mean(np.abs(spectra) ** 2, axis=1)
    power[~(power.max(axis=1) > 0)] = np.nan
    frequencies = np.arange(n_fft // 2 + 1) * rate_hz / n_fft
    centre = frequencies[_peaks(power)] + 0 * power[:, 0]
    bandwidth = np.array([_half_power_width(each) for each in power]) * frequencies[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return FrequencyResponse(
            frequencies_hz=frequencies,
            magnitude_db=10 * np.log10(power),
            phase=_phase(filters, spectra) + 0 * power,
            group_delay_s=np.mean((delays * spectra.conj()).real, axis=1) / power,
            centre_hz=centre,
            bandwidth_hz=bandwidth,
            q=centre / bandwidth,
        )


def _checked(weights: ArrayLike | Tensor, rate_hz: float) -> Floats:
    filters = as_array(weights)
    if filters.ndim != 3 or 0 in filters.shape[1:]:
        raise UserError(
            f"weights: expected (n_filters, n_channels, n_taps), got {filters.shape}: "
            "give those of a 1-D convolution"
        )
    if not rate_hz > 0:
        raise UserError(f"rate_hz: expected samples a second, more than 0, got {rate_hz}")
    is_finite = np.isfinite(filters).all(axis=(1, 2), keepdims=True)
    return np.where(is_finite, filters, np.nan)


def _phase(filters: Floats, spectra: NDArray[np.complex128]) -> Floats:
    strongest = np.argmax(np.sum(filters**2, axis=2), axis=1)
    return np.unwrap(np.angle(spectra[np.arange(len(filters)), strongest]))


def _peaks(power: Floats) -> NDArray[np.intp]:
    return np.asarray(np.argmax(np.nan_to_num(power, nan=0.0), axis=1))


def _half_power_width(power: Floats) -> float:
    """From one half-power point about the largest power to the other, in bins, interpolated."""
    if np.isnan(power).any():
        return float("nan")
    peak = int(np.argmax(power))
    below = power[peak::-1], float(peak)
    above = power[peak:], float(len(power) - 1 - peak)
    return sum(_steps_to(power[peak] / 2, slope, end) for slope, end in (below, above))


def _steps_to(level: float, slope: Floats, end: float) -> float:
    """How many steps down a slope the level is reached; the whole slope where it is not."""
    under = np.flatnonzero(slope < level)
    if not len(under):
        return end
    i = int(under[0])
    return i - 1 + float((slope[i - 1] - level) / (slope[i - 1] - slope[i]))
