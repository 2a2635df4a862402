"""Features of long recordings at the volumes of each run."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from convscope.brain.features.acoustic import RATE_HZ
from convscope.brain.features.columns import varying
from convscope.brain.features.net import check_layers
from convscope.brain.features.spaces import Variant
from convscope.brain.features.stimuli import sound
from convscope.brain.features.time import at_times, layers_over_time, sound_over_time
from convscope.brain.inputs.study import Study
from convscope.brain.records import Event, FeatureSpace, Run
from convscope.errors import UserError

Array = NDArray[np.float64]

Series = dict[str, tuple[Array, float]]
"""(n_steps, n_features) by name, and the seconds of a step."""


def layer_volumes(
    study: Study, variant: Variant, progress: Callable[[int, int], None] | None = None
) -> tuple[FeatureSpace, ...]:
    """A feature space for each layer of a net, at all volumes; none where there is no such net."""
    net = variant.make()
    if net is None:
        return ()
    names = study.settings.features.layers or net.layers
    check_layers(net, names)

    def along(i: int) -> Series:
        assert study.stimuli is not None
        rate_hz = net.rate_hz or RATE_HZ
        return layers_over_time(net, sound(study.stimuli.files[i], rate_hz), names, progress)

    return tuple(
        FeatureSpace(name, variant.role, found.values, variant.seed, found.n_constant)
        for name, values in _at_volumes(study, along).items()
        for found in [varying(values, np.abs(values).mean(axis=0))]
    )


def sound_volumes(study: Study) -> tuple[FeatureSpace, ...]:
    """What needs no net, at all volumes."""

    def along(i: int) -> Series:
        assert study.stimuli is not None
        return sound_over_time(sound(study.stimuli.files[i], RATE_HZ)[0])

    return tuple(
        FeatureSpace(name, "acoustic", values.astype(np.float32))
        for name, values in _at_volumes(study, along).items()
    )


def _at_volumes(study: Study, along: Callable[[int], Series]) -> dict[str, Array]:
    """(n_volumes of all runs, n_features) by name: each recording where its event says it began."""
    known: dict[int, Series] = {}
    parts: dict[str, list[Array]] = {}
    for run in study.runs:
        event = recording_of(study, run)
        assert event.stimulus is not None
        if event.stimulus not in known:  # several runs may have played the same recording
            known[event.stimulus] = along(event.stimulus)
        series = known[event.stimulus]
        middles = (np.arange(run.n_volumes) + 0.5) * study.tr_seconds - event.onset_seconds
        for name, (values, step) in series.items():
            parts.setdefault(name, []).append(at_times(values, step, middles, study.tr_seconds))
    return {name: np.concatenate(own) for name, own in parts.items()}


def recording_of(study: Study, run: Run) -> Event:
    """The one recording that was played in a run; without events the study's only stimulus.

    Raises:
        UserError: where a run has several, or none.
    """
    assert study.stimuli is not None
    played = [event for event in run.events if event.stimulus is not None]
    if not run.events and len(study.stimuli) == 1:
        start = -study.settings.responses.first_volume_seconds
        return Event(start, float(study.stimuli.seconds[0]), "recording", 0)
    if len(played) != 1:
        raise UserError(
            f"features.pooling: time follows one recording a run, and {run.name} has "
            f"{len(played)} events with a stim_file: give mean for many short stimuli"
        )
    return played[0]
