"""What a representational similarity analysis says, layer by layer and control by control."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.brain.records import Role
from convscope.brain.rsa.compare import RsaCeiling

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Similarity:
    """How alike the dissimilarities of one feature space are to the brain's.

    Attributes:
        name, role, seed: of the feature space.
        value: mean over subjects.
        interval: 95 %, over stimuli.
    """

    name: str
    role: Role
    seed: int | None
    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class RsaScores:
    """All of one analysis.

    Attributes:
        distance, scaling, comparison: how; the scaling decides which layer wins.
        similarities: of each space.
        ceiling: between subjects; None where there is one.
        n_stimuli: compared.
    """

    distance: str
    scaling: str
    comparison: str
    similarities: tuple[Similarity, ...]
    ceiling: RsaCeiling | None
    n_stimuli: int
