"""What the rooms hand on to each other.

Sizes: n_stimuli, n_volumes, n_samples (stimuli, or the volumes of all runs behind each other),
n_features, n_targets (voxels, regions or components), n_repeats. Times in s.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

StimulusKind: TypeAlias = Literal["sound", "image"]

Role: TypeAlias = Literal[
    "trained",
    "untrained",
    "untrained_calibrated",
    "permuted",
    "acoustic",
    "pixels",
    "categories",
    "given",
]
"""Whose features they are: of the net in question, or of which control beside it.

untrained: the same architecture as initialised; untrained_calibrated: with its batch norms'
statistics taken from the stimuli; permuted: the trained weights, each array shuffled; acoustic,
pixels: of the stimuli themselves; categories: their labels; given: predictors of the study.
"""


@dataclass(frozen=True)
class Stimuli:
    """What was played or shown.

    Attributes:
        kind: sounds or images.
        names: (n_stimuli,) unique, as the responses or events name them.
        files: (n_stimuli,) where each lies.
        hashes: (n_stimuli,) SHA-256 of each file's decoded content: two stimuli of the same hash
            are the same stimulus, and never stand on both sides of a fold.
        seconds: (n_stimuli,) duration of each sound; NaN of images.
        categories: (n_stimuli,) a label of each; None where there are none.
        levels_db: (n_stimuli,) root mean square of each sound, in dB re full scale, -inf of
            silence; NaN of images.
        unused: files of the folder that are none of the stimuli.
    """

    kind: StimulusKind
    names: tuple[str, ...]
    files: tuple[Path, ...]
    hashes: tuple[str, ...]
    seconds: NDArray[np.float64]
    categories: tuple[str, ...] | None = None
    levels_db: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    unused: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Event:
    """One row of an events file.

    Attributes:
        onset_seconds: from the first volume of its run.
        duration_seconds: 0 of an impulse.
        trial_type: the condition.
        stimulus: index into the stimuli; None where it names none.
    """

    onset_seconds: float
    duration_seconds: float
    trial_type: str
    stimulus: int | None = None


@dataclass(frozen=True)
class Run:
    """One run of the scanner; the same for all subjects of a study.

    Attributes:
        name: such as `run-1`.
        n_volumes: of it.
        events: what happened when.
        confounds: (n_volumes, n_confounds) columns to be explained away; n_confounds may be 0.
        confound_names: (n_confounds,).
        design: (n_subjects, n_volumes, n_columns) given predictors, n_subjects 1 where they are the
            same for all; None where events make them.
        design_names: (n_columns,).
        repeat_of: the name of the run whose stimuli it repeats; None: it is the first of them.
    """

    name: str
    n_volumes: int
    events: tuple[Event, ...] = ()
    confounds: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    confound_names: tuple[str, ...] = ()
    design: NDArray[np.float64] | None = None
    design_names: tuple[str, ...] = ()
    repeat_of: str | None = None

    def design_for(self, subject: int) -> NDArray[np.float64] | None:
        """(n_volumes, n_columns) the given predictors of a subject, by its number."""
        if self.design is None:
            return None
        own: NDArray[np.float64] = self.design[subject if len(self.design) > 1 else 0]
        return own


@dataclass(frozen=True)
class Recording:
    """What was measured of one subject.

    Attributes:
        subject: a name.
        values: (n_repeats, n_samples, n_targets); NaN where nothing was measured. Samples are
            stimuli in the order of `Stimuli`, or volumes of all runs behind each other, then with
            n_repeats 1.
    """

    subject: str
    values: NDArray[np.float32]

    @property
    def mean(self) -> NDArray[np.float32]:
        """(n_samples, n_targets): over the repeats that were measured."""
        n_measured = np.isfinite(self.values).sum(axis=0)
        total = np.nansum(self.values, axis=0, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            mean: NDArray[np.float32] = (total / n_measured).astype(np.float32)
        return mean


@dataclass(frozen=True)
class Space:
    """Where voxels lie.

    Attributes:
        mask: (x, y, z) True where a target lies, in C order the targets.
        affine: (4, 4) from voxel indices to mm.
        is_known: whether the file says where it lies: with affine codes of 0 no brain may be drawn
            around it.
    """

    mask: NDArray[np.bool_]
    affine: NDArray[np.float64]
    is_known: bool


@dataclass(frozen=True)
class FeatureSpace:
    """Numbers that describe each sample, to predict responses from.

    Attributes:
        name: of the layer, or of the control: `act3`, `spectral_all`.
        role: whose features.
        values: (n_samples, n_features).
        seed: of the weights, where several were drawn; None where there is one alone.
        n_constant: columns that were dropped, as they do not vary but for rounding.
    """

    name: str
    role: Role
    values: NDArray[np.float32]
    seed: int | None = None
    n_constant: int = 0

    @property
    def label(self) -> str:
        """`act3`, `act3, untrained, seed 1`, `spectral_all`."""
        if self.role in ("trained", "acoustic", "pixels", "categories", "given"):
            return self.name
        words = [self.name, self.role.replace("_", " ")]
        return ", ".join(words if self.seed is None else [*words, f"seed {self.seed}"])
