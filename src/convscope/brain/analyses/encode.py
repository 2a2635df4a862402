"""Encoding models of a net and of all its controls on one study, kept step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.brain.analyses.ceilings import ceiling_of
from convscope.brain.analyses.derived import chance, differences, main_control, unique_variance
from convscope.brain.analyses.running import Encoding, Scores, Tell
from convscope.brain.encoding.choice import Choice, choose_layer
from convscope.brain.encoding.encode import NARROW, Encoded
from convscope.brain.features.net import Net
from convscope.brain.features.spaces import Variant, variants
from convscope.brain.inference.bootstrap import interval
from convscope.brain.inputs.study import Study
from convscope.brain.records import FeatureSpace
from convscope.brain.results.scores import EncodingScores, NetScore, SpaceScore
from convscope.brain.results.study_folder import StudyFolder


@dataclass(frozen=True)
class FittedNet:
    """What the layers of one variant of a net predict."""

    variant: Variant
    layers: tuple[FeatureSpace, ...]
    fits: tuple[Encoded, ...]
    choice: Choice

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.layers)


def encode_study(study: Study, net: Net | None, folder: StudyFolder, tell: Tell) -> EncodingScores:
    """Hold a net and all its controls against the responses of a study.

    Args:
        study: as loaded.
        net: None: the controls of the stimuli, or the given predictors, alone.
        folder: opened; steps that are there are not computed again.
        tell: is told how far it is.
    """
    running = Encoding(study, net, folder, tell)
    controls = running.controls()
    control_fits = {c.name: running.encoded(c.name, running.at_samples(c)) for c in controls}
    fitted = _fitted_nets(running)
    spaces = [
        *(_space_score(running, c, control_fits[c.name], None) for c in controls),
        *(score for each in fitted for score in _layer_scores(running, each)),
    ]
    control = main_control(study, controls)
    of_net = _against_controls(running, fitted, controls, control, control_fits)
    return EncodingScores(
        study=study.name,
        net=net.name if net else "",
        subjects=tuple(recording.subject for recording in study.recordings),
        targets=study.targets,
        n_samples=study.n_samples,
        unit="volumes" if study.is_bold else "stimuli",
        spaces=tuple(spaces),
        nets=tuple(_net_score(running, each) for each in fitted),
        control=control,
        ceiling=ceiling_of(study),
        warnings=_warnings(spaces),
        **of_net,
    )


def _fitted_nets(running: Encoding) -> list[FittedNet]:
    """The trained net first, then the controls of its architecture."""
    study, net = running.study, running.net
    if net is None or study.stimuli is None:
        return []
    fitted = []
    for variant in variants(net, study.stimuli, study.settings.features):
        layers = running.spaces(variant)
        if not layers:
            continue
        fits = tuple(
            running.encoded(f"{variant.name}-{each.name}", running.at_samples(each))
            for each in layers
        )
        choice = choose_layer(fits, running.responses, running.draws)
        fitted.append(FittedNet(variant, layers, fits, choice))
    return fitted


def _against_controls(
    running: Encoding,
    fitted: Sequence[FittedNet],
    controls: Sequence[FeatureSpace],
    control: str,
    control_fits: Mapping[str, Encoded],
) -> dict[str, Any]:
    """What is said of the trained net alone."""
    if not fitted:
        return {"differences": (), "unique": (), "p": None, "q": None, "p_max": None}
    trained = fitted[0]
    p, q, p_max = chance(running, trained.choice.chosen)
    place = trained.names.index(_net_score(running, trained).layer)
    chosen = {each.variant.name: each.choice.chosen for each in fitted}
    return {
        "differences": differences(running, chosen, control, control_fits),
        "unique": unique_variance(running, trained.layers[place], controls, control),
        "p": p,
        "q": q,
        "p_max": p_max,
    }


def _layer_scores(running: Encoding, net: FittedNet) -> list[SpaceScore]:
    return [
        _space_score(running, space, fit, _equal_rank(running, net.variant, space))
        for space, fit in zip(net.layers, net.fits, strict=True)
    ]


def _equal_rank(running: Encoding, variant: Variant, space: FeatureSpace) -> Scores | None:
    """r of a trained layer at as few components as all layers have."""
    if variant.role != "trained":
        return None
    rank = running.study.settings.features.equal_rank
    fit = running.encoded(f"rank{rank}-{space.name}", running.at_samples(space), rank)
    return running.split(fit.r(running.responses).mean(axis=0))


def _space_score(
    running: Encoding, space: FeatureSpace, fit: Encoded, r_equal_rank: Scores | None
) -> SpaceScore:
    return SpaceScore(
        name=space.name,
        role=space.role,
        seed=space.seed,
        n_features=space.values.shape[1],
        n_constant=space.n_constant,
        r=running.split(fit.r(running.responses).mean(axis=0)),
        r2=running.split(fit.r2(running.responses).mean(axis=0)),
        r_interval=running.split(interval(running.r_drawn(fit))),
        r_equal_rank=r_equal_rank,
        at_ends=fit.at_ends,
    )


def _net_score(running: Encoding, net: FittedNet) -> NetScore:
    choice, chosen = net.choice, net.choice.chosen
    share = [(choice.layer == i).mean(axis=(0, 1)) for i in range(len(net.layers))]
    return NetScore(
        role=net.variant.role,
        seed=net.variant.seed,
        r=running.split(chosen.r(running.responses).mean(axis=0)),
        r2=running.split(chosen.r2(running.responses).mean(axis=0)),
        best_on_test=running.split(choice.best_on_test.mean(axis=0)),
        layers=net.names,
        share=running.split(np.stack(share)),
        interval=_mean_interval(running, chosen),
    )


def _mean_interval(running: Encoding, fit: Encoded) -> tuple[float, float]:
    drawn = running.r_drawn(fit)
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = interval(np.nanmean(drawn, axis=1))
    return float(low), float(high)


def _warnings(spaces: Sequence[SpaceScore]) -> tuple[str, ...]:
    narrow = [each.name for each in spaces if each.at_ends >= NARROW]
    constant = sum(each.n_constant for each in spaces if each.role == "trained")
    said = []
    if narrow:
        said.append(
            f"at least 95 % of the penalties of {', '.join(sorted(set(narrow)))} sit at an end of "
            "the grid: widen encoding.penalties, or take the features to predict nothing"
        )
    if constant:
        said.append(
            f"{constant} features of the net do not vary over the stimuli, but for rounding: they "
            "were dropped"
        )
    return tuple(said)
