"""Out-of-sample predictions of a net itself: it is trained anew for each fold held out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import Dataset
from convscope.inside.clean import Probabilities, softmax
from convscope.models.spec import ModelSpec
from convscope.training.checkpoint import load_trained
from convscope.training.config import TrainConfig
from convscope.training.engine import logits_of
from convscope.training.fit import SILENT, Watcher, fit


def refit_probabilities(
    spec: ModelSpec,
    data: Dataset,
    config: TrainConfig,
    folds: int,
    out: Path,
    watcher: Watcher = SILENT,
) -> Probabilities:
    """What nets say of the clips that they were not trained, validated or chosen on.

    Each fold's clips are excluded from a training of their own, a run in `out` whose `data.exclude`
    names them; the same call again goes on where it stopped.

    Args:
        spec: of the net.
        data: all clips.
        config: of each training.
        folds: how many trainings; each holds out 1 / folds of every class and split.
        out: where the runs go.
        watcher: is told how each training gets on.

    Returns:
        (n_clips, n_classes).
    """
    probabilities = np.zeros((len(data.ids), data.n_classes))
    for places in dealt(data, folds, config.seed):
        run = fit(spec, data.without(data.ids[places].tolist()), config, out, watcher)
        trained = load_trained(run, config.device)
        probabilities[places] = softmax(logits_of(trained.net, trained.front, data.clips, places))
    return probabilities


def dealt(data: Dataset, folds: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """The places of each fold's clips: every class of every split is dealt evenly."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(data.ids))
    kinds = data.labels[shuffled] * 3 + data.splits[shuffled]
    ordered = shuffled[np.argsort(kinds, kind="stable")]
    for fold in range(folds):
        yield np.sort(ordered[fold::folds])
