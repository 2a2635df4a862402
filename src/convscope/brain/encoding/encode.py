"""Encoding models of several feature spaces on the same responses and folds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.brain.encoding.banded import fit_predict_banded
from convscope.brain.encoding.folds import Fold
from convscope.brain.encoding.ridge import Array, Fit, at_ends, fit_predict
from convscope.brain.encoding.scores import correlation, explained_variance

NARROW = 0.95
"""Where that share of penalties sits at an end of the grid, the grid is too narrow."""


@dataclass(frozen=True)
class Draw:
    """One way to leave samples out, each once, and how penalties are chosen within.

    Attributes:
        folds: whose tests are all samples.
        inner: for each of them the folds of its training samples, as indices into `train`.
        one_out: whether plain ridge chooses its penalty by leaving out one sample at a time.
    """

    folds: tuple[Fold, ...]
    inner: tuple[tuple[Fold, ...], ...]
    one_out: bool


@dataclass(frozen=True)
class Encoded:
    """What one feature space, or several bands together, predict.

    Attributes:
        predictions: (n_draws, n_samples, n_targets) of held-out samples; nan of targets that
            cannot be predicted (constant, or with a nan).
        inner_loss: (n_draws, n_folds, n_targets) mean squared error within the training samples.
        penalties: (n_draws, n_folds, n_targets).
        at_ends: share of penalties at an end of the grid.
        n_dropped: most features that did not vary over some training samples.
    """

    predictions: NDArray[np.float32]
    inner_loss: NDArray[np.float64]
    penalties: NDArray[np.float64]
    at_ends: float
    n_dropped: int

    def r(self, responses: Array) -> NDArray[np.float64]:
        """(n_draws, n_targets) correlation of all held-out predictions of a draw."""
        return np.stack([correlation(each, responses) for each in self.predictions])

    def r2(self, responses: Array) -> NDArray[np.float64]:
        """(n_draws, n_targets) share of the variance that is explained."""
        return np.stack([explained_variance(each, responses) for each in self.predictions])


def encode(
    features: Array | Sequence[Array],
    responses: Array,
    draws: Sequence[Draw],
    grid: NDArray[np.float64],
    seed: int = 0,
    backend: str = "torch",
    rank: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Encoded:
    """Predict each sample from a fit to others.

    Args:
        features: (n_samples, n_features); or several of them, as bands with penalties of their own.
        responses: (n_samples, n_targets); targets that are constant or hold a nan come out as nan.
        draws: ways to leave samples out.
        grid: (n_penalties,) to choose from.
        seed: of what banded ridge draws.
        backend: of himalaya.
        rank: principal components to which plain features are reduced; None: none.
        progress: called with the folds done and all folds.

    Examples:
        >>> import numpy as np
        >>> from convscope.brain.encoding.draws import stimulus_draws
        >>> from convscope.brain.encoding.encode import encode
        >>> x = np.random.default_rng(0).normal(size=(60, 5))
        >>> y = x @ [[1.0], [0.0], [0.0], [2.0], [0.0]]
        >>> encoded = encode(x, y, stimulus_draws(range(60), 5, 1, seed=0), np.logspace(-3, 3, 7))
        >>> bool(encoded.r(y)[0, 0] > 0.99)
        True
    """
    usable = usable_targets(responses)
    measured = np.asarray(responses)[:, usable]
    shape = (len(draws), *np.shape(responses))
    predictions = np.full(shape, np.nan, dtype=np.float32)
    n_folds = max(len(draw.folds) for draw in draws)
    losses = np.full((len(draws), n_folds, shape[2]), np.nan)
    penalties = np.full_like(losses, np.nan)
    n_dropped, n_done = 0, 0
    for d, draw in enumerate(draws):
        for f, fold in enumerate(draw.folds):
            fit = _fit(features, measured, draw, f, grid, seed, backend, rank)
            predictions[d, fold.test[:, None], usable] = fit.predictions
            losses[d, f, usable], penalties[d, f, usable] = fit.inner_loss, fit.penalties
            n_dropped = max(n_dropped, fit.n_dropped)
            n_done += 1
            if progress:
                progress(n_done, sum(len(each.folds) for each in draws))
    chosen = penalties[np.isfinite(penalties)]
    return Encoded(predictions, losses, penalties, at_ends(chosen, grid), n_dropped)


def usable_targets(responses: Array) -> NDArray[np.int64]:
    """Indices of the targets that vary and have a value for each sample."""
    values = np.asarray(responses)
    finite = np.isfinite(values).all(axis=0)
    varies = np.ptp(np.where(np.isfinite(values), values, 0), axis=0) > 0
    return np.flatnonzero(finite & varies)


def _fit(
    features: Array | Sequence[Array],
    measured: Array,
    draw: Draw,
    f: int,
    grid: NDArray[np.float64],
    seed: int,
    backend: str,
    rank: int | None,
) -> Fit:
    fold, inner = draw.folds[f], draw.inner[f]
    if not isinstance(features, np.ndarray):
        return fit_predict_banded(features, measured, fold, grid, inner, seed, backend)
    chosen_by = None if draw.one_out else inner
    return fit_predict(features, measured, fold, grid, chosen_by, backend, rank)
