"""What is to be said of runs: their events, stimuli and drifts."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from convscope.brain.inputs.design_checks import of_design, some_targets
from convscope.brain.inputs.findings import Finding
from convscope.brain.inputs.regressors import drift_share
from convscope.brain.inputs.study import Study
from convscope.brain.records import Run
from convscope.errors import first_few

Array = NDArray[np.float64]

DRIFT_SECONDS = 128.0

MOST_DRIFT = 4.0
"""Times the variance of slow waves in white noise: AR(1) of 0.4 has 2, drifts have 6 to 40."""

LEAST_DRIFT = 0.1
"""Of the slowest wave: white noise has a median of 0.45 over targets, filtered volumes 0.002."""


def of_runs(study: Study) -> Iterator[Finding]:
    """All that is to be said of the runs of a study of volumes."""
    if len(study.runs) == 1:
        yield Finding(
            "note",
            "one run: contiguous blocks with a gap are left out; whether a result holds in another "
            "run cannot be said",
        )
    if len(study.recordings) > 1 and any(run.confound_names for run in study.runs):
        yield Finding(
            "warning",
            f"the same confounds for all {len(study.recordings)} subjects: nobody moves as another "
            "does",
            "take motion out of each subject's volumes before, or make a study of each subject",
        )
    yield from _overlap(study)
    yield from _shown(study)
    for run in study.runs:
        if run.design is None and not run.events:
            if study.settings.features.pooling != "time":
                yield Finding(
                    "warning",
                    f"{run.name} has neither events nor given predictors",
                    "name responses.events or responses.design",
                )
            continue
        yield from _events(study, run)
        yield from _drifts(study, run)
        yield from of_design(study, run)


def _shown(study: Study) -> Iterator[Finding]:
    """Stimuli that no event names."""
    stimuli = study.stimuli
    if stimuli is None or study.settings.features.pooling == "time":
        return
    shown = {event.stimulus for run in study.runs for event in run.events} - {None}
    if not shown and any(run.events for run in study.runs):
        yield Finding(
            "warning",
            f"no event names one of the {len(stimuli)} stimuli: features cannot be placed in time",
            "add a column stim_file to the events",
        )
    elif shown and len(shown) < len(stimuli):
        never = [name for i, name in enumerate(stimuli.names) if i not in shown]
        yield Finding("note", f"{len(never)} stimuli were never shown: {first_few(never)}")


def _events(study: Study, run: Run) -> Iterator[Finding]:
    last = run.n_volumes * study.tr_seconds
    late = [
        event
        for event in run.events
        if event.onset_seconds + event.duration_seconds > last + study.tr_seconds
    ]
    if late:
        yield Finding(
            "warning",
            f"{run.name}: {len(late)} of {len(run.events)} events go on after its end at {last:g} "
            f"s, such as {late[0].trial_type} at {late[0].onset_seconds:g} s for "
            f"{late[0].duration_seconds:g} s",
            "are durations in s, and is this the events file of this run?",
        )


def _drifts(study: Study, run: Run) -> Iterator[Finding]:
    """Whether slow drifts are there that nothing takes out, or were taken out before."""
    own = study.run_of == study.runs.index(run)
    values = np.hstack([each[own] for each in some_targets(study)])
    if not values.size:
        return
    slowest = 2 * run.n_volumes * study.tr_seconds
    if _median_drift(values, study.tr_seconds, slowest) < LEAST_DRIFT:
        yield Finding(
            "note",
            f"{run.name}: the slowest wave, of {slowest:g} s, is all but missing from the volumes: "
            "they were filtered before",
            "keep glm.high_pass_seconds, so that predictors are filtered alike, or set it to null "
            "where they were too",
        )
    share = _median_drift(values, study.tr_seconds, DRIFT_SECONDS)
    if study.settings.glm.high_pass_seconds is None and share > MOST_DRIFT:
        yield Finding(
            "warning",
            f"{run.name}: waves of {DRIFT_SECONDS:g} s and longer have {share:.1f} times the "
            "variance that they have in white noise: the scanner drifts, and nothing takes it out",
            f"set glm.high_pass_seconds: {DRIFT_SECONDS:g}",
        )


def _median_drift(values: Array, tr_seconds: float, period_seconds: float) -> float:
    """Over targets; nan where no wave of the period fits into the run."""
    if 2 * len(values) * tr_seconds < period_seconds:
        return float("nan")
    return float(np.nanmedian(drift_share(values, tr_seconds, period_seconds)))


def _overlap(study: Study) -> Iterator[Finding]:
    """Stimuli of one run that another has too, and that it is not said to repeat."""
    stimuli = study.stimuli
    if stimuli is None:
        return
    contents = [
        {stimuli.hashes[e.stimulus] for e in run.events if e.stimulus is not None}
        for run in study.runs
    ]
    for i, first in enumerate(study.runs):
        for j, second in enumerate(study.runs[i + 1 :], i + 1):
            said = first.name in (second.repeat_of, first.repeat_of) or (
                second.repeat_of is not None and second.repeat_of == first.repeat_of
            )
            shared = contents[i] & contents[j]
            if shared and not said:
                yield Finding(
                    "warning",
                    f"{first.name} and {second.name} share {len(shared)} stimuli: left out one "
                    "after the other, each would be fitted to in the other run",
                    f"set repeats: {{{second.name}: {first.name}}}",
                )
