"""All keys of a study file: what was played, what was measured, and how the two are compared."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from convscope.settings import Settings

Axis = Literal["subject", "repeat", "sample", "target"]

STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

Count = Annotated[int, Field(gt=0)]


class StimuliSettings(Settings):
    """What was played or shown; paths are relative to the study file.

    Attributes:
        folder: of sounds or images.
        files: names of the stimuli in the order of the responses: FILE.npz:KEY, or a text file
            with one a line; None: all of the folder, sorted.
        categories: a label of each stimulus, as `files`; None: there are none.
    """

    folder: str | None = None
    files: str | None = None
    categories: str | None = None


_OF_BOLD = (
    "tr_seconds",
    "first_volume_seconds",
    "run_volumes",
    "events",
    "confounds",
    "confound_columns",
    "design",
    "design_names",
    "already_convolved",
)


class ResponsesSettings(Settings):
    """What was measured.

    Attributes:
        kind: per_stimulus: a value for each stimulus; bold: volumes.
        file: of an array: FILE.npz:KEY, FILE.mat:KEY, FILE.npy or FILE.csv.
        files: a NIfTI for each run, of one subject.
        subjects: the same for each of several subjects.
        axes: of an array, in its order.
        targets: names of the targets, FILE.npz:KEY or a text file.
        weights: FILE.npz:KEY of (n_components, n_voxels), by which the responses are multiplied.
        mask: NIfTI of the voxels.
        tr_seconds: from one volume to the next.
        first_volume_seconds: of an array of volumes or of files cut at their start: the time of the
            first volume on the clock of the events and of the recording.
        run_volumes: of an array: volumes of each run; none: it is one run.
        events: a BIDS events.tsv for each run.
        confounds: a TSV or CSV for each run; its numeric columns, or `confound_columns`.
        design: given predictors for each run: FILE.npz:KEY, CSV, or FSL's design.mat.
        design_names: of their columns.
        already_convolved: whether the given predictors were convolved with an HRF before.
    """

    kind: Literal["per_stimulus", "bold"]
    file: str | None = None
    files: tuple[str, ...] = ()
    subjects: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    axes: tuple[Axis, ...] = ("sample", "target")
    targets: str | None = None
    weights: str | None = None
    mask: str | None = None
    tr_seconds: float | None = Field(None, gt=0)
    first_volume_seconds: float = 0.0
    run_volumes: tuple[Count, ...] = ()
    events: tuple[str, ...] = ()
    confounds: tuple[str, ...] = ()
    confound_columns: tuple[str, ...] = ()
    design: tuple[str, ...] = ()
    design_names: tuple[str, ...] = ()
    already_convolved: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("file", "files", "subjects") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                "expected one of file (an array), files (a NIfTI a run) and subjects (files of "
                f"each), got {' and '.join(given) or 'none'}"
            )
        self._refuse_idle()
        if self.kind == "bold" and self.tr_seconds is None:
            raise ValueError("tr_seconds is missing: bold needs the time between two volumes in s")
        if len(set(self.axes)) < len(self.axes) or not {"sample", "target"} <= set(self.axes):
            raise ValueError(f"axes: expected sample and target once each, got {self.axes}")
        return self

    def _refuse_idle(self) -> None:
        """A key that would not be looked at is a mistake that nobody would notice."""
        form = "an array (file)" if self.file else "NIfTI (files, subjects)"
        for keys, why in (
            (_OF_BOLD if self.kind == "per_stimulus" else (), f"kind {self.kind}"),
            (("mask",) if self.file else ("axes", "weights", "run_volumes"), form),
        ):
            idle = [key for key in keys if key in self.model_fields_set and getattr(self, key)]
            if idle:
                raise ValueError(f"{', '.join(idle)} cannot be used with {why}: leave it out")


class FeatureSettings(Settings):
    """How stimuli become numbers.

    Attributes:
        layers: of the net, by name; none: all that are handed on, `act1` to `logits`.
        pooling: over the positions of a layer for each stimulus: their mean, greatest value, means
            of `n_time_bins` stretches of time, or all (whole); `time` follows one long recording
            from volume to volume.
        n_time_bins: of `time_bins`.
        project: columns to which layers with more are brought by a sparse random projection, which
            keeps distances and sees no responses; None: none are.
        windows: how a net meets a stimulus longer than its clips: `whole` where it takes any
            length, `windows` of its own length, pooled together; `auto` tries the first, then the
            second for all stimuli alike. `time` has windows of its own.
        n_untrained: seeds of the untrained nets beside the trained one; at least one.
        equal_rank: principal components to which all layers are brought for one more column of the
            table, since a wide layer predicts more by its width; fitted in training folds alone.
    """

    layers: tuple[str, ...] = ()
    pooling: Literal["mean", "max", "time_bins", "whole", "time"] = "mean"
    n_time_bins: int = Field(4, ge=2, le=64)
    project: int | None = Field(None, ge=2)
    windows: Literal["auto", "whole", "windows"] = "auto"
    n_untrained: int = Field(3, ge=1, le=20)
    equal_rank: int = Field(8, ge=1)


class HrfSettings(Settings):
    """How neural activity becomes BOLD.

    Attributes:
        model: a canonical response, with its derivatives where they are asked for; `fir`: each
            predictor at the delays of `delays`; `none`: as it is.
        delays: of `fir`, in volumes; negative ones look ahead.
    """

    model: Literal[
        "spm",
        "spm + derivative",
        "spm + derivative + dispersion",
        "glover",
        "glover + derivative",
        "glover + derivative + dispersion",
        "fir",
        "none",
    ] = "glover"
    delays: tuple[int, ...] = (1, 2, 3, 4)


class GlmSettings(Settings):
    """The general linear model of each voxel.

    Attributes:
        noise: of consecutive volumes: first-order autoregressive, or independent (ordinary least
            squares).
        high_pass_seconds: slow drifts of longer periods are explained away by cosines; None: none.
        contrasts: what is asked: names of columns, or expressions such as `speech - music`; none:
            each condition alone.
        alpha: of the false discovery rate.
        two_sided: whether decreases count.
        cluster_voxels: smaller clusters above the threshold are left out.
        smoothing_mm: width at half height of a Gaussian; None: none.
    """

    noise: Literal["ar1", "ols"] = "ar1"
    high_pass_seconds: float | None = Field(128.0, gt=0)
    contrasts: tuple[str, ...] = ()
    alpha: float = Field(0.05, gt=0, lt=1)
    two_sided: bool = True
    cluster_voxels: int = Field(0, ge=0)
    smoothing_mm: float | None = Field(None, gt=0)


class EncodingSettings(Settings):
    """Ridge regression from features to responses, tested on what it was not fitted to.

    Attributes:
        folds: what is left out together: stimuli (each with all that has the same content), whole
            runs, or contiguous blocks of one run.
        n_folds: of stimuli or blocks; runs are left out one after the other.
        n_draws: of the folds over stimuli, each with a seed of its own; scores are their means.
        gap: volumes left out at each side of a block.
        penalties: least and greatest, and how many between them, evenly in the logarithm.
        drift_seconds: slow drifts of longer periods are taken out of bold and predictors; None:
            none.
        n_bootstrap: draws of stimuli, or of subjects, for an interval.
        n_permutations: for p-values; 0: none.
        seed: of folds and draws.
        backend: where himalaya computes.
    """

    folds: Literal["stimulus", "run", "block"] | None = None
    n_folds: int = Field(10, ge=2)
    n_draws: int = Field(3, ge=1)
    gap: int = Field(10, ge=0)
    penalties: tuple[float, float, int] = (1e-3, 1e5, 17)
    drift_seconds: float | None = Field(128.0, gt=0)
    n_bootstrap: int = Field(1000, ge=0)
    n_permutations: int = Field(0, ge=0)
    seed: int = Field(0, ge=0)
    backend: Literal["torch", "numpy", "torch_cuda"] = "torch"

    not_in_name: ClassVar[frozenset[str]] = frozenset({"backend"})

    @model_validator(mode="after")
    def _grid_is_one(self) -> Self:
        least, greatest, n = self.penalties
        if not 0 < least < greatest or n < 2:
            raise ValueError(
                f"penalties: expected the least, the greatest and at least 2 steps, such as "
                f"[0.001, 100000, 17], got {list(self.penalties)}"
            )
        return self


class RsaSettings(Settings):
    """Representational similarity.

    Attributes:
        distance: between the answers to two stimuli.
        scaling: of features and responses before distances: `none`, or each column to mean 0 and
            standard deviation 1 over the stimuli (`z`). It decides which layer wins, so it is
            stated wherever a figure is.
        comparison: of two matrices of distances.
    """

    distance: Literal["correlation", "euclidean", "crossnobis"] = "correlation"
    scaling: Literal["none", "z"] = "z"
    comparison: Literal["spearman", "tau-a", "rho-a", "cosine"] = "spearman"


class StudySettings(Settings):
    """A study file.

    Attributes:
        name: of the study; None: the file's name without its ending.
        repeats: runs that repeat the stimuli of another, such as {run-3: run-1}.
    """

    name: str | None = Field(None, pattern=STUDY_NAME)
    stimuli: StimuliSettings = StimuliSettings()
    responses: ResponsesSettings
    repeats: dict[str, str] = Field(default_factory=dict)
    features: FeatureSettings = FeatureSettings()
    hrf: HrfSettings = HrfSettings()
    glm: GlmSettings = GlmSettings()
    encoding: EncodingSettings = EncodingSettings()
    rsa: RsaSettings = RsaSettings()
