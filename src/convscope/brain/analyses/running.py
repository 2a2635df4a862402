"""One encoding analysis while it runs: its samples, folds and steps, as kept or computed now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.brain.analyses.samples import (
    draws_of,
    given_predictors,
    groups_of,
    responses_of,
    samples_of,
    volumes_of,
)
from convscope.brain.analyses.volumes import layer_volumes, sound_volumes
from convscope.brain.encoding.encode import Draw, Encoded, encode
from convscope.brain.encoding.ridge import penalty_grid
from convscope.brain.features.net import Net
from convscope.brain.features.spaces import Variant, spaces_of, stimulus_spaces, variants
from convscope.brain.inference.bootstrap import draw_group_counts, drawn_correlation
from convscope.brain.inputs.study import Study
from convscope.brain.records import FeatureSpace, Role
from convscope.brain.results.study_folder import StudyFolder

Tell = Callable[[str, int, int], None]
"""Is told what is done, how much of it, and of how much."""

Scores = NDArray[np.float64]


@dataclass
class Encoding:
    """One analysis while it runs: what all of its steps need.

    Attributes:
        study, net: what is compared; None of a net: controls alone.
        folder: where steps are kept.
        responses: (n_samples, n_subjects * n_targets).
        draws: how samples are left out.
        counts: (n_bootstrap, n_samples) how often each is drawn.
        tell: is told how far it is.
    """

    study: Study
    net: Net | None
    folder: StudyFolder
    tell: Tell
    responses: Scores = field(init=False)
    draws: tuple[Draw, ...] = field(init=False)
    counts: Scores = field(init=False)
    grid: Scores = field(init=False)

    def __post_init__(self) -> None:
        settings = self.study.settings.encoding
        self.responses = responses_of(self.study)
        self.draws = draws_of(self.study)
        self.counts = draw_group_counts(groups_of(self.study), settings.n_bootstrap, settings.seed)
        self.grid = penalty_grid(settings.penalties)

    def spaces(self, variant: Variant) -> tuple[FeatureSpace, ...]:
        """The layers of a variant, at the samples of the responses."""
        study = self.study
        assert study.stimuli is not None
        settings = study.settings.features

        def compute() -> dict[str, NDArray[np.float32]]:
            assert study.stimuli is not None
            progress = self._progress(variant.name)
            if settings.pooling == "time":
                return _arrays(layer_volumes(study, variant, progress))
            return _arrays(spaces_of(variant, study.stimuli, settings, progress))

        return _from_arrays(self.folder.step(f"features-{variant.name}", compute), variant)

    def controls(self) -> tuple[FeatureSpace, ...]:
        """What needs no net: of the stimuli, or the given predictors."""
        study = self.study
        if study.stimuli is None:
            names = study.runs[0].design_names
            values = given_predictors(study).astype(np.float32)
            return (FeatureSpace(" + ".join(names), "given", values),)
        stimuli = study.stimuli

        def compute() -> dict[str, NDArray[np.float32]]:
            if study.settings.features.pooling == "time":
                return _arrays(sound_volumes(study))
            return _arrays(stimulus_spaces(stimuli, self._progress("stimuli")))

        found = self.folder.step("features-stimuli", compute)
        role: Role = "acoustic" if stimuli.kind == "sound" else "pixels"
        return tuple(
            FeatureSpace(
                name,
                "categories" if name == "categories" else role,
                values,
                None,
                int(found[f"{name} constant"]),
            )
            for name, values in found.items()
            if not name.endswith(" constant")
        )

    def trained_layer(self, name: str) -> NDArray[np.float32]:
        """(n_stimuli, n_features) of a layer of the trained net, as kept."""
        assert self.net is not None
        assert self.study.stimuli is not None
        trained = variants(self.net, self.study.stimuli, self.study.settings.features)[0]
        return next(each.values for each in self.spaces(trained) if each.name == name)

    def encoded(
        self, name: str, features: Scores | Sequence[Scores], rank: int | None = None
    ) -> Encoded:
        """Held-out predictions of features (an array, or bands), as kept or computed now."""
        settings = self.study.settings.encoding

        def compute() -> dict[str, NDArray[Any]]:
            made = encode(
                features,
                self.responses,
                self.draws,
                self.grid,
                settings.seed,
                settings.backend,
                rank,
                self._progress(name),
            )
            return {
                "predictions": made.predictions,
                "inner_loss": made.inner_loss,
                "penalties": made.penalties,
                "rest": np.array([made.at_ends, made.n_dropped]),
            }

        kept = self.folder.step(f"encoded-{name}", compute)
        at_ends, n_dropped = kept["rest"]
        return Encoded(
            kept["predictions"],
            kept["inner_loss"],
            kept["penalties"],
            float(at_ends),
            int(n_dropped),
        )

    def at_samples(self, space: FeatureSpace) -> Scores:
        """The features of a space at the samples of the responses."""
        if space.role == "given":
            return space.values.astype(np.float64)
        if self.study.settings.features.pooling == "time":
            return volumes_of(self.study, space.values)
        return samples_of(self.study, space.values)

    def split(self, scores: Scores) -> Scores:
        """(…, n_subjects * n_targets) as (…, n_subjects, n_targets)."""
        study = self.study
        return scores.reshape(*scores.shape[:-1], len(study.recordings), len(study.targets))

    def r_drawn(self, each: Encoded) -> Scores:
        """(n_bootstrap, n_subjects * n_targets) r in each draw of samples."""
        drawn = [drawn_correlation(self.counts, p, self.responses) for p in each.predictions]
        mean: Scores = np.mean(drawn, axis=0)
        return mean

    def _progress(self, what: str) -> Callable[[int, int], None]:
        return lambda done, n: self.tell(what, done, n)


def _arrays(spaces: Sequence[FeatureSpace]) -> dict[str, NDArray[np.float32]]:
    arrays: dict[str, NDArray[np.float32]] = {}
    for each in spaces:
        arrays[each.name] = each.values
        arrays[f"{each.name} constant"] = np.array(each.n_constant, np.float32)
    return arrays


def _from_arrays(arrays: Mapping[str, NDArray[Any]], variant: Variant) -> tuple[FeatureSpace, ...]:
    return tuple(
        FeatureSpace(name, variant.role, values, variant.seed, int(arrays[f"{name} constant"]))
        for name, values in arrays.items()
        if not name.endswith(" constant")
    )
