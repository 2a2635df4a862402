"""The spectrum of what units answer, over time."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from convscope.errors import UserError

WINDOW, STRIDE = 512, 128
"""Samples of the map, as the lab reports have them."""

SHORTEST_WINDOW = 8


@dataclass(frozen=True)
class Stft:
    """Power of some maps in time and frequency.

    Attributes:
        power: (n_units, n_bins, n_frames).
        frequencies_hz: (n_bins,) from 0 to the Nyquist frequency of the map.
        times_s: (n_frames,) the middle of each frame, from the map's first step on.
        window, stride: samples of the map in a frame, and from frame to frame.
    """

    power: NDArray[np.float64]
    frequencies_hz: NDArray[np.float64]
    times_s: NDArray[np.float64]
    window: int
    stride: int

    @property
    def hop_s(self) -> float:
        """From frame to frame."""
        return self.stride / (2 * float(self.frequencies_hz[-1]))


def window_for(n_steps: int) -> tuple[int, int]:
    """The window and stride for a map of so many steps.

    512 and 128; for a map of fewer than 1,024 steps the largest power of two that is at most half
    its length, so that there are frames to tell apart, and a quarter of that.

    Raises:
        UserError: for a map of fewer than 16 steps.
    """
    if n_steps < 2 * SHORTEST_WINDOW:
        raise UserError(
            f"expected a map of at least {2 * SHORTEST_WINDOW} steps, got {n_steps}: "
            "too short for a spectrum; take an earlier layer"
        )
    window = min(WINDOW, 1 << (n_steps // 2).bit_length() - 1)
    return window, window * STRIDE // WINDOW


def stft(maps: ArrayLike, rate_hz: float) -> Stft:
    """The short-time Fourier spectrum of maps, at their layer's own rate.

        P[k, m] = |sum over t < window of w[t] a[m · stride + t] exp(-2πi k t / window)|²

    with the periodic Hann window w[t] = sin²(π t / window).

    Args:
        maps: (n_units, n_steps).
        rate_hz: steps a second: the sound's rate divided by the layer's stride.

    Raises:
        UserError: for maps of fewer than 16 steps.
    """
    values = np.asarray(maps, dtype=np.float64)
    window, stride = window_for(values.shape[-1])
    hann = np.sin(np.pi * np.arange(window) / window) ** 2
    frames = sliding_window_view(values, window, axis=-1)[:, ::stride] * hann
    power = np.abs(np.fft.rfft(frames, axis=-1)) ** 2
    return Stft(
        power=power.transpose(0, 2, 1),
        frequencies_hz=np.arange(window // 2 + 1) * rate_hz / window,
        times_s=(np.arange(frames.shape[1]) * stride + (window - 1) / 2) / rate_hz,
        window=window,
        stride=stride,
    )
