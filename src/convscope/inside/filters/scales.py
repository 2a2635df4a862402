"""Scales of hearing: how the ear spaces and widens its bands.

Sources: D. O'Shaughnessy, Speech Communication: Human and Machine (1987), p. 150, for mel;
B. R. Glasberg and B. C. J. Moore, Derivation of auditory filter shapes from notched-noise data,
Hearing Research 47 (1990), equations 3 and 4, for ERB.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Frequencies = NDArray[np.float64]


def mel(frequencies_hz: Frequencies) -> Frequencies:
    """2595 log10(1 + f / 700): pitch in mel of frequencies in Hz."""
    return np.asarray(2595 * np.log10(1 + np.asarray(frequencies_hz) / 700))


def mel_to_hz(mels: Frequencies) -> Frequencies:
    """The frequencies in Hz of pitches in mel."""
    return np.asarray(700 * (10 ** (np.asarray(mels) / 2595) - 1))


def erb_hz(frequencies_hz: Frequencies) -> Frequencies:
    """24.7 (4.37 f / 1000 + 1): the bandwidth in Hz of the ear's filter at a frequency in Hz."""
    return np.asarray(24.7 * (4.37 * np.asarray(frequencies_hz) / 1000 + 1))


def erb_number(frequencies_hz: Frequencies) -> Frequencies:
    """21.4 log10(1 + 4.37 f / 1000): how many such bandwidths lie below frequencies in Hz."""
    return np.asarray(21.4 * np.log10(1 + 4.37 * np.asarray(frequencies_hz) / 1000))


def erb_number_to_hz(numbers: Frequencies) -> Frequencies:
    """The frequencies in Hz below which so many bandwidths lie."""
    return np.asarray((10 ** (np.asarray(numbers) / 21.4) - 1) * 1000 / 4.37)


def _hz(frequencies_hz: Frequencies) -> Frequencies:
    return np.asarray(frequencies_hz, dtype=np.float64)


SCALES: dict[
    str, tuple[Callable[[Frequencies], Frequencies], Callable[[Frequencies], Frequencies]]
] = {
    "linear": (_hz, _hz),
    "mel": (mel, mel_to_hz),
    "ERB": (erb_number, erb_number_to_hz),
}
"""Each scale by name: from Hz, and back."""


def spaced_evenly(scale: str, n: int, nyquist_hz: float) -> Frequencies:
    """The n frequencies that halve n equal steps of a scale from 0 Hz to the Nyquist frequency."""
    forth, back = SCALES[scale]
    return back((np.arange(n) + 0.5) / n * forth(np.array(nyquist_hz)))


def distance(scale: str, centres_hz: Frequencies, nyquist_hz: float) -> float:
    """How far centre frequencies are from an even spread over a scale: Kolmogorov and Smirnov's D.

        D = max over f of |share of the centres up to f - scale(f) / scale(Nyquist)|

    Args:
        scale: a name of `SCALES`.
        centres_hz: (n_filters,); those that are NaN are left out.
        nyquist_hz: where the scale ends.

    Returns:
        From 0, evenly spread, to 1, all at one end; NaN without centres.
    """
    centres = np.sort(centres_hz[np.isfinite(centres_hz)])
    if not len(centres):
        return float("nan")
    forth, _ = SCALES[scale]
    place = forth(centres) / forth(np.array(nyquist_hz))
    share = np.arange(len(centres) + 1) / len(centres)
    return float(max(np.max(share[1:] - place), np.max(place - share[:-1])))
