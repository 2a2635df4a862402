"""What columns of a design, and volumes, tell of themselves: convolved, collinear, filtered."""

import numpy as np
from numpy.typing import NDArray

from convscope.brain.hrf.drift import drift, without

Array = NDArray[np.float64]

SLOW_HZ = 0.12
"""A canonical response passes little above it: a regressor without power there was convolved."""

SHARE_ABOVE = 0.1
"""Of the variance, above `SLOW_HZ`: convolved noise and events have 0.01 to 0.04 there, neural ones
0.3 to 0.8, at TRs of 1 to 3 s."""


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


def inflation(design: Array, n_first: int) -> Array:
    """(n_first,) the variance inflation factor of each of the first columns of a design.

        VIF_j = 1 / (1 - R_j²),

    R_j² being the share of column j that all other columns explain: by so much grows the variance
    of its effect (D. A. Belsley and others, Regression Diagnostics, 1980). nan of a constant.

    Args:
        design: (n_volumes, n_columns), a constant among them.
        n_first: columns that are asked about.
    """
    factors = np.full(n_first, np.nan)
    for j in range(n_first):
        column = design[:, j]
        total = np.square(column - column.mean()).sum()
        if total > 1e-12 * np.square(column).sum():
            left = np.square(without(column[:, None], np.delete(design, j, axis=1))).sum()
            factors[j] = total / max(left, 1e-12 * total)
    return factors


def drift_share(values: Array, tr_seconds: float, period_seconds: float) -> Array:
    """(n,) the share of the variance of each column that slow cosines explain, over that of noise.

    1 of white noise on average; above it where there are drifts, near 0 after a high-pass filter;
    nan of a column that does not vary.

    Args:
        values: (n_volumes, n) of one run.
        tr_seconds: from volume to volume.
        period_seconds: of the cosines, and longer; at most twice the run.
    """
    cosines = drift(len(values), tr_seconds, period_seconds)
    n_slow = cosines.shape[1] - 1
    centred = values - values.mean(axis=0)
    total = np.square(centred).sum(axis=0)
    left = np.square(without(centred, cosines)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Array = (1 - left / total) / (n_slow / (len(values) - 1))
    return share
