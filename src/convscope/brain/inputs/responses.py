"""Responses: values for stimuli, or volumes of runs, of each subject."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.brain.inputs.arrays import file_at, numbers, read_array, read_names, single
from convscope.brain.inputs.nifti import read_mask, read_runs
from convscope.brain.records import Recording, Space, Stimuli
from convscope.brain.settings import ResponsesSettings
from convscope.errors import UserError

Array = NDArray[Any]


def responses_to_stimuli(
    responses: ResponsesSettings, folder: Path, stimuli: Stimuli | None
) -> tuple[Recording, ...]:
    """A value for each stimulus and target, of each subject and repeat.

    Raises:
        UserError: where the file, its axes or the number of stimuli do not fit.
    """
    if stimuli is None:
        raise UserError(
            "stimuli.folder is missing: responses of the kind per_stimulus need the stimuli that "
            "they belong to"
        )
    if responses.file is None:
        raise UserError(
            "responses.file is missing: the kind per_stimulus takes an array with a value for each "
            "stimulus and target, such as responses.npz:values"
        )
    values, subjects = _arranged(responses, folder)
    if values.shape[2] != len(stimuli):
        raise UserError(
            f"{responses.file} has responses to {values.shape[2]} stimuli, and there are "
            f"{len(stimuli)} stimuli: expected as many, in the same order; is responses.axes right?"
        )
    return _recordings(subjects, values)


def volumes_of_runs(
    responses: ResponsesSettings, folder: Path
) -> tuple[tuple[Recording, ...], tuple[int, ...], Space | None]:
    """The recordings, the volumes of each run, and where voxels lie.

    Raises:
        UserError: where a file cannot be read, or shapes, TR or places do not fit.
    """
    if responses.file is not None:
        values, subjects = _arranged(responses, folder)
        n_volumes = values.shape[2]
        lengths = responses.run_volumes or (n_volumes,)
        if sum(lengths) != n_volumes:
            raise UserError(
                f"responses.run_volumes: {list(lengths)} are {sum(lengths)} volumes, and "
                f"{responses.file} has {n_volumes}"
            )
        if values.shape[1] > 1:
            raise UserError(
                "responses.axes: repeats of bold are runs: give the runs behind each other, "
                "run_volumes, and repeats: {run-2: run-1}"
            )
        return _recordings(subjects, values), tuple(lengths), None
    if responses.mask is None or responses.tr_seconds is None:
        raise UserError("responses.mask is missing: NIfTI files need a mask of the voxels")
    space = read_mask(file_at(responses.mask, folder, "responses.mask"))
    recordings: list[Recording] = []
    lengths = ()
    for subject, names in (responses.subjects or {"1": responses.files}).items():
        paths = [file_at(name, folder, "responses.files") for name in names]
        values, own = read_runs(paths, space, responses.tr_seconds)
        if recordings and own != lengths:
            raise UserError(
                f"responses.subjects: {subject} has runs of {list(own)} volumes, "
                f"{recordings[0].subject} of {list(lengths)}: expected the same runs of all"
            )
        recordings.append(Recording(subject, values[None]))
        lengths = own
    return tuple(recordings), lengths, space


def _recordings(subjects: Sequence[str], values: Array) -> tuple[Recording, ...]:
    return tuple(
        Recording(name, single(subject)) for name, subject in zip(subjects, values, strict=True)
    )


def _arranged(responses: ResponsesSettings, folder: Path) -> tuple[Array, tuple[str, ...]]:
    """(n_subjects, n_repeats, n_samples, n_targets), and the subjects' names."""
    assert responses.file is not None
    where = "responses.file"
    values = numbers(read_array(responses.file, folder, where), responses.file, where)
    if values.ndim != len(responses.axes):
        raise UserError(
            f"responses.axes: {', '.join(responses.axes)} are {len(responses.axes)} axes, and "
            f"{responses.file} has shape {values.shape}: say what each is, of subject, repeat, "
            "sample and target"
        )
    order = [name for name in ("subject", "repeat", "sample", "target") if name in responses.axes]
    values = values.transpose([responses.axes.index(name) for name in order])
    for i, name in enumerate(("subject", "repeat")):
        if name not in order:
            values = np.expand_dims(values, i)
    if responses.weights is not None:
        where = "responses.weights"
        weights = numbers(read_array(responses.weights, folder, where), responses.weights, where)
        if weights.ndim != 2 or len(weights) != values.shape[3]:
            raise UserError(
                f"{where}: expected (n_components, n_voxels) for {values.shape[3]} components, "
                f"got shape {weights.shape}"
            )
        values = values.astype(np.float64) @ weights
    n = len(values)
    return values, tuple(f"{i + 1:0{len(str(n))}d}" for i in range(n))


def target_names(
    responses: ResponsesSettings, folder: Path, n_targets: int, space: Space | None
) -> tuple[str, ...]:
    """Names of the targets; of voxels their numbers."""
    if responses.targets is None:
        kind = "voxel" if space is not None or responses.weights is not None else "target"
        return tuple(f"{kind} {i + 1}" for i in range(n_targets))
    names = read_names(responses.targets, folder, "responses.targets")
    if len(names) != n_targets:
        raise UserError(
            f"responses.targets: expected a name for each of {n_targets} targets, got {len(names)}"
        )
    return names
