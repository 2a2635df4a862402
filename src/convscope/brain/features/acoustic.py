r"""Acoustic controls: what a sound's spectrum and its modulations alone say.

All start from the log-mel spectrogram L (64 bands from 50 to 8,000 Hz, 100 frames/s) of a sound at
16 kHz and full scale 1, each sound by itself. A net that predicts a brain no better than these has
shown nothing but that brains follow sound. Modulations after Chi, Ru and Shamma (2005), J. Acoust.
Soc. Am. 118, by two-dimensional Fourier transforms in place of their filters.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Wave: TypeAlias = NDArray[np.floating]
Features: TypeAlias = NDArray[np.float64]

RATE_HZ = 16_000
WINDOW, HOP, FFT = 400, 160, 512
N_BANDS, LOWEST_HZ, HIGHEST_HZ = 64, 50.0, 8000.0

RATES_HZ = (0.0, 0.75, 1.5, 3.0, 6.0, 12.0, 24.0, 50.1)
"""Edges of the rates of `modulation`: changes in a second."""

SCALES = (-0.1, 0.5, 1.5, 3.5, 8.5, 33.0)
"""Edges of its scales: cycles over the 64 bands."""

BAND_RATES_HZ = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 50.1)
N_BAND_GROUPS = 8


def log_mel(wave: Wave) -> Features:
    """ln(power + 1e-10) in mel bands: (n_bands, n_frames).

    Periodic Hann windows of 25 ms every 10 ms without padding; triangles of height 1 on the HTK
    mel scale.
    """
    frames = np.lib.stride_tricks.sliding_window_view(wave.astype(np.float64), WINDOW)[::HOP]
    window = np.hanning(WINDOW + 1)[:-1]
    power = np.abs(np.fft.rfft(frames * window, FFT)) ** 2
    mel: Features = np.log(power @ mel_bank().T + 1e-10).T
    return mel


def mel_bank() -> Features:
    """(n_bands, n_bins) triangles of height 1, mel(f) = 2595 log10(1 + f / 700) (HTK)."""

    def mel(hz: float) -> float:
        return float(2595 * np.log10(1 + hz / 700))

    edges = 700 * (10 ** (np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), N_BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(FFT, 1 / RATE_HZ)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    bank: Features = np.clip(np.minimum(rising, falling), 0, None)
    return bank


def power(wave: Wave) -> Features:
    """(1,): ln of the mean square."""
    mean_square = float(np.mean(np.square(wave.astype(np.float64))))
    return np.array([np.log(max(mean_square, 1e-10))])


def mel_mean(wave: Wave) -> Features:
    """(64,): the mean of L over time."""
    mean: Features = log_mel(wave).mean(axis=1)
    return mean


def mel_mean_std(wave: Wave) -> Features:
    """(128,): mean and standard deviation of L over time."""
    mel = log_mel(wave)
    return np.concatenate([mel.mean(axis=1), mel.std(axis=1)])


def modulation(wave: Wave) -> Features:
    """(35,): ln of the mean power in 7 rates × 5 scales of the 2-D spectrum of L less its mean.

    Of the two halves of the spectrum, which mirror each other, that of rates from 0 on.
    """
    mel = log_mel(wave)
    n_frames = mel.shape[1]
    centred = (mel - mel.mean()) * np.hanning(n_frames)
    spectrum = np.abs(np.fft.fft(np.fft.rfft(centred, axis=1), axis=0)) ** 2
    rates = np.fft.rfftfreq(n_frames, HOP / RATE_HZ)
    scales = np.abs(np.fft.fftfreq(N_BANDS, 1 / N_BANDS))
    cells = [
        _mean(spectrum[np.ix_(_between(scales, SCALES, j), _between(rates, RATES_HZ, i))])
        for i in range(len(RATES_HZ) - 1)
        for j in range(len(SCALES) - 1)
    ]
    return np.log(np.array(cells) + 1e-6)


def temporal_modulation(wave: Wave) -> Features:
    """(48,): ln of the mean power in 8 groups of bands × 6 rates of each band's own spectrum."""
    mel = log_mel(wave)
    n_frames = mel.shape[1]
    centred = (mel - mel.mean(axis=1, keepdims=True)) * np.hanning(n_frames)
    spectrum = np.abs(np.fft.rfft(centred, axis=1)) ** 2
    rates = np.fft.rfftfreq(n_frames, HOP / RATE_HZ)
    groups: Features = spectrum.reshape(N_BAND_GROUPS, -1, len(rates))
    cells = [
        _mean(group[:, _between(rates, BAND_RATES_HZ, i)])
        for group in groups
        for i in range(len(BAND_RATES_HZ) - 1)
    ]
    return np.log(np.array(cells) + 1e-6)


def spectral_all(wave: Wave) -> Features:
    """(147,): `mel_mean`, `modulation` and `temporal_modulation` behind each other."""
    return np.concatenate([mel_mean(wave), modulation(wave), temporal_modulation(wave)])


ACOUSTIC: dict[str, Callable[[Wave], Features]] = {
    "power": power,
    "mel_mean": mel_mean,
    "modulation": modulation,
    "temporal_modulation": temporal_modulation,
    "spectral_all": spectral_all,
}
"""Beside every net that is held against responses to sounds."""


def _mean(values: Features) -> float:
    """0 of nothing: sounds under 2 s have no rates so slow."""
    return float(values.mean()) if values.size else 0.0


def _between(values: Wave, edges: tuple[float, ...], i: int) -> NDArray[np.bool_]:
    """From an edge up to, not including, the next."""
    inside: NDArray[np.bool_] = (values >= edges[i]) & (values < edges[i + 1])
    return inside
