"""The noise ceiling of a study: from repeats, else between subjects, else none, and why."""

import numpy as np

from convscope.brain.analyses.samples import responses_of
from convscope.brain.inference.ceiling import between_subjects, ceiling_of_repeats, rank
from convscope.brain.inputs.study import Study
from convscope.brain.results.scores import Ceiling


def ceiling_of(study: Study) -> Ceiling:
    """The highest r that the noise of the responses allows, for each target."""
    mean = study.recordings[0].mean
    usable = mean[:, np.isfinite(mean).all(axis=0)]
    independent = rank(usable)
    if not study.is_bold and independent < min(usable.shape) - 1:
        return Ceiling(
            None, None, f"none: the responses have rank {independent}, their noise was taken out"
        )
    n_repeats = len(study.recordings[0].values)
    if not study.is_bold and n_repeats > 1:
        c = np.nanmean([ceiling_of_repeats(each.values) for each in study.recordings], axis=0)
        return Ceiling(c, c, f"from {n_repeats} repeats (explainable variance)")
    if len(study.recordings) > 1:
        stacked = responses_of(study).reshape(
            study.n_samples, len(study.recordings), len(study.targets)
        )
        found = between_subjects(stacked.transpose(1, 0, 2))
        return Ceiling(
            found.lower,
            found.upper,
            f"between {len(study.recordings)} subjects: with the mean of the others, and of all",
        )
    return Ceiling(None, None, "none: one subject and one repeat")
