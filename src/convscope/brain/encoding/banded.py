r"""Banded ridge: each band of features (a layer, a control) has a penalty of its own.

    b* = argmin_b ‖y - Σᵢ √γᵢ Xᵢ bᵢ‖² + λ Σᵢ ‖bᵢ‖²,    Σᵢ γᵢ = 1

Where two bands explain the same, that of the better band counts, and a large band does not drown a
small one (Nunez-Elizalde, Huth and Gallant 2019, NeuroImage 197; solved by himalaya, Dupré la Tour
and others 2022). What each band explains alone comes from leaving it out:

    unique(net) = R²(both) - R²(control),    shared = R²(net) + R²(control) - R²(both)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.brain.encoding.folds import Fold
from convscope.brain.encoding.ridge import TARGETS_AT_ONCE, Array, Fit, standardised, using

N_DRAWN = 40
"""Sets of weights that are drawn for three bands and more."""


def fit_predict_banded(
    bands: Sequence[Array],
    responses: Array,
    fold: Fold,
    grid: NDArray[np.float64],
    inner: Sequence[Fold],
    seed: int = 0,
    backend: str = "torch",
) -> Fit:
    """Fit bands of features together to the training samples of a fold and predict its test.

    Args:
        bands: of (n_samples, n_features) each; one alone is plain ridge, chosen in the same way.
        responses: (n_samples, n_targets) finite.
        fold: which to fit to, which to predict.
        grid: (n_penalties,) of λ.
        inner: folds of the training samples, as indices into `fold.train`, to choose γ and λ by.
        seed: of the weights that are drawn for three bands and more; of two there is a grid.
        backend: of himalaya.
    """
    pairs = [standardised(band, fold) for band in bands]
    measured = np.asarray(responses[fold.train], dtype=np.float64)
    mean = measured.mean(axis=0)
    gammas = band_weights(len(bands), seed)
    kernels = [train.astype(np.float32) @ train.T.astype(np.float32) for train, _, _ in pairs]
    crossed = [test.astype(np.float32) @ train.T.astype(np.float32) for train, test, _ in pairs]
    from himalaya.kernel_ridge import (
        predict_weighted_kernel_ridge,
        solve_multiple_kernel_ridge_random_search,
    )

    with using(backend) as computing:
        deltas, dual, losses = solve_multiple_kernel_ridge_random_search(
            computing.asarray(np.stack(kernels)),
            computing.asarray((measured - mean).astype(np.float32)),
            n_iter=gammas.astype(np.float32),
            alphas=computing.asarray(grid.astype(np.float32)),
            cv=[(each.train, each.test) for each in inner],
            progress_bar=False,
            return_weights="dual",
            n_targets_batch=TARGETS_AT_ONCE,
        )
        predicted = predict_weighted_kernel_ridge(
            computing.asarray(np.stack(crossed)), dual, deltas
        )
        predictions = computing.to_numpy(predicted)
        loss = -computing.to_numpy(losses).max(axis=0)
        # delta is log(γ / λ): what the best band of each target is penalised by
        penalties = np.exp(-computing.to_numpy(deltas).max(axis=0))
    return Fit(
        (predictions + mean).astype(np.float32),
        penalties.astype(np.float64),
        loss.astype(np.float64),
        sum(n_dropped for _, _, n_dropped in pairs),
    )


def band_weights(n_bands: int, seed: int) -> NDArray[np.float64]:
    """(n_sets, n_bands) sets of γ: of two bands an even grid in their log ratio, of more drawn."""
    if n_bands == 1:
        return np.ones((1, 1))
    if n_bands == 2:
        share = 1 / (1 + np.exp(-np.linspace(-6, 6, 13)))
        return np.stack([share, 1 - share], axis=1)
    drawn = np.random.default_rng(seed).dirichlet(np.full(n_bands, 0.5), N_DRAWN)
    return np.concatenate([np.full((1, n_bands), 1 / n_bands), drawn])
