"""Results as rows of plain values: what CSV, JSON and pages show."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.brain.inference.ceiling import normalised
from convscope.brain.results.scores import EncodingScores
from convscope.brain.results.similarity import RsaScores

Row = dict[str, Any]


def space_rows(scores: EncodingScores) -> list[Row]:
    """One row for each feature space: r and R², means over subjects and targets."""
    return [
        {
            "space": each.name,
            "role": each.role,
            "seed": each.seed,
            "n_features": each.n_features,
            "n_constant": each.n_constant,
            "r": _mean(each.r),
            "r_low": _mean(each.r_interval[0]),
            "r_high": _mean(each.r_interval[1]),
            "r2": _mean(each.r2),
            "r_equal_rank": None if each.r_equal_rank is None else _mean(each.r_equal_rank),
            "r_of_ceiling": _of_ceiling(scores, each.r),
            "penalties_at_ends": each.at_ends,
        }
        for each in scores.spaces
    ]


def net_rows(scores: EncodingScores) -> list[Row]:
    """One row for each net by its chosen layer, beside what a choice on the test would claim."""
    return [
        {
            "net": each.role,
            "seed": each.seed,
            "layer": each.layer,
            "r": _mean(each.r),
            "r2": _mean(each.r2),
            "r_best_on_test": _mean(each.best_on_test),
            "r_of_ceiling": _of_ceiling(scores, each.r),
        }
        for each in scores.nets
    ]


def target_rows(scores: EncodingScores) -> list[Row]:
    """One row for each target: net, control, untrained nets, ceiling, p-values; means over
    subjects."""
    trained = scores.trained
    control = scores.space(scores.control)
    columns: dict[str, NDArray[Any] | None] = {f"r_{scores.control}": control.r.mean(axis=0)}
    columns[f"r2_{scores.control}"] = control.r2.mean(axis=0)
    if trained is not None:
        columns["r_net"] = trained.r.mean(axis=0)
        columns["r2_net"] = trained.r2.mean(axis=0)
        for role in ("untrained", "untrained_calibrated", "permuted"):
            if any(each.role == role for each in scores.nets):
                columns[f"r_{role}"] = scores.mean_of(role).mean(axis=0)
    columns |= {
        "ceiling": scores.ceiling.lower,
        "p": scores.p,
        "q": scores.q,
        "p_max": scores.p_max,
    }
    return [
        {"target": name}
        | {key: None if values is None else _number(values[i]) for key, values in columns.items()}
        for i, name in enumerate(scores.targets)
    ]


def unique_rows(scores: EncodingScores) -> list[Row]:
    """One row for each partition and target."""
    return [
        {
            "layer": part.layer,
            "control": part.control,
            "target": name,
            "r2_net": _number(part.r2_net[i]),
            "r2_control": _number(part.r2_control[i]),
            "r2_both": _number(part.r2_both[i]),
            "unique_net": _number(part.unique_net[i]),
            "unique_net_low": _number(part.unique_net_interval[0][i]),
            "unique_net_high": _number(part.unique_net_interval[1][i]),
            "unique_control": _number(part.unique_control[i]),
            "shared": _number(part.shared[i]),
        }
        for part in scores.unique
        for i, name in enumerate(scores.targets)
    ]


def rsa_rows(rsa: RsaScores) -> list[Row]:
    """One row for each feature space."""
    return [
        {
            "space": each.name,
            "role": each.role,
            "seed": each.seed,
            "similarity": _number(each.value),
            "low": _number(each.interval[0]),
            "high": _number(each.interval[1]),
        }
        for each in rsa.similarities
    ]


def summary(scores: EncodingScores, study_hash: str) -> dict[str, Any] | None:
    """What the board shows of a net on a study; None where there is no net."""
    trained = scores.trained
    if trained is None:
        return None
    roles = {each.role for each in scores.nets} & {"untrained", "untrained_calibrated"}
    untrained = max((_mean(scores.mean_of(role)) or 0.0 for role in roles), default=None)
    return {
        "study": scores.study,
        "hash": study_hash,
        "score": _mean(trained.r),
        "layer": trained.layer,
        "untrained": untrained,
        "control": scores.control,
        "control_score": _mean(scores.space(scores.control).r),
        "ceiling": None if scores.ceiling.lower is None else _mean(scores.ceiling.lower),
        "interval": [_number(end) for end in trained.interval],
    }


def _of_ceiling(scores: EncodingScores, r: NDArray[Any]) -> float | None:
    if scores.ceiling.lower is None:
        return None
    return _mean(normalised(r.mean(axis=0), scores.ceiling.lower))


def _mean(values: NDArray[Any]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
