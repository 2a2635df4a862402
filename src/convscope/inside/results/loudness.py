"""Sounds made equally loud, to be heard one after the other."""

import numpy as np
from numpy.typing import NDArray

from convscope.types import Waveform

LEVEL_DB = -23.0
PEAK_DB = -1.0


def levelled(waveform: NDArray[np.floating]) -> Waveform:
    """A sound at a root mean square of −23 dB re full scale, or as near as its peak allows.

        x · min(10^(−23/20) / RMS(x), 10^(−1/20) / max |x|)

    after its mean is taken off, which no ear hears. Silence stays silence. This is the level of
    EBU R 128 without its frequency weighting.
    """
    centred = np.asarray(waveform, np.float64) - np.mean(waveform)
    rms, peak = np.sqrt(np.mean(centred**2)), np.abs(centred).max(initial=0)
    gain = min(10 ** (LEVEL_DB / 20) / rms, 10 ** (PEAK_DB / 20) / peak) if peak else 0.0
    return np.asarray(gain * centred, np.float32)
