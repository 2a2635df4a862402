"""Runs: events, confounds and given predictors beside the volumes of each."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.brain.inputs.arrays import file_at, numbers, read_array
from convscope.brain.inputs.events import read_confounds, read_events
from convscope.brain.records import Event, Run, Stimuli
from convscope.brain.settings import ResponsesSettings, StudySettings
from convscope.errors import UserError, first_few


def read_all_runs(
    settings: StudySettings,
    folder: Path,
    stimuli: Stimuli | None,
    lengths: tuple[int, ...],
    n_subjects: int,
) -> tuple[Run, ...]:
    """What happened in each run of the scanner, and what is to be explained away.

    Raises:
        UserError: where files are missing, or do not fit the volumes of their run.
    """
    responses = settings.responses
    for name in ("events", "confounds", "design"):
        given = getattr(responses, name)
        if given and len(given) != len(lengths):
            raise UserError(
                f"responses.{name}: expected one file for each of {len(lengths)} runs, got "
                f"{len(given)}"
            )
    names = tuple(f"run-{i + 1}" for i in range(len(lengths)))
    for run, of in settings.repeats.items():
        if run not in names or of not in names or run == of:
            raise UserError(f"repeats: {run}: {of}: expected two of the runs {first_few(names, 6)}")
    return tuple(
        _run(settings, folder, stimuli, i, names[i], n_volumes, n_subjects)
        for i, n_volumes in enumerate(lengths)
    )


def _run(
    settings: StudySettings,
    folder: Path,
    stimuli: Stimuli | None,
    i: int,
    name: str,
    n_volumes: int,
    n_subjects: int,
) -> Run:
    responses = settings.responses
    events: tuple[Event, ...] = ()
    if responses.events:
        path = file_at(responses.events[i], folder, "responses.events")
        known = () if stimuli is None else stimuli.names
        events = read_events(path, known, responses.first_volume_seconds)
        _check_inside(events, path, name, n_volumes * (responses.tr_seconds or 0.0))
    confound_names: tuple[str, ...] = ()
    confounds = np.zeros((n_volumes, 0))
    if responses.confounds:
        path = file_at(responses.confounds[i], folder, "responses.confounds")
        confound_names, confounds = read_confounds(path, responses.confound_columns, n_volumes)
    design_names, design = _design(responses, folder, i, name, n_volumes, n_subjects)
    return Run(
        name=name,
        n_volumes=n_volumes,
        events=events,
        confounds=confounds,
        confound_names=confound_names,
        design=design,
        design_names=design_names,
        repeat_of=settings.repeats.get(name),
    )


def _design(
    responses: ResponsesSettings, folder: Path, i: int, name: str, n_volumes: int, n_subjects: int
) -> tuple[tuple[str, ...], NDArray[np.float64] | None]:
    """Names of the given predictors of a run, and (1 or n_subjects, n_volumes, n_columns)."""
    if not responses.design:
        return (), None
    reference, where = responses.design[i], "responses.design"
    values = numbers(read_array(reference, folder, where), reference, where).astype(np.float64)
    shape = values.shape
    if shape == (n_subjects, n_volumes) and n_subjects > 1:  # one predictor, a row a subject
        values = values[:, :, None]
    values = values[:, None] if values.ndim == 1 else values
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[1] != n_volumes or len(values) not in (1, n_subjects):
        raise UserError(
            f"{where}: {reference} has shape {shape} for {name} of {n_volumes} volumes and "
            f"{n_subjects} subjects: expected (volumes, columns), or (subjects, volumes, columns)"
        )
    if not np.isfinite(values).all():
        raise UserError(f"{where}: {reference} holds NaN or infinity: expected finite predictors")
    n_columns = values.shape[2]
    names = responses.design_names or tuple(f"column_{k + 1}" for k in range(n_columns))
    if len(names) != n_columns:
        raise UserError(
            f"responses.design_names: expected a name for each of {n_columns} columns of "
            f"{reference}, got {len(names)}"
        )
    return names, values


def _check_inside(
    events: tuple[Event, ...],
    path: Path,
    name: str,
    n_seconds: float,
) -> None:
    for i, event in enumerate(events):
        if event.onset_seconds >= n_seconds or event.onset_seconds + event.duration_seconds < -32:
            raise UserError(
                f"responses.events: {path}, line {i + 2}: an event at {event.onset_seconds:g} s "
                f"lies outside of {name}, which lasts {n_seconds:g} s: is the clock the same "
                "(responses.first_volume_seconds), and are the onsets in s?"
            )
