"""Representational similarity of a net and its controls on one study."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.brain.analyses.running import Encoding
from convscope.brain.features.spaces import variants
from convscope.brain.inference.bootstrap import interval
from convscope.brain.inputs.study import Study
from convscope.brain.records import FeatureSpace
from convscope.brain.results.similarity import RsaScores, Similarity
from convscope.brain.rsa.compare import bootstrap_stimuli, ceiling, compare
from convscope.brain.rsa.rdm import crossnobis_distance, rdm
from convscope.errors import UserError

Scores = NDArray[np.float64]

N_BOOTSTRAP = 200
"""Draws of stimuli; each ranks all pairs of each feature space anew."""


def rsa_study(running: Encoding) -> RsaScores:
    """Compare the dissimilarities of each feature space with those of the responses.

    Args:
        running: of the study and net; its features and steps are used again.

    Raises:
        UserError: for responses that are volumes: there is no pattern for each stimulus.
    """
    study = running.study
    if study.is_bold or study.stimuli is None:
        raise UserError(
            "rsa needs a pattern of responses for each stimulus, and the study has volumes: "
            "estimate one for each (convscope brain glm with a condition for each stimulus), and "
            "give them as per_stimulus"
        )
    spaces = [*running.controls(), *_layers(running)]
    settings = study.settings.rsa
    scaling = settings.scaling
    brain = brain_rdms(study)
    models = [rdm(each.values, _distance(settings.distance), scaling) for each in spaces]

    def compute() -> dict[str, Scores]:
        seed = study.settings.encoding.seed
        drawn = bootstrap_stimuli(
            models, brain.mean(axis=0), N_BOOTSTRAP, seed, settings.comparison
        )
        return {
            "value": np.array(
                [np.mean([compare(m, own, settings.comparison) for own in brain]) for m in models]
            ),
            "interval": interval(drawn),
        }

    kept = running.folder.step("rsa", compute)
    return RsaScores(
        distance=settings.distance,
        scaling=scaling,
        comparison=settings.comparison,
        similarities=tuple(
            Similarity(each.name, each.role, each.seed, float(value), (float(low), float(high)))
            for each, value, low, high in zip(spaces, kept["value"], *kept["interval"], strict=True)
        ),
        ceiling=ceiling(brain, settings.comparison) if len(brain) > 1 else None,
        n_stimuli=len(study.stimuli),
    )


def brain_rdms(study: Study) -> Scores:
    """(n_subjects, n_pairs) dissimilarities of the responses of each subject."""
    settings = study.settings.rsa
    if settings.distance == "crossnobis":
        return np.stack([crossnobis_distance(each.values) for each in study.recordings])
    usable = [each.mean[:, np.isfinite(each.mean).all(axis=0)] for each in study.recordings]
    scaling = "none" if settings.distance == "correlation" else settings.scaling
    return np.stack([rdm(each, settings.distance, scaling) for each in usable])


def _layers(running: Encoding) -> Sequence[FeatureSpace]:
    if running.net is None or running.study.stimuli is None:
        return ()
    found = variants(running.net, running.study.stimuli, running.study.settings.features)
    return [space for variant in found for space in running.spaces(variant)]


def _distance(of_brain: str) -> str:
    """Of features, which have no repeats to cross-validate by."""
    return "euclidean" if of_brain == "crossnobis" else of_brain
