"""Features of one long recording, followed from volume to volume.

A net hears it in overlapping windows of its own length, and of each only the middle half is kept,
so that no window's edge shows; a low-pass filter then lets nothing through that the volumes could
not follow (Oppenheim and Schafer, Discrete-Time Signal Processing, section 4.6).
"""

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from convscope.brain.features.acoustic import HOP, RATE_HZ, WINDOW, log_mel
from convscope.brain.features.layers import answers
from convscope.brain.features.net import Net
from convscope.brain.features.stimuli import Clip
from convscope.errors import UserError

Array = NDArray[np.float64]

WINDOWS_AT_ONCE = 16
CUTOFF = 0.9
"""Of the Nyquist frequency of the volumes: where the low-pass filter has fallen to a half."""


def layers_over_time(
    net: Net,
    clip: Clip,
    layers: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, tuple[Array, float]]:
    """What layers answer along a recording.

    Args:
        net: of sounds.
        clip: (1, n_times) the whole recording at the net's rate.
        layers: names.
        progress: called with the windows done and all.

    Returns:
        For each layer (n_steps, n_units), the mean over all positions but those in time, and the
        seconds of a step; the first step lies at 0 s.

    Raises:
        UserError: for a net of images.
    """
    if net.rate_hz is None:
        raise UserError(f"features.pooling: time follows a sound, and {net.name} takes images")
    length, n = net.clip_shape[-1], clip.shape[-1]
    hop, margin = length // 2, length // 4
    n_windows = max(1, ceil(n / hop))
    padded = np.pad(clip, ((0, 0), (margin, n_windows * hop + length - n)))
    kept: dict[str, list[Array]] = {name: [] for name in layers}
    for first in range(0, n_windows, WINDOWS_AT_ONCE):
        starts = [i * hop for i in range(first, min(first + WINDOWS_AT_ONCE, n_windows))]
        windows = torch.from_numpy(np.stack([padded[:, s : s + length] for s in starts]))
        for name, answer in answers(net, windows, layers).items():
            kept[name] += list(_middle(answer))
        if progress:
            progress(min(first + WINDOWS_AT_ONCE, n_windows), n_windows)
    seconds = hop / net.rate_hz
    return {name: (np.concatenate(parts), seconds / len(parts[0])) for name, parts in kept.items()}


def sound_over_time(wave: NDArray[np.floating]) -> dict[str, tuple[Array, float]]:
    """What needs no net, every 10 ms of a sound at 16 kHz: power, mel bands, and both with how fast
    the bands change (`spectral_all`)."""
    mel = log_mel(np.pad(wave, (WINDOW // 2, WINDOW))).T
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, (WINDOW // 2, WINDOW)), WINDOW)
    power = np.log(np.maximum((frames[::HOP] ** 2).mean(axis=1), 1e-10))[: len(mel), None]
    flux = np.abs(np.diff(mel, axis=0, prepend=mel[:1]))
    step = HOP / RATE_HZ
    return {
        "power": (power, step),
        "mel_mean": (mel, step),
        "spectral_all": (np.hstack([mel, flux, power]), step),
    }


def at_times(series: Array, step_seconds: float, times: ArrayLike, tr_seconds: float) -> Array:
    """A series at the times of volumes, behind a low-pass filter at their Nyquist frequency.

    Args:
        series: (n_steps, n_features), the first at 0 s.
        step_seconds: from step to step.
        times: (n_volumes,) in s; before and behind the series it is held at its ends.
        tr_seconds: from volume to volume.

    Returns:
        (n_volumes, n_features).
    """
    from scipy.signal import fftconvolve, firwin

    smooth = series
    if step_seconds < tr_seconds:
        n_taps = 2 * ceil(4 * tr_seconds / step_seconds) + 1
        taps = firwin(n_taps, CUTOFF * 0.5 / tr_seconds, fs=1 / step_seconds)
        half = n_taps // 2
        held = np.pad(series, ((half, half), (0, 0)), mode="edge")
        smooth = fftconvolve(held, taps[:, None], mode="valid", axes=0)
    steps = np.arange(len(series)) * step_seconds
    wanted = np.asarray(times, dtype=np.float64)
    return np.stack([np.interp(wanted, steps, column) for column in smooth.T], axis=1)


def _middle(answer: Array) -> Array:
    """(n_windows, n_kept, n_units) the middle half of each window, mean over other positions."""
    if answer.ndim == 2:
        return answer[:, None]
    while answer.ndim > 3:
        answer = answer.mean(axis=2)
    n_positions = answer.shape[2]
    n_kept = max(1, n_positions // 2)
    places = (np.arange(n_kept) + 0.5) / n_kept * 0.5 + 0.25  # shares of the window
    positions = (np.arange(n_positions) + 0.5) / n_positions
    lower = np.clip(np.searchsorted(positions, places) - 1, 0, max(n_positions - 2, 0))
    upper = np.minimum(lower + 1, n_positions - 1)
    share = np.clip((places - positions[lower]) * n_positions, 0, 1)
    middle = (1 - share) * answer[:, :, lower] + share * answer[:, :, upper]
    return np.swapaxes(middle, 1, 2)
