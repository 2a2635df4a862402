"""A study: what was played or shown, what was measured, and what is asked."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.brain.inputs.arrays import numbers, read_array, read_names
from convscope.brain.inputs.events import read_confounds, read_events
from convscope.brain.inputs.nifti import read_mask, read_volumes
from convscope.brain.inputs.stimuli import read_stimuli
from convscope.brain.records import Event, Recording, Run, Space, Stimuli
from convscope.brain.settings import ResponsesSettings, StudySettings
from convscope.errors import UserError, first_few
from convscope.names import find_path
from convscope.plain_yaml import NotYaml, load
from convscope.settings import validated


@dataclass(frozen=True)
class Study:
    """All that a study file names, read and checked against each other.

    Attributes:
        name: of the study.
        settings: the file's, defaults filled in.
        stimuli: None where given predictors stand for them.
        recordings: one for each subject; all have the same samples and targets.
        runs: one for per-stimulus responses, without events.
        targets: (n_targets,) names.
        space: where voxels lie; None of regions and components.
    """

    name: str
    settings: StudySettings
    stimuli: Stimuli | None
    recordings: tuple[Recording, ...]
    runs: tuple[Run, ...]
    targets: tuple[str, ...]
    space: Space | None

    @property
    def is_bold(self) -> bool:
        return self.settings.responses.kind == "bold"

    @property
    def tr_seconds(self) -> float:
        return self.settings.responses.tr_seconds or float("nan")

    @property
    def n_samples(self) -> int:
        return int(self.recordings[0].values.shape[1])

    @property
    def run_of(self) -> NDArray[np.int64]:
        """(n_samples,) the number of each sample's run."""
        return np.repeat(np.arange(len(self.runs)), [run.n_volumes for run in self.runs])

    @property
    def repeat_of(self) -> NDArray[np.int64]:
        """(n_samples,) as `run_of`, but runs of the same stimuli share the first one's number."""
        names = [run.name for run in self.runs]
        first = [names.index(run.repeat_of or run.name) for run in self.runs]
        return np.repeat(first, [run.n_volumes for run in self.runs])

    @cached_property
    def hash(self) -> str:
        """SHA-256 of settings and content, wherever the files lie."""
        digest = hashlib.sha256()
        settings = self.settings.model_dump(mode="json")
        for places in ("stimuli", "responses"):  # what they name is hashed by its content
            for key in ("folder", "files", "categories", "file", "subjects", "mask", "weights"):
                settings[places].pop(key, None)
        settings["encoding"].pop("backend")
        digest.update(json.dumps([self.name, settings, self.targets], sort_keys=True).encode())
        if self.stimuli is not None:
            told = [self.stimuli.names, self.stimuli.hashes, self.stimuli.categories]
            digest.update(json.dumps(told).encode())
        for recording in self.recordings:
            digest.update(recording.subject.encode())
            digest.update(np.ascontiguousarray(recording.values).tobytes())
        for run in self.runs:
            digest.update(repr((run.name, run.n_volumes, run.events, run.repeat_of)).encode())
            for values in (run.confounds, run.design):
                digest.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def load_study(path: Path | str, progress: Callable[[int, int], None] | None = None) -> Study:
    """Read a study file and all that it names.

    Args:
        path: of the YAML file.
        progress: called with the stimuli read and all.

    Raises:
        UserError: where something is missing, cannot be read, or does not fit together: one line
            that names both sides.
    """
    path = find_path(Path(path))
    settings = read_settings(path)
    folder, responses = path.parent, settings.responses
    stimuli = read_stimuli(settings.stimuli, folder, progress)
    if responses.kind == "per_stimulus":
        recordings, space = _per_stimulus(settings, folder, stimuli), None
        runs: tuple[Run, ...] = (Run("all", recordings[0].values.shape[1]),)
    else:
        recordings, lengths, space = _bold(responses, folder)
        runs = _runs(settings, folder, stimuli, lengths, len(recordings))
    return Study(
        name=settings.name or path.stem,
        settings=settings,
        stimuli=stimuli,
        recordings=recordings,
        runs=runs,
        targets=_targets(responses, folder, recordings[0].values.shape[2], space),
        space=space,
    )


def read_settings(path: Path) -> StudySettings:
    """The keys of a study file.

    Raises:
        UserError: where it cannot be read, or a key or value is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such study file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): expected a study file in YAML") from None
    try:
        values = load(text)
    except NotYaml as error:
        raise UserError(f"{path}: {error}") from None
    if not isinstance(values, dict):
        raise UserError(
            f"{path}: expected a study file with the sections stimuli and responses, got "
            f"{type(values).__name__}"
        )
    return validated(StudySettings, values, path.name)


def _per_stimulus(
    settings: StudySettings, folder: Path, stimuli: Stimuli | None
) -> tuple[Recording, ...]:
    responses = settings.responses
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
    return tuple(Recording(name, subject) for name, subject in zip(subjects, values, strict=True))


def _bold(
    responses: ResponsesSettings, folder: Path
) -> tuple[tuple[Recording, ...], tuple[int, ...], Space | None]:
    """The recordings, the volumes of each run, and where voxels lie."""
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
        recordings = tuple(
            Recording(name, subject) for name, subject in zip(subjects, values, strict=True)
        )
        return recordings, tuple(lengths), None
    if responses.mask is None or responses.tr_seconds is None:
        raise UserError("responses.mask is missing: NIfTI files need a mask of the voxels")
    space = read_mask(folder / responses.mask)
    files = responses.subjects or {"1": responses.files}
    found = []
    for subject, own in files.items():
        volumes = [read_volumes(folder / name, space, responses.tr_seconds) for name in own]
        found.append((subject, volumes))
    lengths = tuple(len(run) for run in found[0][1])
    for subject, volumes in found:
        if tuple(map(len, volumes)) != lengths:
            raise UserError(
                f"responses.subjects: {subject} has runs of {[len(run) for run in volumes]} "
                f"volumes, {found[0][0]} of {list(lengths)}: expected the same runs of all"
            )
    recordings = tuple(
        Recording(subject, np.concatenate(volumes)[None]) for subject, volumes in found
    )
    return recordings, lengths, space


def _arranged(
    responses: ResponsesSettings, folder: Path
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
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
        values = values @ weights
    n = len(values)
    return values, tuple(f"{i + 1:0{len(str(n))}d}" for i in range(n))


def _runs(
    settings: StudySettings,
    folder: Path,
    stimuli: Stimuli | None,
    lengths: tuple[int, ...],
    n_subjects: int,
) -> tuple[Run, ...]:
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
        path = folder / responses.events[i]
        known = () if stimuli is None else stimuli.names
        events = read_events(path, known, responses.first_volume_seconds)
        _check_inside(events, path, name, n_volumes * (responses.tr_seconds or 0.0))
    confound_names: tuple[str, ...] = ()
    confounds = np.zeros((n_volumes, 0))
    if responses.confounds:
        path = folder / responses.confounds[i]
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
    values = np.asarray(read_array(reference, folder, where), dtype=np.float64)
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


def _targets(
    responses: ResponsesSettings, folder: Path, n_targets: int, space: Space | None
) -> tuple[str, ...]:
    if responses.targets is None:
        kind = "voxel" if space is not None or responses.weights is not None else "target"
        return tuple(f"{kind} {i + 1}" for i in range(n_targets))
    names = read_names(responses.targets, folder, "responses.targets")
    if len(names) != n_targets:
        raise UserError(
            f"responses.targets: expected a name for each of {n_targets} targets, got {len(names)}"
        )
    return names
