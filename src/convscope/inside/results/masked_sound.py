"""What a net heard: a sound weighted by a map, to play beside the original."""

import numpy as np
from numpy.typing import NDArray

from convscope.data.config import SpectrogramConfig
from convscope.types import Waveform


def masked(waveform: Waveform, shares: NDArray[np.floating]) -> Waveform:
    """The sound times its map: y[t] = m[t] x[t].

    Args:
        waveform: (n_times,).
        shares: (n_times,) from 0, not heard, to 1.
    """
    return np.asarray(waveform * shares, np.float32)


def masked_in_frequency(
    waveform: Waveform, shares: NDArray[np.floating], config: SpectrogramConfig
) -> Waveform:
    """The sound whose spectrogram is weighted by a map over bins and frames.

    Frames are weighted in frequency and added again where they overlap, each under the window once
    more and the sum divided by that of the squared windows (D. Griffin and J. Lim, Signal
    Estimation from Modified Short-Time Fourier Transform, IEEE Trans. ASSP 32, 1984, equation 6).

    Args:
        waveform: (n_times,).
        shares: (n_bins, n_frames) from 0 to 1.
        config: of the spectrogram.
    """
    window = np.hanning(config.window + 1)[:-1]
    total, weight = np.zeros(len(waveform)), np.zeros(len(waveform))
    for frame in range(shares.shape[1]):
        part = slice(frame * config.stride, frame * config.stride + config.window)
        spectrum = np.fft.rfft(waveform[part] * window, config.fft_size) * shares[:, frame]
        total[part] += window * np.fft.irfft(spectrum, config.fft_size)[: config.window]
        weight[part] += window**2
    return (total / np.maximum(weight, 1e-3)).astype(np.float32)
