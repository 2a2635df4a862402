"""Predictors at several delays, each run by itself."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def delayed(values: ArrayLike, runs: ArrayLike, delays: Sequence[int]) -> NDArray[np.float64]:
    """Each predictor at each delay, zeros where a run has nothing: a finite impulse response.

    Column d · n_features + f holds feature f as it was `delays[d]` volumes before. There is no way
    to call it without runs: delays that cross a run's border carry its end into the next.

    Args:
        values: (n_samples, n_features).
        runs: (n_samples,) the number of each sample's run.
        delays: in volumes; negative ones look ahead.

    Returns:
        (n_samples, n_delays * n_features).

    Examples:
        >>> from convscope.brain.hrf.delays import delayed
        >>> delayed([[1.0], [2.0], [3.0]], [0, 0, 1], [0, 1])
        array([[1., 0.],
               [2., 1.],
               [3., 0.]])
    """
    values = np.asarray(values, dtype=np.float64)
    numbers = np.asarray(runs)
    columns = np.zeros((len(values), len(delays), values.shape[1]))
    for run in np.unique(numbers):
        own = np.flatnonzero(numbers == run)
        for d, delay in enumerate(delays):
            n = max(len(own) - abs(delay), 0)
            to, come_from = (own[-n:], own[:n]) if delay > 0 else (own[:n], own[-n:])
            if n:
                columns[to, d] = values[come_from]
    return columns.reshape(len(values), -1)
