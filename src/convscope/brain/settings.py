"""All keys of a study file: what was played, what was measured, and how the two are compared."""

from typing import Literal

from convscope.settings import Settings


class StimuliSettings(Settings):
    """What was played or shown; paths are relative to the study file.

    Attributes:
        folder: of sounds or images; None where the study has events or given predictors alone.
        files: names of the stimuli in the order of the responses: FILE.npz:KEY, or a CSV or text
            file with one a line; None: all of the folder, sorted.
        categories: a label of each stimulus, as `files`; None: there are none.
        onset_seconds: of one long recording: its begin after the first volume; negative: before.
    """

    folder: str | None = None
    files: str | None = None
    categories: str | None = None
    onset_seconds: float | None = None


class ResponsesSettings(Settings):
    """What was measured.

    Attributes:
        kind: per_stimulus: a value for each stimulus; bold: volumes.
        file: FILE.npz:KEY, FILE.mat:KEY, FILE.csv or FILE.npy of an array.
        files: of several, such as one NIfTI a run; instead of `file`.
        axes: of the array, in order, of: subject, repeat, sample, target.
        targets: names of the targets, FILE.npz:KEY or a text file.
        weights: FILE.npz:KEY of (n_components, n_voxels): the responses are multiplied by it.
        mask: NIfTI of the voxels.
        tr_seconds: between two volumes.
        events: a BIDS events.tsv for each run.
        confounds: a TSV or CSV for each run; all of its numeric columns, or those of
            `confound_columns`.
        design: given predictors for each run, FILE.npz:KEY, CSV or FSL's design.mat.
        already_convolved: whether those predictors were convolved with an HRF before.
    """

    kind: Literal["per_stimulus", "bold"]
    file: str | None = None
    files: tuple[str, ...] = ()
    axes: tuple[Literal["subject", "repeat", "sample", "target"], ...] = ("sample", "target")
    targets: str | None = None
    weights: str | None = None
    mask: str | None = None
    tr_seconds: float | None = None
    events: tuple[str, ...] = ()
    confounds: tuple[str, ...] = ()
    confound_columns: tuple[str, ...] = ()
    design: tuple[str, ...] = ()
    already_convolved: bool = False


class StudySettings(Settings):
    """A study file."""

    name: str | None = None
    stimuli: StimuliSettings = StimuliSettings()
    responses: ResponsesSettings
