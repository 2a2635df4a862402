"""What an encoding analysis says: a score for each feature space, each net and each control."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.brain.records import Role

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class SpaceScore:
    """How well one feature space predicts held-out responses.

    Attributes:
        name: of the layer or control.
        role: whose features.
        seed: of the weights; None where there is one net alone.
        n_features: that vary.
        n_constant: that did not, and were dropped.
        r, r2: (n_subjects, n_targets), means over draws of the folds.
        r_interval: (2, n_subjects, n_targets) 95 %, over samples.
        r_equal_rank: (n_subjects, n_targets) at as many principal components as all layers have;
            None where that was not computed.
        at_ends: share of the penalties at an end of the grid.
    """

    name: str
    role: Role
    seed: int | None
    n_features: int
    n_constant: int
    r: Scores
    r2: Scores
    r_interval: Scores
    r_equal_rank: Scores | None
    at_ends: float


@dataclass(frozen=True)
class NetScore:
    """How well a net predicts by the layer that was chosen within the training folds.

    Attributes:
        role: trained, untrained, untrained_calibrated or permuted.
        seed: of its weights; None of the trained ones.
        r, r2: (n_subjects, n_targets).
        best_on_test: (n_subjects, n_targets) r that a choice on the test would have claimed.
        layers: (n_layers,) names.
        share: (n_layers, n_subjects, n_targets) in how many of the folds each was chosen.
        interval: of the mean of r over subjects and targets, 95 %, over samples.
    """

    role: Role
    seed: int | None
    r: Scores
    r2: Scores
    best_on_test: Scores
    layers: tuple[str, ...]
    share: Scores
    interval: tuple[float, float]

    @property
    def layer(self) -> str:
        """The one that is chosen most often over all targets and folds."""
        return self.layers[int(self.share.mean(axis=(1, 2)).argmax())]


@dataclass(frozen=True)
class Difference:
    """A net's mean score less another's, with its 95 % interval.

    Attributes:
        over: what is compared with: `untrained`, or the name of a control.
        mean: over subjects and targets.
        interval: over samples, or over subjects where there are several.
        by_target: (n_targets,) mean over subjects.
        by_target_interval: (2, n_targets).
    """

    over: str
    mean: float
    interval: tuple[float, float]
    by_target: Scores
    by_target_interval: Scores


@dataclass(frozen=True)
class UniqueVariance:
    """What a net's layer explains beyond a control, and the control beyond the layer.

    Attributes:
        layer: of the net.
        control: its name, such as `spectral_all` or `spectral_all + categories`.
        r2_net, r2_control, r2_both: (n_targets,) means over subjects.
        unique_net, unique_control, shared: (n_targets,).
        unique_net_interval, unique_control_interval: (2, n_targets).
    """

    layer: str
    control: str
    r2_net: Scores
    r2_control: Scores
    r2_both: Scores
    unique_net: Scores
    unique_control: Scores
    shared: Scores
    unique_net_interval: Scores
    unique_control_interval: Scores


@dataclass(frozen=True)
class Ceiling:
    """The highest r that noise allows; None where there is none, and why.

    Attributes:
        lower, upper: (n_targets,); the same where repeats give one value.
        how: in words: what it was computed from.
    """

    lower: Scores | None
    upper: Scores | None
    how: str


@dataclass(frozen=True)
class EncodingScores:
    """All of an encoding analysis of one net on one study.

    Attributes:
        study: its name.
        net: of the run; empty where controls stand alone.
        subjects, targets: names.
        n_samples: stimuli or volumes.
        unit: `stimuli` or `volumes`.
        spaces: a score each.
        nets: the trained net, and the controls of its architecture.
        control: name of the control that the net is held against.
        differences: of the trained net over the control and over the untrained ones.
        unique: variance partitions.
        ceiling: of the targets.
        p, q, p_max: (n_targets,) of the trained net, mean over subjects: by permutation, by false
            discovery rate, by the greatest of all targets; None where not asked.
        warnings: what misleads, in words.
    """

    study: str
    net: str
    subjects: tuple[str, ...]
    targets: tuple[str, ...]
    n_samples: int
    unit: str
    spaces: tuple[SpaceScore, ...]
    nets: tuple[NetScore, ...]
    control: str
    differences: tuple[Difference, ...]
    unique: tuple[UniqueVariance, ...]
    ceiling: Ceiling
    p: Scores | None
    q: Scores | None
    p_max: Scores | None
    warnings: tuple[str, ...]

    @property
    def trained(self) -> NetScore | None:
        """The net in question."""
        return next((each for each in self.nets if each.role == "trained"), None)

    def space(self, name: str) -> SpaceScore:
        """The control of that name."""
        return next(
            each
            for each in self.spaces
            if each.name == name and each.role in ("acoustic", "pixels", "categories", "given")
        )

    def mean_of(self, role: str) -> Scores:
        """(n_subjects, n_targets) r of the nets of a role, mean over their seeds."""
        mean: Scores = np.mean([each.r for each in self.nets if each.role == role], axis=0)
        return mean
