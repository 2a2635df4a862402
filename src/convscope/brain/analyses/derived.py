"""What follows from held-out predictions: differences, unique variance, chance."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.brain.analyses.running import Encoding, Scores
from convscope.brain.analyses.samples import groups_of
from convscope.brain.encoding.encode import Encoded
from convscope.brain.encoding.partition import Partition, partition
from convscope.brain.encoding.scores import correlation
from convscope.brain.inference.bootstrap import interval, mean_interval
from convscope.brain.inference.permutation import (
    false_discovery,
    max_p_values,
    null_scores,
    p_values,
    shifted_orders,
    stimulus_orders,
)
from convscope.brain.inputs.study import Study
from convscope.brain.records import FeatureSpace
from convscope.brain.results.scores import Difference, UniqueVariance

MAIN_CONTROL = {"sound": "spectral_all", "image": "pixels_all"}
"""What a net is held against, said before anything is seen: all that needs no net."""


def main_control(study: Study, controls: Sequence[FeatureSpace]) -> str:
    """The name of the control that a net is held against."""
    if study.stimuli is None:
        return controls[0].name
    return MAIN_CONTROL[study.stimuli.kind]


def differences(
    running: Encoding, fits: Mapping[str, Encoded], control: str, controls: Mapping[str, Encoded]
) -> tuple[Difference, ...]:
    """Of the trained net over the control, and over the better kind of untrained net."""
    r = {name: running.split(fit.r(running.responses).mean(axis=0)) for name, fit in fits.items()}
    drawn = running.split(running.r_drawn(fits["trained"]))
    others = {control: [controls[control]]}
    for role in ("untrained", "untrained_calibrated"):
        own = [fit for name, fit in fits.items() if name.rpartition("-")[0] == role]
        if own:
            others[role] = own
    return tuple(
        _difference(running, r["trained"], drawn, over, those) for over, those in others.items()
    )


def _difference(
    running: Encoding, r: Scores, drawn: Scores, over: str, others: Sequence[Encoded]
) -> Difference:
    other_r = np.mean(
        [running.split(each.r(running.responses).mean(axis=0)) for each in others], axis=0
    )
    gap = r - other_r
    n_subjects = len(gap)
    settings = running.study.settings.encoding
    if n_subjects > 1:  # people differ more than stimuli do, and one wants to speak of people
        by_target = mean_interval(gap, settings.n_bootstrap, settings.seed)
        whole = mean_interval(np.nanmean(gap, axis=1), settings.n_bootstrap, settings.seed)
    else:
        other_drawn = np.mean([running.split(running.r_drawn(each)) for each in others], axis=0)
        difference = (drawn - other_drawn)[:, 0]
        by_target = interval(difference)
        whole = interval(np.nanmean(difference, axis=1)) if len(difference) else np.full(2, np.nan)
    return Difference(
        over=over,
        mean=float(np.nanmean(gap)),
        interval=(float(whole[0]), float(whole[1])),
        by_target=np.nanmean(gap, axis=0),
        by_target_interval=by_target,
    )


def unique_variance(
    running: Encoding,
    layer: FeatureSpace,
    controls: Sequence[FeatureSpace],
    control: str,
) -> tuple[UniqueVariance, ...]:
    """What the layer adds to the control; and to the control and the categories together.

    All that is compared chooses its penalties in the same folds, one band or several.
    """
    values = {c.name: running.at_samples(c) for c in controls}
    own = running.at_samples(layer)
    known = {control: [values[control]]}
    if "categories" in values:
        known[f"{control} + categories"] = [values[control], values["categories"]]
    alone = running.encoded(f"bands-{layer.name}", [own])
    found = []
    for name, bands in known.items():
        without = running.encoded(f"bands-{name}", bands)
        both = running.encoded(f"bands-{name} + {layer.name}", [*bands, own])
        part = partition(alone, without, both, running.responses, running.counts)
        found.append(_unique_variance(running, layer.name, name, part))
    return tuple(found)


def _unique_variance(
    running: Encoding, layer: str, control: str, part: Partition
) -> UniqueVariance:
    def mean(values: Scores) -> Scores:
        over_subjects: Scores = np.nanmean(running.split(values), axis=-2)
        return over_subjects

    return UniqueVariance(
        layer,
        control,
        mean(part.net),
        mean(part.control),
        mean(part.both),
        mean(part.unique_net),
        mean(part.unique_control),
        mean(part.shared),
        mean(part.unique_net_interval),
        mean(part.unique_control_interval),
    )


def chance(
    running: Encoding, trained: Encoded
) -> tuple[Scores | None, Scores | None, Scores | None]:
    """p-values of the trained net's r, mean over subjects."""
    settings = running.study.settings.encoding
    if not settings.n_permutations:
        return None, None, None
    if running.study.is_bold:
        orders = shifted_orders(running.study.run_of, settings.n_permutations, settings.seed)
    else:
        orders = stimulus_orders(groups_of(running.study), settings.n_permutations, settings.seed)

    def score(order: NDArray[np.int64]) -> Scores:
        r = [correlation(p, running.responses[order]) for p in trained.predictions]
        over_subjects: Scores = np.nanmean(running.split(np.mean(r, axis=0)), axis=0)
        return over_subjects

    scores = score(np.arange(running.study.n_samples))
    null = null_scores(score, orders)
    p = p_values(scores, null)
    return p, false_discovery(p), max_p_values(scores, null)
