"""Convolution with a haemodynamic response, each run by itself; the responses are nilearn's."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convscope.brain.records import Event

Array = NDArray[np.float64]

OVERSAMPLING = 50
"""Steps of the fine grid in a TR, on which events lie and responses are computed."""

RESPONSE_SECONDS = 32.0


def responses(model: str, step_seconds: float) -> list[Array]:
    """The responses of a model on a grid of steps: the canonical one, then its derivatives.

    Args:
        model: `spm` or `glover`, with ` + derivative`, and ` + dispersion` behind it.
        step_seconds: of the grid.
    """
    kind, *more = model.split(" + ")
    names = [kind, *(f"{kind}_{_NAMES[each]}" for each in more)]
    return [np.asarray(_kernel(name)(step_seconds), np.float64).ravel() for name in names]


def convolved(values: ArrayLike, runs: ArrayLike, tr_seconds: float, model: str) -> Array:
    """Predictors at the TR, convolved with each response of a model.

    Each run's predictors are taken less their mean: what came before the first volume is not known,
    and zeros there would be a step that no stimulus made.

    Args:
        values: (n_samples, n_features) neural predictors at the times of the volumes.
        runs: (n_samples,) the number of each sample's run: nothing of one reaches the next.
        tr_seconds: from volume to volume.
        model: as for `responses`.

    Returns:
        (n_samples, n_responses * n_features), all features by the canonical response first.
    """
    values = np.asarray(values, dtype=np.float64)
    numbers = np.asarray(runs)
    fine = responses(model, tr_seconds / OVERSAMPLING)
    kernels = [kernel[::OVERSAMPLING] * OVERSAMPLING for kernel in fine]
    out = np.zeros((len(kernels), *values.shape))
    for run in np.unique(numbers):
        own = np.flatnonzero(numbers == run)
        for k, kernel in enumerate(kernels):
            out[k, own] = _causal(values[own] - values[own].mean(axis=0), kernel)
    return np.hstack(list(out))


def event_predictors(
    events: Sequence[Event], values: ArrayLike, n_volumes: int, tr_seconds: float, model: str
) -> Array:
    """Columns of one run: each event lasts as long as it does, as high as its values.

    Args:
        events: of the run, onsets from its first volume.
        values: (n_events, n_columns) the height of each event in each column.
        n_volumes: of the run.
        tr_seconds: from volume to volume.
        model: as for `responses`.

    Returns:
        (n_volumes, n_responses * n_columns).
    """
    values = np.asarray(values, dtype=np.float64)
    step = tr_seconds / OVERSAMPLING
    margin = int(np.ceil(RESPONSE_SECONDS / step))  # what came before the first volume still acts
    neural = np.zeros((margin + n_volumes * OVERSAMPLING, values.shape[1]))
    for event, height in zip(events, values, strict=True):
        start = margin + round(event.onset_seconds / step)
        end = start + max(round(event.duration_seconds / step), 1)
        neural[max(start, 0) : max(end, 0)] += height
    at_volumes = margin + np.arange(n_volumes) * OVERSAMPLING
    kernels = responses(model, step)
    return np.hstack([_causal(neural, kernel)[at_volumes] for kernel in kernels])


def held(events: Sequence[Event], values: ArrayLike, n_volumes: int, tr_seconds: float) -> Array:
    """(n_volumes, n_columns) events without any response: the mean over each volume's time.

    Args: as `event_predictors`.
    """
    starts = np.arange(n_volumes) * tr_seconds
    heights = np.asarray(values, dtype=np.float64)
    columns = np.zeros((n_volumes, heights.shape[1]))
    for event, height in zip(events, heights, strict=True):
        end = event.onset_seconds + max(event.duration_seconds, tr_seconds / OVERSAMPLING)
        overlap = np.minimum(starts + tr_seconds, end) - np.maximum(starts, event.onset_seconds)
        columns += np.maximum(overlap, 0)[:, None] / tr_seconds * height
    return columns


def _causal(values: Array, kernel: Array) -> Array:
    from scipy.signal import fftconvolve

    full: Array = fftconvolve(values, kernel[:, None], axes=0)[: len(values)]
    return full


_NAMES = {"derivative": "time_derivative", "dispersion": "dispersion_derivative"}


def _kernel(name: str) -> Callable[[float], Any]:
    """A response on a grid without oversampling: t_r is the grid's step."""
    from nilearn.glm.first_level import hemodynamic_models

    function = getattr(hemodynamic_models, name if "_" in name else f"{name}_hrf")
    return lambda step: function(step, oversampling=1, time_length=RESPONSE_SECONDS)
