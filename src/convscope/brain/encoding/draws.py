"""Folds, and within each the folds that choose penalties: nothing of the test is seen there."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import KFold

from convscope.brain.encoding.encode import Draw
from convscope.brain.encoding.folds import (
    Fold,
    Indices,
    block_folds,
    run_folds,
    stimulus_folds,
)

INNER_FOLDS = 5


def stimulus_draws(
    contents: Sequence[Hashable], n_folds: int, n_draws: int, seed: int
) -> tuple[Draw, ...]:
    """Folds over stimuli, drawn several times with seeds from `seed` on.

    Plain ridge leaves out one training stimulus at a time where all contents differ; banded ridge,
    and all where a content stands there twice, go by 5 folds of the training contents.
    """
    contents = list(contents)
    all_differ = len(set(contents)) == len(contents)
    draws = []
    for i in range(n_draws):
        folds = stimulus_folds(contents, n_folds, seed + i)
        inner = tuple(_inner_of_stimuli([contents[j] for j in fold.train]) for fold in folds)
        draws.append(Draw(folds, inner, one_out=all_differ))
    return tuple(draws)


def run_draws(runs: ArrayLike, repeats: ArrayLike | None = None) -> tuple[Draw, ...]:
    """One run is left out after the other; penalties are chosen by leaving out one of the rest.

    Of two runs in all, the one to fit to is cut into blocks.
    """
    numbers = np.asarray(runs if repeats is None else repeats)
    folds = run_folds(runs, repeats)
    inner = tuple(
        tuple(_within(folds, fold.train)) or block_folds(numbers[fold.train], INNER_FOLDS, 0)
        for fold in folds
    )
    return (Draw(folds, inner, one_out=False),)


def block_draws(runs: ArrayLike, n_folds: int, gap: int) -> tuple[Draw, ...]:
    """Contiguous blocks are left out one after the other; penalties are chosen by the others."""
    folds = block_folds(runs, n_folds, gap)
    inner = tuple(tuple(_within(folds, fold.train)) for fold in folds)
    return (Draw(folds, inner, one_out=False),)


def _inner_of_stimuli(contents: Sequence[Hashable]) -> tuple[Fold, ...]:
    groups = np.array([list(dict.fromkeys(contents)).index(each) for each in contents])
    split = KFold(INNER_FOLDS, shuffle=True, random_state=0).split(np.unique(groups))
    return tuple(
        Fold(np.flatnonzero(np.isin(groups, train)), np.flatnonzero(np.isin(groups, test)))
        for train, test in split
    )


def _within(folds: Sequence[Fold], train: Indices) -> list[Fold]:
    """Folds of all samples as they look to the training samples; empty ones are left out."""
    placed = [
        Fold(
            np.flatnonzero(np.isin(train, fold.train)),
            np.flatnonzero(np.isin(train, fold.test)),
        )
        for fold in folds
    ]
    return [fold for fold in placed if len(fold.train) and len(fold.test)]
