"""Out-of-sample predictions of a net itself: it is trained anew for each fold held out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import Dataset
from convscope.inside.cleaning.clean import Probabilities, softmax
from convscope.inside.results.progress import Tell, silent, step_of
from convscope.models.spec import ModelSpec
from convscope.training.checkpoint import load_trained
from convscope.training.config import TrainConfig
from convscope.training.engine import logits_of
from convscope.training.fit import Watcher, fit


def refit_probabilities(
    spec: ModelSpec,
    data: Dataset,
    config: TrainConfig,
    folds: int,
    out: Path,
    tell: Tell = silent,
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
        tell: is told how far all trainings are.

    Returns:
        (n_clips, n_classes).
    """
    probabilities = np.zeros((len(data.ids), data.n_classes))
    for i, places in enumerate(dealt(data, folds, config.seed)):
        watcher = _Told(step_of(tell, i, folds), config.epochs)
        run = fit(spec, data.without(data.ids[places].tolist()), config, out, watcher)
        trained = load_trained(run, config.device, trust_code=True)  # it has just been trained
        probabilities[places] = softmax(logits_of(trained.net, trained.front, data.clips, places))
    return probabilities


class _Told(Watcher):
    """Tells how far a training is, of as many epochs as it may have."""

    def __init__(self, tell: Tell, n_epochs: int) -> None:
        self._tell, self._n_epochs = tell, n_epochs

    def step(self, epoch: int, done: int, total: int) -> None:
        self._tell(epoch - 1 + done / total, self._n_epochs)


def dealt(data: Dataset, folds: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """The places of each fold's clips: every class of every split is dealt evenly."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(data.ids))
    kinds = data.labels[shuffled] * 3 + data.splits[shuffled]
    ordered = shuffled[np.argsort(kinds, kind="stable")]
    for fold in range(folds):
        yield np.sort(ordered[fold::folds])
