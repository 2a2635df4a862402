"""What simple classifiers make of a layer's features, and a map of them in two dimensions.

Source of the linear probe: G. Alain and Y. Bengio, Understanding intermediate layers using linear
classifier probes, arXiv:1610.01644 (2016); of the map: L. van der Maaten and G. Hinton, Visualizing
data using t-SNE, J. Mach. Learn. Res. 9, 2579 (2008).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError
from convscope.scores.intervals import Interval, wilson
from convscope.types import Labels

N_NEIGHBOURS = 10
PERPLEXITY = 30.0
MAP_COMPONENTS = 50
"""Principal components that t-SNE is given."""


def _linear(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, random_state=seed)


def _neighbours(_seed: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(N_NEIGHBOURS)


def _svm(seed: int) -> Any:
    from sklearn.svm import SVC

    return SVC(random_state=seed)


CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "linear": _linear,
    "knn": _neighbours,
    "svm": _svm,
}
"""Logistic regression (the linear probe), the 10 nearest neighbours, and a support vector machine
with radial basis functions; each of scikit-learn, with its defaults, on standardised features."""


@dataclass(frozen=True)
class Probe:
    """How well one classifier does on one layer's features.

    Attributes:
        classifier: its name among `CLASSIFIERS`.
        accuracy: on the clips to test.
        interval: its 95 % Wilson interval.
        chance: the share of the commonest class among the clips to test.
        n_train: clips that it was trained on.
        n_test: clips that it was tested on.
    """

    classifier: str
    accuracy: float
    interval: Interval
    chance: float
    n_train: int
    n_test: int


def classifier(name: str, seed: int = 0) -> Any:
    """A classifier of scikit-learn behind a scaling of each feature to mean 0 and variance 1."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), CLASSIFIERS[name](seed))


def probe(
    values: NDArray[np.float32],
    labels: Labels,
    is_test: NDArray[np.bool_],
    name: str = "linear",
    seed: int = 0,
) -> Probe:
    """Train a classifier on some clips' features and score it on the others'.

    Args:
        values: (n_clips, n_features).
        labels: (n_clips,) classes.
        is_test: (n_clips,) which clips test; the others train.
        name: of a classifier among `CLASSIFIERS`.
        seed: of what it draws.

    Raises:
        UserError: fewer than two classes to train on, fewer clips than neighbours, or none to test.
    """
    _require(labels, is_test)
    trained = classifier(name, seed).fit(values[~is_test], labels[~is_test])
    right = trained.predict(values[is_test]) == labels[is_test]
    shares = np.bincount(labels[is_test]) / len(right)
    return Probe(
        classifier=name,
        accuracy=float(right.mean()),
        interval=wilson(int(right.sum()), len(right)),
        chance=float(shares.max()),
        n_train=int((~is_test).sum()),
        n_test=len(right),
    )


def _require(labels: Labels, is_test: NDArray[np.bool_]) -> None:
    n_train, n_classes = int((~is_test).sum()), len(np.unique(labels[~is_test]))
    if n_train < N_NEIGHBOURS or n_classes < 2 or not is_test.any():
        raise UserError(
            f"expected at least {N_NEIGHBOURS} clips of two classes to train a classifier on, and "
            f"some to test, got {n_train} of {n_classes} classes and {is_test.sum()} to test: give "
            "more clips"
        )


def embedded(values: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """A map (n_clips, 2) of features (n_clips, n_features): neighbours there are neighbours here.

    Standardised, then 50 principal components, then t-SNE. Distances between groups, and how wide a
    group is, mean little.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    n_components = min(MAP_COMPONENTS, *values.shape)
    scaled = StandardScaler().fit_transform(values)
    components = PCA(n_components, random_state=seed).fit_transform(scaled)
    perplexity = min(PERPLEXITY, max(1.0, (len(values) - 1) / 3))
    tsne = TSNE(perplexity=perplexity, init="random", random_state=seed)
    found: NDArray[np.float32] = tsne.fit_transform(components).astype(np.float32)
    return found
