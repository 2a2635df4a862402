"""Features of one long recording, followed from volume to volume.

A net hears it in overlapping windows, and of each only the middle is kept, so that no window's edge
shows; a low-pass filter then lets nothing through that the volumes could not follow (Oppenheim and
Schafer, Discrete-Time Signal Processing, section 4.6). Step i of any series here is the time from i
to i + 1 steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from convscope.brain.features.acoustic import HOP, RATE_HZ, WINDOW, log_mel
from convscope.brain.features.layers import DoesNotFit, answers
from convscope.brain.features.net import Net
from convscope.brain.features.stimuli import Clip
from convscope.errors import UserError

Array = NDArray[np.float64]

WINDOWS_AT_ONCE = 4

STEPS_A_SECOND = 100
"""Of layers that are finer, means over stretches are kept: volumes are far slower."""

CUTOFF = 0.9
"""Of the Nyquist frequency of the volumes: where the low-pass filter has fallen to a half."""


@dataclass(frozen=True)
class Windows:
    """How a recording is cut, in samples.

    Attributes:
        kept: of each window; the next begins so much later.
        margin: before and behind it, which is cut off.
    """

    kept: int
    margin: int

    @property
    def length(self) -> int:
        return self.kept + 2 * self.margin


def windows_for(net: Net) -> Windows:
    """Windows whose margins are as wide as a unit's field reaches, where the net takes any length.

    They begin at multiples of the longest stride, so that units lie where they would in one pass.
    Else windows are as long as the net's own clips, and half of each is kept: zeros beyond their
    ends reach units of wider fields, as they did in training. What a layer takes from a clip as a
    whole, such as its mean over time, is that of a window.
    """
    length = net.clip_shape[-1]
    own = Windows(length // 2, length // 4)
    every = [layer.fields[-1] for layer in net.found_layers().values() if layer.fields]
    fields = [field for field in every if not field.is_whole]
    if not fields:
        return own
    reach = max(max(-field.start, field.start + field.size) for field in fields)
    stride = max(field.stride for field in fields)
    n_inputs = net.input_of(torch.zeros(1, *net.clip_shape)).shape[-1]
    unit = max(1, round(stride * length / n_inputs))  # from steps of the net's input to samples
    wide = Windows(unit * max(1, length // unit), unit * (ceil(reach / stride) + 1))
    try:
        answers(net, torch.zeros(1, 1, wide.length), net.layers)
    except DoesNotFit:
        return own
    return wide


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
        seconds of a step; at most 100 steps/s.

    Raises:
        UserError: for a net of images.
    """
    if net.rate_hz is None:
        raise UserError(f"features.pooling: time follows a sound, and {net.name} takes images")
    windows = windows_for(net)
    seconds = windows.kept / net.rate_hz
    most = max(1, int(STEPS_A_SECOND * seconds))
    n_windows = max(1, ceil(clip.shape[-1] / windows.kept))
    behind = n_windows * windows.kept + windows.margin - clip.shape[-1]
    padded = np.pad(clip, ((0, 0), (windows.margin, behind)))
    kept: dict[str, list[Array]] = {name: [] for name in layers}
    for first in range(0, n_windows, WINDOWS_AT_ONCE):
        last = min(first + WINDOWS_AT_ONCE, n_windows)
        starts = [i * windows.kept for i in range(first, last)]
        cut = np.stack([padded[:, start : start + windows.length] for start in starts])
        for name, answer in answers(net, torch.from_numpy(cut), layers).items():
            kept[name] += list(_middle(answer, windows, most))
        if progress:
            progress(last, n_windows)
    return {name: (np.concatenate(parts), seconds / len(parts[0])) for name, parts in kept.items()}


def sound_over_time(wave: NDArray[np.floating]) -> dict[str, tuple[Array, float]]:
    """What needs no net, every 10 ms of a sound at 16 kHz: power, mel bands, and both with how fast
    the bands change (`spectral_all`)."""
    padded = np.pad(wave, ((WINDOW - HOP) // 2, WINDOW))  # a frame's middle is that of its step
    mel = log_mel(padded).T
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
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
        series: (n_steps, n_features), the first from 0 s on.
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
    steps = (np.arange(len(series)) + 0.5) * step_seconds
    wanted = np.asarray(times, dtype=np.float64)
    return np.stack([np.interp(wanted, steps, column) for column in smooth.T], axis=1)


def _middle(answer: Array, windows: Windows, most: int) -> Array:
    """(n_windows, n_steps, n_units) the kept stretch of each window, mean over other positions."""
    if answer.ndim == 2:
        return answer[:, None]
    while answer.ndim > 3:
        answer = answer.mean(axis=2)
    n_positions, span = answer.shape[2], windows.kept / windows.length
    n_kept = max(1, round(n_positions * span))
    n_steps = min(n_kept, most)
    n_places = n_steps * ceil(n_kept / n_steps)
    places = (windows.margin / windows.length) + span * (np.arange(n_places) + 0.5) / n_places
    values = _at_places(answer, places)
    steps: Array = values.reshape(*values.shape[:2], n_steps, -1).mean(axis=3)
    return np.swapaxes(steps, 1, 2)


def _at_places(answer: Array, places: Array) -> Array:
    """(n_windows, n_units, n_places) linear between positions; places are shares of a window."""
    n_positions = answer.shape[2]
    positions = (np.arange(n_positions) + 0.5) / n_positions
    lower = np.clip(np.searchsorted(positions, places) - 1, 0, max(n_positions - 2, 0))
    upper = np.minimum(lower + 1, n_positions - 1)
    share = np.clip((places - positions[lower]) * n_positions, 0, 1)
    between: Array = (1 - share) * answer[:, :, lower] + share * answer[:, :, upper]
    return between
