"""What is to be said of designs: their columns, alone, together and beside the volumes."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.brain.glm.design import Design, design_of
from convscope.brain.hrf.drift import drift, without
from convscope.brain.inputs.findings import Finding
from convscope.brain.inputs.regressors import SLOW_HZ, best_lag, inflation, looks_convolved
from convscope.brain.inputs.study import Study
from convscope.brain.records import Run
from convscope.errors import first_few

Array = NDArray[np.float64]

STEP_SECONDS = 4.0
"""A neural regressor leads BOLD by more."""

MOST_TARGETS = 2000

MOST_INFLATION = 10.0
"""Of a column's variance; the usual mark (D. A. Belsley and others, 1980)."""


def of_design(study: Study, run: Run) -> Iterator[Finding]:
    """All that is to be said of the design of a run."""
    settings = study.settings
    design = design_of(
        run,
        study.tr_seconds,
        settings.hrf.model,
        settings.hrf.delays,
        settings.glm.high_pass_seconds,
        settings.responses.already_convolved,
    )
    if len(design.names) >= run.n_volumes:
        yield Finding(
            "warning",
            f"{run.name}: {len(design.names)} columns explain {run.n_volumes} volumes whatever "
            "they are",
            "leave out confounds or derivatives, or raise glm.high_pass_seconds",
        )
        return
    if design.added_constant:
        yield Finding(
            "note",
            f"the given design of {run.name} has no constant: one was added; without it the mean "
            "of each voxel counts as noise (it brought a t of 11.4 down to 0.38 elsewhere)",
        )
    yield from _collinear(run, design)
    if run.design is not None:
        yield from _given(study, run)


def _collinear(run: Run, design: Design) -> Iterator[Finding]:
    """Columns whose effects can hardly be told from others'."""
    names = design.names[: design.n_conditions]
    conditions = design.values[:, : design.n_conditions]
    factors = inflation(design.values, design.n_conditions)
    flat = [name for name, factor in zip(names, factors, strict=True) if np.isnan(factor)]
    if flat:
        yield Finding(
            "warning",
            f"{run.name}: {first_few(flat)} cannot have an effect: the column does not vary",
            "leave it out",
        )
    inflated = [(f, name) for f, name in zip(factors, names, strict=True) if f > MOST_INFLATION]
    if inflated:
        factor, name = max(inflated)
        yield Finding(
            "warning",
            f"{run.name}: {name} is explained by the other columns to {1 - 1 / factor:.1%}"
            f"{_nearest(conditions, names, name)}: the variance of its effect is "
            f"{min(factor, 1e6):,.0f} times as large as alone"
            + (f" (also {first_few(n for _, n in inflated if n != name)})" * (len(inflated) > 1)),
            "leave one out, or ask for their sum",
        )


def _nearest(conditions: Array, names: Sequence[str], name: str) -> str:
    """Words for the condition that is most alike, where one alone is; else it is several, or drifts
    and confounds."""
    own = names.index(name)
    centred = conditions - conditions.mean(axis=0)
    norms = np.sqrt(np.square(centred).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.abs(centred.T @ centred[:, own]) / (norms * norms[own])
    r[own] = 0
    other = int(np.nan_to_num(r).argmax())
    return f", nearly by {names[other]} alone" if r[other] > 0.95 else ""


def columns_that_look_convolved(study: Study, run: Run) -> dict[str, float]:
    """Given columns as slow as BOLD and in step with it, and the lag in s at which each is best."""
    return {name: lag for name, (slow, lag) in _looks(study, run).items() if slow and _is_step(lag)}


def _looks(study: Study, run: Run) -> dict[str, tuple[bool, float]]:
    """Of each given column whether it looks convolved, and by how many s responses follow it."""
    given = run.design_for(0)
    if given is None:
        return {}
    trends = drift(run.n_volumes, study.tr_seconds, study.settings.glm.high_pass_seconds)
    responses = _mean_responses(study, study.run_of == study.runs.index(run), trends)
    return {
        name: (
            looks_convolved(column, study.tr_seconds),
            best_lag(column, responses) * study.tr_seconds,
        )
        for name, column in zip(run.design_names, without(given, trends).T, strict=True)
    }


def _is_step(lag_seconds: float) -> bool:
    return abs(lag_seconds) < STEP_SECONDS


def _given(study: Study, run: Run) -> Iterator[Finding]:
    looks = _looks(study, run)
    said = study.settings.responses.already_convolved
    convolved = [
        f"{name} (best at a lag of {lag:g} s)"
        for name, lag in columns_that_look_convolved(study, run).items()
    ]
    neural = [
        f"{name} ({lag:g} s later)"
        for name, (slow, lag) in looks.items()
        if not slow and not _is_step(lag)
    ]
    if convolved and not said:
        yield Finding(
            "warning",
            f"{run.name}: columns that look already convolved, as slow as BOLD (next to no power "
            f"above {SLOW_HZ} Hz) and in step with it: {first_few(convolved)}; convolving once "
            "more brought r down from 0.18 to 0.05 elsewhere",
            "set responses.already_convolved: true",
        )
    if neural and said:
        yield Finding(
            "warning",
            f"{run.name}: columns that look as if they had not been convolved, faster than BOLD, "
            f"which follows them: {first_few(neural)}",
            "set responses.already_convolved: false",
        )
    yield Finding(
        "note",
        f"{run.name}: a design cannot say whether its columns ({first_few(run.design_names)}) are "
        "what they are called: --out draws each beside its map",
    )


def _mean_responses(study: Study, own: NDArray[np.bool_], trends: Array) -> Array:
    """(n_volumes, n_some) without drifts, the mean over subjects."""
    total = 0.0
    for values in some_targets(study):
        left = without(values[own], trends)
        total = total + left / np.maximum(left.std(axis=0), 1e-12)
    return np.asarray(total / len(study.recordings))


def some_targets(study: Study) -> list[Array]:
    """(n_volumes, n_some) of each subject: targets that vary, spread over all."""
    first = study.recordings[0].values[0]
    usable = np.flatnonzero(np.isfinite(first).all(axis=0) & (np.ptp(first, axis=0) > 0))
    some = usable[:: max(1, len(usable) // MOST_TARGETS)]
    return [recording.values[0][:, some].astype(np.float64) for recording in study.recordings]
