"""Features and responses at the same samples: stimuli as they are, volumes by the HRF."""

import numpy as np
from numpy.typing import NDArray

from convscope.brain.encoding.draws import block_draws, run_draws, stimulus_draws
from convscope.brain.encoding.encode import Draw
from convscope.brain.hrf.convolve import convolved, event_predictors, held
from convscope.brain.hrf.delays import delayed
from convscope.brain.hrf.drift import drift, without
from convscope.brain.inputs.study import Study
from convscope.brain.records import Event, Run
from convscope.errors import UserError

Array = NDArray[np.float64]

STRETCH_SECONDS = 40.0
"""Volumes that are drawn together: longer than a haemodynamic response lasts."""


def responses_of(study: Study) -> Array:
    """(n_samples, n_subjects * n_targets): means over repeats; bold without drifts and confounds.

    Targets of the first subject come first. Each run of bold is brought to standard deviation 1
    for each target, so that a loud run does not decide.
    """
    if not study.is_bold:
        return np.hstack([recording.mean for recording in study.recordings]).astype(np.float64)
    return np.hstack([_cleaned(study, recording.values[0]) for recording in study.recordings])


def samples_of(study: Study, features: NDArray[np.floating]) -> Array:
    """Features of stimuli, (n_stimuli, n_features), at the samples of the responses.

    Args:
        study: whose events say when each stimulus came.
        features: of stimuli in their order.

    Returns:
        (n_samples, n_features) of stimuli; of volumes times the responses or delays of the HRF,
        without drifts. There each feature counts from its mean over stimuli, and that a stimulus
        came at all is explained away from both sides: what is left is how stimuli differ.

    Raises:
        UserError: where no event names a stimulus.
    """
    if not study.is_bold:
        return features.astype(np.float64)
    centred = features - features.mean(axis=0)
    parts = []
    for run in study.runs:
        shown = _shown(run)
        if not shown:
            raise UserError(
                f"responses.events: no event of {run.name} names a stimulus: expected a column "
                "stim_file with the names of the stimuli"
            )
        values = centred[[event.stimulus for event in shown if event.stimulus is not None]]
        parts.append(_placed(study, run, values))
    return _at_volumes(study, np.concatenate(parts), study.settings.hrf.model == "fir")


def volumes_of(study: Study, features: NDArray[np.floating]) -> Array:
    """Features that are at the TR already, (n_volumes of all runs, n_features), by the HRF."""
    model = study.settings.hrf.model
    values = features.astype(np.float64)
    if model not in ("fir", "none"):
        values = convolved(values, study.run_of, study.tr_seconds, model)
    return _at_volumes(study, values, model == "fir")


def given_predictors(study: Study) -> Array:
    """(n_samples, n_columns) the given predictors of the first subject, by the HRF unless they were
    convolved before; with `fir` at its delays all the same."""
    parts = [run.design_for(0) for run in study.runs]
    if any(part is None for part in parts):
        raise UserError("responses.design is missing: a study without stimuli needs predictors")
    values = np.concatenate([part for part in parts if part is not None])
    settings = study.settings
    if settings.responses.already_convolved and settings.hrf.model != "fir":
        return _at_volumes(study, values, False)
    return volumes_of(study, values)


def draws_of(study: Study) -> tuple[Draw, ...]:
    """How samples are left out.

    Raises:
        UserError: for folds over single volumes, which are no test of anything.
    """
    settings = study.settings.encoding
    how = settings.folds
    if not study.is_bold:
        if how not in (None, "stimulus"):
            raise UserError(
                f"encoding.folds: {how} needs volumes, and the responses are a value for each "
                "stimulus: leave it out"
            )
        assert study.stimuli is not None
        return stimulus_draws(
            study.stimuli.hashes, settings.n_folds, settings.n_draws, settings.seed
        )
    if how == "stimulus":
        raise UserError(
            "encoding.folds: stimulus would put neighbouring volumes on both sides: smooth noise "
            "then predicts held-out volumes with r 0.57, with contiguous blocks 0.003 (measured "
            "on a story): give run, or block"
        )
    if how == "run" or (how is None and len(np.unique(study.repeat_of)) > 1):
        return run_draws(study.run_of, study.repeat_of)
    return block_draws(study.run_of, settings.n_folds, settings.gap)


def groups_of(study: Study) -> NDArray[np.int64]:
    """(n_samples,) what is drawn together in a bootstrap: one content, or one stretch of time."""
    if not study.is_bold:
        assert study.stimuli is not None
        return np.unique(study.stimuli.hashes, return_inverse=True)[1].astype(np.int64)
    length = max(1, round(STRETCH_SECONDS / study.tr_seconds))
    groups, first = [], 0
    for run in study.runs:
        own = np.arange(run.n_volumes) // length
        groups.append(first + own)
        first += int(own.max()) + 1
    return np.concatenate(groups)


def _at_volumes(study: Study, values: Array, is_fir: bool) -> Array:
    """Less each run's mean, at the delays of a FIR, less drifts and confounds."""
    runs = study.run_of
    for run in np.unique(runs):
        values[runs == run] -= values[runs == run].mean(axis=0)
    if is_fir:
        values = delayed(values, runs, study.settings.hrf.delays)
    return _without_nuisance(study, values)


def _cleaned(study: Study, values: NDArray[np.float32]) -> Array:
    left = _without_nuisance(study, np.asarray(values, dtype=np.float64))
    for run in np.unique(study.run_of):
        own = study.run_of == run
        sd = left[own].std(axis=0)
        left[own] /= np.where(sd > 0, sd, 1)
    return left


def _without_nuisance(study: Study, values: Array) -> Array:
    """Each run less its drifts, its mean, its confounds, and that stimuli came."""
    left = np.empty_like(values)
    for i, run in enumerate(study.runs):
        own = study.run_of == i
        columns = drift(run.n_volumes, study.tr_seconds, study.settings.encoding.drift_seconds)
        if run.confound_names:
            columns = np.hstack([run.confounds, columns])
        if _shown(run) and study.settings.features.pooling != "time":
            columns = np.hstack([_onsets(study, run), columns])
        finite = np.isfinite(values[own]).all(axis=0)
        left[own] = np.nan
        left[np.ix_(own, finite)] = without(values[own][:, finite], columns)
    return left


def _shown(run: Run) -> list[Event]:
    return [event for event in run.events if event.stimulus is not None]


def _placed(study: Study, run: Run, values: Array) -> Array:
    """(n_volumes, …) values of the events that show stimuli, by the HRF but for its delays."""
    model = study.settings.hrf.model
    if model in ("fir", "none"):
        return held(_shown(run), values, run.n_volumes, study.tr_seconds)
    return event_predictors(_shown(run), values, run.n_volumes, study.tr_seconds, model)


def _onsets(study: Study, run: Run) -> Array:
    """(n_volumes, …) that a stimulus came, whichever: by the HRF, or at its delays."""
    came = _placed(study, run, np.ones((len(_shown(run)), 1)))
    if study.settings.hrf.model != "fir":
        return came
    return delayed(came, np.zeros(run.n_volumes, np.int64), study.settings.hrf.delays)
