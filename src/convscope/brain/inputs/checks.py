"""What is to be said of a study before anything is computed, each with what to do about it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convscope.brain.glm.design import Design, design_of
from convscope.brain.hrf.drift import drift, without
from convscope.brain.inference.ceiling import rank
from convscope.brain.inputs.study import Study
from convscope.brain.records import Run
from convscope.errors import first_few

Array = NDArray[np.float64]

SLOW_HZ = 0.12
"""A canonical response passes little above it: a regressor without power there was convolved."""

SHARE_ABOVE = 0.1
"""Of the variance, above `SLOW_HZ`: convolved noise and events have 0.01 to 0.04 there, neural ones
0.3 to 0.8, at TRs of 1 to 3 s."""

STEP_SECONDS = 4.0
"""A neural regressor leads BOLD by more."""

MOST_TARGETS = 2000


@dataclass(frozen=True)
class Finding:
    """Something to know of a study.

    Attributes:
        level: warning: results would mislead; note: good to know.
        what: it is.
        remedy: what to do; empty where there is nothing to do.
    """

    level: Literal["warning", "note"]
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Fact:
    """A line of the table of what fits what."""

    name: str
    value: str


def facts(study: Study) -> tuple[Fact, ...]:
    """What there is: counts, shapes, durations."""
    found = [Fact("study", f"{study.name}, {study.hash[:12]}")]
    stimuli = study.stimuli
    if stimuli is not None:
        found.append(Fact("stimuli", f"{len(stimuli):,} {stimuli.kind}s"))
        if stimuli.kind == "sound":
            least, most = stimuli.seconds.min(), stimuli.seconds.max()
            found.append(Fact("seconds", f"{least:.2f}" + f" to {most:.2f}" * bool(least < most)))
        if stimuli.categories is not None:
            found.append(Fact("categories", f"{len(set(stimuli.categories))}"))
    values = study.recordings[0].values
    found.append(Fact("subjects", f"{len(study.recordings)}"))
    if study.is_bold:
        lengths = [run.n_volumes for run in study.runs]
        found.append(Fact("runs", f"{len(lengths)} of {_range(lengths)} volumes"))
        found.append(Fact("TR", f"{study.tr_seconds:g} s"))
        found += [Fact("predictors", _predictors(study.runs[0]))]
    else:
        found.append(Fact("repeats", f"{len(values)}"))
    kind = "voxels" if study.space is not None else "targets"
    found.append(Fact(kind, f"{values.shape[2]:,}"))
    return tuple(found)


def check(study: Study) -> tuple[Finding, ...]:
    """All that is to be said, what misleads most first."""
    found = [
        *_values(study),
        *_stimuli(study),
        *(_bold(study) if study.is_bold else _per_stimulus(study)),
    ]
    return tuple(sorted(found, key=lambda each: each.level != "warning"))


def looks_convolved(regressor: Array, tr_seconds: float) -> bool:
    """Whether a regressor has next to no power where a haemodynamic response passes none.

    At most a tenth of its variance lies above 0.12 Hz. Where the Nyquist frequency is not well
    above that, it cannot be told. Blocks of half a minute are slow too: `best_lag` tells more.

    Args:
        regressor: (n_volumes,) without drifts.
        tr_seconds: from volume to volume.
    """
    frequencies = np.fft.rfftfreq(len(regressor), tr_seconds)
    if frequencies[-1] < 1.25 * SLOW_HZ:
        return False
    power = np.abs(np.fft.rfft(regressor - regressor.mean())) ** 2
    total = power[1:].sum()
    return bool(total > 0 and power[frequencies > SLOW_HZ].sum() / total < SHARE_ABOVE)


def best_lag(regressor: Array, responses: Array, most: int = 4) -> int:
    """The shift in volumes at which a regressor follows the responses best, 0 where it is in step.

    Args:
        regressor: (n_volumes,).
        responses: (n_volumes, n_targets); the targets that it follows best at any shift decide.
        most: volumes in either direction.
    """
    x = regressor - regressor.mean()
    y = responses - responses.mean(axis=0)
    y = y / np.maximum(y.std(axis=0), 1e-12)
    lags = range(-most, most + 1)
    r = np.array([np.roll(x, lag) @ y for lag in lags]) / (x.std() * len(x) + 1e-12)
    strongest = np.argsort(r.max(axis=0))[-max(1, min(200, r.shape[1] // 20)) :]
    return int(lags[int(r[:, strongest].mean(axis=1).argmax())])


def _values(study: Study) -> Iterator[Finding]:
    for recording in study.recordings:
        values = recording.values
        finite: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=(0, 1)))
        flat = finite & (np.ptp(np.where(np.isfinite(values), values, 0), axis=1).max(axis=0) == 0)
        of = f" of subject {recording.subject}" if len(study.recordings) > 1 else ""
        if not finite.all():
            yield Finding(
                "warning",
                f"{(~finite).sum():,} of {len(finite):,} targets{of} hold NaN: they come out nan",
                "mask them, or see why they were not measured",
            )
        if flat.any():
            yield Finding(
                "warning",
                f"{flat.sum():,} of {len(flat):,} targets{of} do not vary: they come out nan",
                "take them out of the mask",
            )
    if study.space is not None and not study.space.is_known:
        yield Finding(
            "warning",
            "the files do not say where their voxels lie (qform and sform codes are 0): no glass "
            "brain or surface is drawn, and left may be right",
            "set the affine from the scanner's files",
        )


def _stimuli(study: Study) -> Iterator[Finding]:
    stimuli = study.stimuli
    if stimuli is None:
        return
    groups: dict[str, list[str]] = defaultdict(list)
    for name, content in zip(stimuli.names, stimuli.hashes, strict=True):
        groups[content].append(name)
    same = [names for names in groups.values() if len(names) > 1]
    if same:
        yield Finding(
            "warning",
            f"{len(same)} stimuli stand under several names, such as "
            f"{' = '.join(same[0][:3])}: they never stand on both sides of a fold",
        )
    if stimuli.categories is not None:
        rare = [name for name, n in Counter(stimuli.categories).items() if n < 3]
        if rare:
            yield Finding("note", f"categories of fewer than 3 stimuli: {first_few(rare)}")


def _per_stimulus(study: Study) -> Iterator[Finding]:
    assert study.stimuli is not None
    n_folds = study.settings.encoding.n_folds
    n_contents = len(set(study.stimuli.hashes))
    if n_contents <= n_folds:
        yield Finding(
            "warning",
            f"{n_contents} different stimuli are too few for {n_folds} folds",
            "lower encoding.n_folds",
        )
    mean = study.recordings[0].mean
    independent = rank(mean)
    if independent < min(mean.shape) - 1:
        yield Finding(
            "warning",
            f"the responses have rank {independent}, for {len(mean)} stimuli and "
            f"{mean.shape[1]:,} targets: they were denoised, so no noise ceiling exists",
            "do not read scores as a share of what can be explained",
        )
    if len(study.recordings) == 1 and len(study.recordings[0].values) == 1:
        yield Finding(
            "note",
            "one subject (or their mean) and one repeat: there is no noise ceiling, and intervals "
            "are over stimuli alone",
        )


def _bold(study: Study) -> Iterator[Finding]:
    settings = study.settings
    if len(study.runs) == 1:
        yield Finding(
            "note",
            "one run: contiguous blocks with a gap are left out; whether a result holds in another "
            "run cannot be said",
        )
    yield from _overlap(study)
    for run in study.runs:
        if run.design is None and not run.events:
            yield Finding(
                "warning",
                f"{run.name} has neither events nor given predictors",
                "name responses.events or responses.design",
            )
            continue
        design = design_of(
            run,
            study.tr_seconds,
            settings.hrf.model,
            settings.hrf.delays,
            settings.glm.high_pass_seconds,
            settings.responses.already_convolved,
        )
        yield from _design(study, run, design)


def _design(study: Study, run: Run, design: Design) -> Iterator[Finding]:
    if design.added_constant:
        yield Finding(
            "warning",
            f"the given design of {run.name} has no constant: one was added; without it the mean "
            "of each voxel would be taken for noise (max t 0.38 in place of 11.4, measured)",
        )
    conditions = design.values[:, : design.n_conditions]
    r = np.atleast_2d(np.corrcoef(conditions.T))
    close = [
        (design.names[i], design.names[j])
        for i, j in zip(*np.triu_indices(len(r), 1), strict=True)
        if abs(r[i, j]) > 0.95
    ]
    if close:
        yield Finding(
            "warning",
            f"{run.name}: {close[0][0]} and {close[0][1]} are nearly the same column (|r| above "
            "0.95): their effects cannot be told apart",
            "leave one out, or ask for their sum",
        )
    if run.design is not None:
        yield from _given(study, run)


def _given(study: Study, run: Run) -> Iterator[Finding]:
    given = run.design_for(0)
    assert given is not None
    own = study.run_of == study.runs.index(run)
    trends = drift(run.n_volumes, study.tr_seconds, study.settings.glm.high_pass_seconds)
    responses = _mean_responses(study, own, trends)
    said = study.settings.responses.already_convolved
    for name, column in zip(run.design_names, without(given, trends).T, strict=True):
        slow = looks_convolved(column, study.tr_seconds)
        lag_seconds = best_lag(column, responses) * study.tr_seconds
        in_step = abs(lag_seconds) < STEP_SECONDS
        if slow and in_step and not said:
            yield Finding(
                "warning",
                f"{run.name}, {name}: it is as slow as BOLD (next to no power above {SLOW_HZ} Hz) "
                f"and in step with it (best at a lag of {lag_seconds:g} s): it looks already "
                "convolved; convolved once more, r falls from 0.18 to 0.05 (measured on a story)",
                "set responses.already_convolved: true",
            )
        if said and not slow and not in_step:
            yield Finding(
                "warning",
                f"{run.name}, {name}: responses follow it {lag_seconds:g} s later, and it changes "
                "faster than BOLD: it looks as if it had not been convolved",
                "set responses.already_convolved: false",
            )
    yield Finding(
        "note",
        f"{run.name}: a design cannot say whether its columns ({first_few(run.design_names)}) are "
        "what they are called: --out draws each beside its map",
    )


def _overlap(study: Study) -> Iterator[Finding]:
    """Stimuli of one run that another has too, and that it is not said to repeat."""
    stimuli = study.stimuli
    if stimuli is None:
        return
    contents = [
        {stimuli.hashes[e.stimulus] for e in run.events if e.stimulus is not None}
        for run in study.runs
    ]
    for i, first in enumerate(study.runs):
        for j, second in enumerate(study.runs[i + 1 :], i + 1):
            said = first.name in (second.repeat_of, first.repeat_of) or (
                second.repeat_of is not None and second.repeat_of == first.repeat_of
            )
            shared = contents[i] & contents[j]
            if shared and not said:
                yield Finding(
                    "warning",
                    f"{first.name} and {second.name} share {len(shared)} stimuli: left out one "
                    "after the other, each would be fitted to in the other run",
                    f"set repeats: {{{second.name}: {first.name}}}",
                )


def _mean_responses(study: Study, own: NDArray[np.bool_], trends: Array) -> Array:
    """(n_volumes, n_some) of targets spread over all, without drifts, the mean over subjects."""
    values = study.recordings[0].mean
    usable = np.flatnonzero(np.isfinite(values).all(axis=0) & (np.ptp(values, axis=0) > 0))
    some = usable[:: max(1, len(usable) // MOST_TARGETS)]
    total = np.zeros((int(own.sum()), len(some)))
    for recording in study.recordings:
        left = without(recording.mean[own][:, some], trends)
        total += left / np.maximum(left.std(axis=0), 1e-12)
    return total / len(study.recordings)


def _predictors(run: Run) -> str:
    if run.design is not None:
        return f"{len(run.design_names)} given: {first_few(run.design_names, 4)}"
    kinds = sorted({event.trial_type for event in run.events})
    return f"{len(run.events)} events of {first_few(kinds, 4)} in the first run"


def _range(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return f"{least}" if least == most else f"{least} to {most}"
