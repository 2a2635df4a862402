"""A study: what was played or shown, what was measured, and what is asked."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.brain.inputs.responses import (
    responses_to_stimuli,
    target_names,
    volumes_of_runs,
)
from convscope.brain.inputs.runs import read_all_runs
from convscope.brain.inputs.stimuli import read_stimuli
from convscope.brain.inputs.study_file import name_of, read_settings
from convscope.brain.records import Recording, Run, Space, Stimuli
from convscope.brain.settings import StudySettings
from convscope.names import find_path

PATHS = ("file", "files", "subjects", "targets", "weights", "mask", "events", "confounds", "design")
"""Keys of `responses` that say where something lies."""


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
        settings = self.settings.model_dump(mode="json")
        del settings["stimuli"]  # what they name is hashed by its content
        for key in PATHS:
            settings["responses"].pop(key)
        settings["encoding"].pop("backend")
        digest = hashlib.sha256()
        digest.update(json.dumps([self.name, settings, self.targets], sort_keys=True).encode())
        if self.stimuli is not None:
            told = [self.stimuli.names, self.stimuli.hashes, self.stimuli.categories]
            digest.update(json.dumps(told).encode())
        for recording in self.recordings:
            _add(digest, recording.subject, recording.values)
        for run in self.runs:
            words = (run.name, run.events, run.repeat_of, run.confound_names, run.design_names)
            _add(digest, words, run.confounds, run.design)
        if self.space is not None:
            _add(digest, self.space.is_known, self.space.mask, self.space.affine)
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
    name = name_of(settings, path)
    folder, responses = path.parent, settings.responses
    stimuli = read_stimuli(settings.stimuli, folder, progress)
    space = None
    if responses.kind == "per_stimulus":
        recordings = responses_to_stimuli(responses, folder, stimuli)
        runs: tuple[Run, ...] = (Run("all", recordings[0].values.shape[1]),)
    else:
        recordings, lengths, space = volumes_of_runs(responses, folder)
        runs = read_all_runs(settings, folder, stimuli, lengths, len(recordings))
    targets = target_names(responses, folder, recordings[0].values.shape[2], space)
    return Study(name, settings, stimuli, recordings, runs, targets, space)


def _add(digest: "hashlib._Hash", words: object, *arrays: NDArray[Any] | None) -> None:
    digest.update(repr(words).encode())
    for values in arrays:
        if values is not None:
            digest.update(f"{values.dtype} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).data)
