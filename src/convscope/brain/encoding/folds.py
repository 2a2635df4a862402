"""What is left out together: stimuli with all that is the same stimulus, runs, blocks of time."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import KFold

from convscope.errors import UserError

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Samples to fit to, and samples to be tested on; what lies in a gap is in neither."""

    train: Indices
    test: Indices


def stimulus_folds(contents: Sequence[Hashable], n_folds: int, seed: int) -> tuple[Fold, ...]:
    """Folds over stimuli, drawn by a seed; all that have the same content stay together.

    Without that, random features of sounds that stand on both sides reach r 0.47 on responses that
    they cannot predict (165 natural sounds, each twice; together: -0.07).

    Args:
        contents: (n_stimuli,) what each holds, such as a hash.
        n_folds: at most as many as there are different contents.
        seed: of the draw; where all contents differ, as scikit-learn's KFold(shuffle=True).

    Raises:
        UserError: for fewer contents than folds, or as many: r of single samples has no meaning.

    Examples:
        >>> from convscope.brain.encoding.folds import stimulus_folds
        >>> [fold.test.tolist() for fold in stimulus_folds(["a", "b", "a", "c", "d"], 2, seed=0)]
        [[0, 2, 3], [1, 4]]
    """
    places = {content: i for i, content in enumerate(dict.fromkeys(contents))}
    group_of = np.array([places[content] for content in contents])
    groups = np.arange(len(places))
    if n_folds >= len(groups):
        raise UserError(
            f"encoding.n_folds: expected fewer folds than stimuli of different content, got "
            f"{n_folds} folds for {len(groups)}: where one stimulus is left out at a time, even "
            "the mean of the others correlates with the responses, at r -1"
        )
    split = KFold(n_folds, shuffle=True, random_state=seed).split(groups)
    return tuple(
        Fold(
            np.flatnonzero(np.isin(group_of, groups[train])),
            np.flatnonzero(np.isin(group_of, groups[test])),
        )
        for train, test in split
    )


def run_folds(runs: ArrayLike, repeats: ArrayLike | None = None) -> tuple[Fold, ...]:
    """One run is left out after the other, with the runs whose stimuli it shares.

    Args:
        runs: (n_samples,) the number of each sample's run.
        repeats: (n_samples,) a number that runs of the same stimuli share; None: all differ.

    Raises:
        UserError: for one run alone.
    """
    numbers = np.asarray(runs if repeats is None else repeats)
    different = np.unique(numbers)
    if len(different) < 2:
        raise UserError(
            "encoding.folds: run needs at least two runs of different stimuli, got one: give "
            "encoding.folds: block, which leaves stretches of it out"
        )
    return tuple(
        Fold(np.flatnonzero(numbers != each), np.flatnonzero(numbers == each)) for each in different
    )


def block_folds(runs: ArrayLike, n_folds: int, gap: int) -> tuple[Fold, ...]:
    """Contiguous stretches are left out, one after the other; a gap at each side is in neither.

    Folds of shuffled volumes have no place here: neighbouring volumes are nearly the same, so that
    smooth noise reaches r 0.57 on held-out volumes of a story, in contiguous folds 0.003.

    Args:
        runs: (n_samples,) the number of each sample's run: gaps end at its borders.
        n_folds: stretches of as nearly equal length as can be, over all samples in their order.
        gap: samples.

    Raises:
        UserError: where nothing would be left to fit to.
    """
    numbers = np.asarray(runs)
    samples = np.arange(len(numbers))
    folds = []
    for test in np.array_split(samples, n_folds):
        near = np.zeros(len(samples), dtype=bool)
        for run in np.unique(numbers[test]) if len(test) else ():
            inside = test[numbers[test] == run]
            reach = (samples >= inside[0] - gap) & (samples <= inside[-1] + gap)
            near |= reach & (numbers == run)
        folds.append(Fold(samples[~near], test))
    if any(len(fold.train) < 2 or len(fold.test) < 3 for fold in folds):
        raise UserError(
            f"encoding: {n_folds} blocks of {len(samples)} volumes with a gap of {gap} at each "
            "side leave too little to fit to or to test on: take fewer folds or a smaller gap"
        )
    return tuple(folds)
