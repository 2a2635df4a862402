r"""The general linear model of each target, and contrasts of it; nilearn's solver.

    y = X β + e,    e white, or autoregressive of first order,
    t = c'β / √(c' Var(β) c)

Runs are fitted by themselves and combined with fixed effects: effects and variances are averaged.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convscope.brain.glm.design import Design
from convscope.errors import UserError
from convscope.settings import suggest

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StatMap:
    """One contrast over all targets: (n_targets,) each; nan where a target does not vary.

    Attributes:
        name: of the contrast.
        effect: c'β, in the units of the responses.
        variance: of the effect.
        t: effect over its standard error.
        z: the standard normal value of the same probability.
        n_freedom: degrees of freedom of t.
    """

    name: str
    effect: Array
    variance: Array
    t: Array
    z: Array
    n_freedom: float


def fit_glm(
    volumes: Sequence[ArrayLike],
    designs: Sequence[Design],
    contrasts: Mapping[str, str] | Sequence[str],
    noise: str = "ar1",
) -> tuple[StatMap, ...]:
    """Fit each run and combine them.

    Args:
        volumes: (n_volumes, n_targets) of each run.
        designs: one for each run.
        contrasts: expressions of column names, such as `speech - music`, by name or as they are.
        noise: `ar1` or `ols`.

    Raises:
        UserError: for a contrast of columns that no design has, or a design with more columns than
            volumes.

    Examples:
        >>> import numpy as np
        >>> from convscope.brain.glm.design import Design
        >>> from convscope.brain.glm.fit import fit_glm
        >>> x = np.array([0, 1, 0, 1, 0, 1.0])
        >>> design = Design(("on", "constant"), np.stack([x, x * 0 + 1], 1), 1, False)
        >>> y = 3 * x[:, None] + [[0.1], [-0.1], [0.0], [0.1], [0.0], [-0.1]]
        >>> fit_glm([y], [design], ["on"], noise="ols")[0].effect.round(2)
        array([2.93])
    """
    named = contrasts if isinstance(contrasts, Mapping) else {each: each for each in contrasts}
    values = [np.asarray(each, dtype=np.float64) for each in volumes]
    usable = np.flatnonzero(np.all([_varies(each) for each in values], axis=0))
    fits = [
        _fitted(each[:, usable], design, noise)
        for each, design in zip(values, designs, strict=True)
    ]
    n_targets = values[0].shape[1]
    return tuple(
        _over_targets(name, _combined(fits, designs, expression), usable, n_targets)
        for name, expression in named.items()
    )


def contrast_vector(expression: str, names: Sequence[str]) -> Array:
    """(n_columns,) weights of an expression such as `speech - 0.5 * music`.

    Raises:
        UserError: where it is no such expression, or names a column that there is not.
    """
    weights = np.zeros(len(names))
    known = sorted(names, key=len, reverse=True)
    column = "|".join(map(re.escape, known))
    term = rf"\s*([+-]?)\s*(?:(\d+(?:\.\d+)?)\s*\*\s*)?({column})\s*(?=[+-]|$)"
    position = 0
    for found in re.finditer(term, expression):
        if found.start() != position:
            break
        sign = -1.0 if found[1] == "-" else 1.0
        weights[list(names).index(found[3])] += sign * float(found[2] or 1)
        position = found.end()
    if position != len(expression) or not weights.any():
        raise UserError(
            f"contrast {expression!r}: expected columns with + and - between them, such as "
            f"`speech - music`{suggest(expression, list(names))}"
        )
    return weights


def _fitted(volumes: Array, design: Design, noise: str) -> Any:
    from nilearn.glm.first_level import run_glm

    n, n_columns = design.values.shape
    if n_columns >= n:
        raise UserError(
            f"the design has {n_columns} columns for {n} volumes: expected fewer columns; raise "
            "glm.high_pass_seconds or leave confounds out"
        )
    return run_glm(volumes, design.values, noise_model=noise, random_state=0)


def _combined(fits: Sequence[Any], designs: Sequence[Design], expression: str) -> Any:
    """nilearn's contrast over runs: those of each are added and divided by their number."""
    from nilearn.glm.contrasts import compute_contrast

    total: Any = None
    for (labels, results), design in zip(fits, designs, strict=True):
        weights = contrast_vector(expression, design.names)
        own = compute_contrast(labels, results, weights, stat_type="t")
        total = own if total is None else total + own
    return total * (1.0 / len(fits)) if len(fits) > 1 else total


def _over_targets(name: str, contrast: Any, usable: NDArray[np.int64], n_targets: int) -> StatMap:
    def spread(values: ArrayLike) -> Array:
        out = np.full(n_targets, np.nan)
        out[usable] = np.ravel(values)
        return out

    t = contrast.stat()
    return StatMap(
        name,
        spread(contrast.effect_size()),
        spread(contrast.effect_variance()),
        spread(t),
        spread(contrast.z_score()),
        float(contrast.dof),
    )


def _varies(values: Array) -> NDArray[np.bool_]:
    finite = np.isfinite(values).all(axis=0)
    varies: NDArray[np.bool_] = finite & (np.ptp(np.where(finite, values, 0), axis=0) > 0)
    return varies
