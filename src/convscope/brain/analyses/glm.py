"""The general linear model of a study: maps of each contrast, their thresholds and clusters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.brain.glm.design import Design, condition_names, design_of
from convscope.brain.glm.fit import StatMap, fit_glm
from convscope.brain.glm.threshold import Cluster, Thresholded, clusters, threshold
from convscope.brain.inputs.study import Study
from convscope.errors import UserError


@dataclass(frozen=True)
class GlmResult:
    """One contrast of one subject, or the mean over subjects.

    Attributes:
        subject: its name; `all` of a group.
        map: effects, t and z.
        threshold: the false discovery rate held.
        clusters: the largest first; none of regions.
        kept: (n_targets,) those above the threshold in clusters that are large enough.
    """

    subject: str
    map: StatMap
    threshold: Thresholded
    clusters: tuple[Cluster, ...]
    kept: NDArray[np.bool_]


def glm_of(study: Study, contrasts: Sequence[str] = ()) -> tuple[GlmResult, ...]:
    """Fit each subject; of several the group too, by a t test of their effects against 0.

    Args:
        study: with volumes, and events or a given design.
        contrasts: names of columns or expressions; none: those of the study, else each condition.

    Raises:
        UserError: for responses to stimuli, or a contrast that names no column.
    """
    if not study.is_bold:
        raise UserError(
            "glm needs volumes (responses.kind: bold), and the responses are a value for each "
            "stimulus: convscope brain encode or rsa take those"
        )
    asked = tuple(contrasts) or study.settings.glm.contrasts or condition_names(study.runs[0])
    results = [
        _result(study, recording.subject, each)
        for i, recording in enumerate(study.recordings)
        for each in fit_glm(
            _runs_of(study, recording.values[0]),
            designs_of(study, i),
            asked,
            study.settings.glm.noise,
        )
    ]
    if len(study.recordings) > 1:
        results += [_group(study, name, results) for name in asked]
    return tuple(results)


def designs_of(study: Study, subject: int = 0) -> list[Design]:
    """The design of each run."""
    settings = study.settings
    return [
        design_of(
            run,
            study.tr_seconds,
            settings.hrf.model,
            settings.hrf.delays,
            settings.glm.high_pass_seconds,
            settings.responses.already_convolved,
            subject,
        )
        for run in study.runs
    ]


def _runs_of(study: Study, values: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    runs = [values[study.run_of == i].astype(np.float64) for i in range(len(study.runs))]
    width = study.settings.glm.smoothing_mm
    if width is None:
        return runs
    if study.space is None:
        raise UserError("glm.smoothing_mm needs voxels: leave it out for regions")
    return [_smoothed(study, run, width) for run in runs]


def _smoothed(study: Study, values: NDArray[np.float64], width_mm: float) -> NDArray[np.float64]:
    from nibabel import Nifti1Image
    from nilearn.image import smooth_img

    assert study.space is not None
    volume = np.zeros((*study.space.mask.shape, len(values)), dtype=np.float32)
    volume[study.space.mask] = values.T
    smooth = smooth_img(Nifti1Image(volume, study.space.affine), width_mm)
    return np.asarray(smooth.dataobj, dtype=np.float64)[study.space.mask].T


def _result(study: Study, subject: str, each: StatMap) -> GlmResult:
    settings = study.settings.glm
    passing = threshold(each.z, settings.alpha, settings.two_sided)
    if study.space is None:
        return GlmResult(subject, each, passing, (), passing.passes)
    found, kept = clusters(each.z, passing, study.space, settings.cluster_voxels)
    return GlmResult(subject, each, passing, found, kept)


def _group(study: Study, name: str, results: Sequence[GlmResult]) -> GlmResult:
    """Effects of all subjects against 0 (a random-effects analysis)."""
    from scipy.stats import norm
    from scipy.stats import t as student

    effects = np.stack([each.map.effect for each in results if each.map.name == name])
    n = len(effects)
    mean, variance = effects.mean(axis=0), effects.var(axis=0, ddof=1) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        t = mean / np.sqrt(variance)
    z = np.sign(t) * norm.isf(student.sf(np.abs(t), n - 1))
    return _result(study, "all", StatMap(name, mean, variance, t, z, float(n - 1)))
