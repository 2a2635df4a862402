r"""Ridge regression with a penalty for each target, chosen within the training samples.

    b* = argmin_b ‖y - X b - b₀‖² + λ ‖b‖²

Features are standardised by their training mean and standard deviation; those that do not vary
there are left out. Over stimuli λ is chosen by leaving out one at a time, in closed form
(scikit-learn's RidgeCV); over time by the folds that are given (himalaya; Dupré la Tour and others
2022, NeuroImage 264, section 2).
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.brain.encoding.folds import Fold
from convscope.errors import UserError

Array = NDArray[np.floating]

SMALLEST_SD = 1e-6
"""A feature of a smaller standard deviation over the training samples is a constant."""

TARGETS_AT_ONCE = 4096
"""Beyond them the targets go in blocks, so that memory does not grow with them."""


@dataclass(frozen=True)
class Fit:
    """What a fit to training samples says of test samples.

    Attributes:
        predictions: (n_test, n_targets).
        penalties: (n_targets,) those chosen.
        inner_loss: (n_targets,) mean squared error within the training samples at that penalty: by
            it one may choose between features without a look at the test.
        n_dropped: features that do not vary over the training samples.
    """

    predictions: NDArray[np.float32]
    penalties: NDArray[np.float64]
    inner_loss: NDArray[np.float64]
    n_dropped: int


def penalty_grid(penalties: tuple[float, float, int]) -> NDArray[np.float64]:
    """From the least to the greatest, evenly in the logarithm."""
    least, greatest, n = penalties
    return np.logspace(np.log10(least), np.log10(greatest), n)


def fit_predict(
    features: Array,
    responses: Array,
    fold: Fold,
    grid: NDArray[np.float64],
    inner: Sequence[Fold] | None,
    backend: str = "torch",
    rank: int | None = None,
) -> Fit:
    """Fit to the training samples of a fold and predict its test samples.

    Args:
        features: (n_samples, n_features).
        responses: (n_samples, n_targets) finite, none constant.
        fold: which to fit to, which to predict.
        grid: (n_penalties,) to choose from.
        inner: folds of the training samples, as indices into `fold.train`, that choose the
            penalty; None: one sample is left out at a time.
        backend: of himalaya: numpy, torch, torch_cuda.
        rank: principal components of the training features to which they are reduced; None: none.
    """
    train, test, n_dropped = standardised(features, fold)
    if rank is not None and rank < train.shape[1]:
        train, test = principal_components(train, test, rank)
    measured = np.asarray(responses[fold.train], dtype=np.float64)
    if train.shape[1] == 0:
        return _mean_alone(measured, len(fold.test), grid, n_dropped)
    if inner is None:
        return _leave_one_out(train, test, measured, grid, n_dropped)
    return _by_folds(train, test, measured, grid, inner, backend, n_dropped)


def standardised(features: Array, fold: Fold) -> tuple[Array, Array, int]:
    """Training and test features in training standard deviations, and how many were constant."""
    train = np.asarray(features[fold.train], dtype=np.float64)
    mean, sd = train.mean(axis=0), train.std(axis=0)
    varies = sd >= SMALLEST_SD
    scale = sd[varies]
    test = np.asarray(features[fold.test], dtype=np.float64)
    return (
        (train[:, varies] - mean[varies]) / scale,
        (test[:, varies] - mean[varies]) / scale,
        int((~varies).sum()),
    )


def principal_components(train: Array, test: Array, rank: int) -> tuple[Array, Array]:
    """Standardised features as the first principal components of the training samples."""
    axes = np.linalg.svd(train, full_matrices=False)[2][:rank]
    return train @ axes.T, test @ axes.T


def at_ends(penalties: NDArray[np.float64], grid: NDArray[np.float64]) -> float:
    """The share of penalties that sit at one of the grid's two ends.

    Where nearly all do, the grid ends too early: on 165 sounds r falls from 0.74 to 0.13 by that.
    """
    return float(np.isin(penalties, (grid[0], grid[-1])).mean()) if penalties.size else 0.0


def _mean_alone(measured: Array, n_test: int, grid: NDArray[np.float64], n_dropped: int) -> Fit:
    n_targets = measured.shape[1]
    return Fit(
        np.tile(measured.mean(axis=0), (n_test, 1)).astype(np.float32),
        np.full(n_targets, grid[-1]),
        measured.var(axis=0),
        n_dropped,
    )


def _leave_one_out(
    train: Array, test: Array, measured: Array, grid: NDArray[np.float64], n_dropped: int
) -> Fit:
    from sklearn.linear_model import RidgeCV

    predictions = np.empty((len(test), measured.shape[1]), dtype=np.float32)
    penalties, losses = [], []
    for block in _blocks(measured.shape[1]):
        model = RidgeCV(grid, alpha_per_target=True).fit(train, measured[:, block])
        predictions[:, block] = model.predict(test).reshape(len(test), -1)
        penalties.append(np.atleast_1d(model.alpha_))
        losses.append(-np.atleast_1d(model.best_score_))
    return Fit(predictions, np.concatenate(penalties), np.concatenate(losses), n_dropped)


def _by_folds(
    train: Array,
    test: Array,
    measured: Array,
    grid: NDArray[np.float64],
    inner: Sequence[Fold],
    backend: str,
    n_dropped: int,
) -> Fit:
    from himalaya.ridge import solve_ridge_cv_svd

    mean = measured.mean(axis=0)
    with using(backend) as computing:
        penalties, weights, losses = solve_ridge_cv_svd(
            computing.asarray(train.astype(np.float32)),
            computing.asarray((measured - mean).astype(np.float32)),
            alphas=computing.asarray(grid.astype(np.float32)),
            cv=[(fold.train, fold.test) for fold in inner],
            n_targets_batch=TARGETS_AT_ONCE,
            warn=False,
        )
        chosen = computing.to_numpy(penalties)
        loss = -computing.to_numpy(losses).reshape(-1)
        predictions = test.astype(np.float32) @ computing.to_numpy(weights)
    nearest = np.abs(np.log(grid[:, None] / chosen)).argmin(axis=0)
    return Fit(
        (predictions + mean).astype(np.float32), grid[nearest], loss.astype(np.float64), n_dropped
    )


@contextmanager
def using(backend: str) -> Iterator[Any]:
    """himalaya's backend within, and the one before afterwards.

    Raises:
        UserError: where the packages or the GPU that it needs are not there.
    """
    from himalaya.backend import get_backend, set_backend

    before = get_backend().name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            computing = set_backend(backend)
    except Exception as error:
        raise UserError(
            f"encoding.backend: {backend} does not work here ({error}): give numpy"
        ) from None
    try:
        yield computing
    finally:
        set_backend(before)


def _blocks(n_targets: int) -> list[slice]:
    return [
        slice(start, min(start + TARGETS_AT_ONCE, n_targets))
        for start in range(0, n_targets, TARGETS_AT_ONCE)
    ]
