r"""Controls of images: what brightness, colour and spatial frequency alone say.

Energy by spatial frequency and orientation stands for what simple and complex cells of V1 answer
(Jones and Palmer 1987, J. Neurophysiol. 58; Kay and others 2008, Nature 452, used Gabor wavelets).
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.floating]
"""(n_channels, height, width) of full scale 1; one channel or red, green, blue."""

Features: TypeAlias = NDArray[np.float64]

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue (ITU-R BT.709)."""

N_OCTAVES, N_ORIENTATIONS = 5, 8


def luminance(image: Image) -> NDArray[np.float64]:
    """(height, width): the weighted mean of the channels."""
    weights = LUMINANCE if len(image) == 3 else (1.0,)
    grey: NDArray[np.float64] = np.tensordot(weights, image.astype(np.float64), 1)
    return grey


def colour(image: Image) -> Features:
    """(5,): mean and standard deviation of the luminance, mean red, green and blue."""
    grey = luminance(image)
    means = image.astype(np.float64).mean(axis=(1, 2))
    return np.concatenate([[grey.mean(), grey.std()], np.broadcast_to(means, (3,))])


def spatial_frequency(image: Image) -> Features:
    r"""(40,): ln of the mean power in 5 octaves × 8 orientations of the luminance.

    The highest octave ends at the Nyquist frequency, 0.5 cycles/pixel; orientation is that of the
    wave vector, in [0, π). The image is under a Hann window, less its mean.
    """
    grey = luminance(image)
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    spectrum = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    down, across = np.meshgrid(*map(np.fft.fftfreq, grey.shape), indexing="ij")
    octave = np.floor(-np.log2(np.maximum(np.hypot(down, across), 1e-9) / 0.5))
    sector = np.floor((np.arctan2(down, across) % np.pi) / np.pi * N_ORIENTATIONS)
    cells = [
        _mean(spectrum[(octave == i) & (sector % N_ORIENTATIONS == j)])
        for i in range(N_OCTAVES)
        for j in range(N_ORIENTATIONS)
    ]
    return np.log(np.array(cells) + 1e-9)


def pixels_all(image: Image) -> Features:
    """(45,): `colour` and `spatial_frequency` behind each other."""
    return np.concatenate([colour(image), spatial_frequency(image)])


PIXELS: dict[str, Callable[[Image], Features]] = {
    "colour": colour,
    "spatial_frequency": spatial_frequency,
    "pixels_all": pixels_all,
}
"""Beside every net that is held against responses to images."""


def _mean(values: NDArray[np.float64]) -> float:
    """0 where an image is too small to have any."""
    return float(values.mean()) if values.size else 0.0
