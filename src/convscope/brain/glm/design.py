"""Design matrices: a column for each condition, drifts, confounds, and always a constant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.brain.hrf.convolve import convolved, event_predictors, held
from convscope.brain.hrf.delays import delayed
from convscope.brain.hrf.drift import drift
from convscope.brain.records import Run
from convscope.errors import UserError

Array = NDArray[np.float64]

CONSTANT = "constant"


@dataclass(frozen=True)
class Design:
    """The design of one run.

    Attributes:
        names: (n_columns,) of the columns.
        values: (n_volumes, n_columns).
        n_conditions: the first so many columns are what is asked about; behind them stand
            confounds, drifts and the constant.
        added_constant: whether the given design had none.
    """

    names: tuple[str, ...]
    values: Array
    n_conditions: int
    added_constant: bool


def design_of(
    run: Run,
    tr_seconds: float,
    hrf: str,
    delays: Sequence[int] = (),
    high_pass_seconds: float | None = None,
    already_convolved: bool = False,
    subject: int = 0,
) -> Design:
    """The design of a run: its given columns, or its events convolved with a response.

    Args:
        run: with events or a given design.
        tr_seconds: from volume to volume.
        hrf: `spm`, `glover`, their derivatives, `fir` with `delays`, or `none`.
        delays: of `fir`, in volumes.
        high_pass_seconds: drifts of longer periods are explained away; None: none.
        already_convolved: whether the given design stands as it is; else it is convolved too.
        subject: its number, where designs differ between subjects.

    Raises:
        UserError: for a run with neither events nor a design.
    """
    names, conditions = _conditions(
        run, run.design_for(subject), tr_seconds, hrf, delays, already_convolved
    )
    trends = drift(run.n_volumes, tr_seconds, high_pass_seconds)
    has_constant = _spans_constant(conditions)
    trends = trends[:, :-1] if has_constant else trends
    trend_names = [f"drift_{i + 1}" for i in range(trends.shape[1] - (not has_constant))]
    confounds = run.confounds if run.confound_names else np.zeros((run.n_volumes, 0))
    return Design(
        names=(
            *names,
            *run.confound_names,
            *trend_names,
            *([] if has_constant else [CONSTANT]),
        ),
        values=np.hstack([conditions, confounds - confounds.mean(axis=0), trends]),
        n_conditions=len(names),
        added_constant=run.design is not None and not has_constant,
    )


def condition_names(run: Run) -> tuple[str, ...]:
    """The trial types of a run's events, sorted; or the names of its given columns."""
    if run.design is not None:
        return run.design_names
    return tuple(sorted({event.trial_type for event in run.events}))


def _conditions(
    run: Run,
    given: Array | None,
    tr_seconds: float,
    hrf: str,
    delays: Sequence[int],
    already_convolved: bool,
) -> tuple[tuple[str, ...], Array]:
    names = condition_names(run)
    one_run = np.zeros(run.n_volumes, dtype=np.int64)
    if given is not None:
        if already_convolved or hrf == "none":
            return names, given
        if hrf == "fir":
            return _delayed_names(names, delays), delayed(given, one_run, delays)
        return _response_names(names, hrf), convolved(given, one_run, tr_seconds, hrf)
    if not run.events:
        raise UserError(
            f"{run.name}: a GLM needs responses.events or responses.design, got neither: name them "
            "in the study file"
        )
    heights = np.array([[float(e.trial_type == name) for name in names] for e in run.events])
    if hrf in ("fir", "none"):
        boxes = held(run.events, heights, run.n_volumes, tr_seconds)
        if hrf == "none":
            return names, boxes
        return _delayed_names(names, delays), delayed(boxes, one_run, delays)
    columns = event_predictors(run.events, heights, run.n_volumes, tr_seconds, hrf)
    return _response_names(names, hrf), columns


def _response_names(names: Sequence[str], hrf: str) -> tuple[str, ...]:
    _, *more = hrf.split(" + ")
    return (*names, *(f"{name}_{each}" for each in more for name in names))


def _delayed_names(names: Sequence[str], delays: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{name}_delay_{delay}" for delay in delays for name in names)


def _spans_constant(columns: Array) -> bool:
    """Whether some combination of the columns is a constant."""
    if not columns.shape[1]:
        return False
    ones = np.ones(len(columns))
    left = ones - columns @ np.linalg.lstsq(columns, ones, rcond=None)[0]
    return bool(np.square(left).sum() < 1e-8 * len(ones))
