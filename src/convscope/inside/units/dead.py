"""Units that say nothing about a clip: dead, pinned to a bound, or the double of another."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from torch import nn

from convscope.inside.subject.stages import Clips
from convscope.inside.tracing.layers import Layer
from convscope.inside.units.activity import BOUNDED, Activity, activity


@dataclass(frozen=True)
class Limits:
    """From where on a unit counts as pinned, or as the double of another.

    Attributes:
        bound: |a| > bound is close to a bound of tanh; of the sigmoid |2 a − 1| > bound.
        pinned: the share of all positions above which a unit counts as pinned.
        alike: the correlation of the responses above which two units count as duplicates.
    """

    bound: float = 0.99
    pinned: float = 0.99
    alike: float = 0.99


@dataclass(frozen=True)
class DeadUnits:
    """Which units of a layer are of no use for a data set.

    Attributes:
        layer: its name, such as conv3.
        activation: that follows it; None where nothing does.
        dead: (n_units,) whether no positive value ever enters the activation; where that has two
            bounds, or there is none: whether the response never changes. One that answers nan, as
            a filter with a weight of nan does, is not dead but broken.
        pinned: (n_units,) whether it is close to a bound of its activation nearly everywhere.
        duplicate: (n_units,) whether it is the double of a unit before it.
        groups: the units that are doubles of each other, two at least in each group. Units are in
            one group also where a third is alike to both.
        positive_share: (n_units,) of the positions with a positive value.
        pinned_share: (n_units,) of the positions close to a bound; nan where there is none.
        correlation: (n_units, n_units) of the responses; nan of units that never change.
    """

    layer: str
    activation: str | None
    dead: NDArray[np.bool_]
    pinned: NDArray[np.bool_]
    duplicate: NDArray[np.bool_]
    groups: tuple[tuple[int, ...], ...]
    positive_share: NDArray[np.float64]
    pinned_share: NDArray[np.float64]
    correlation: NDArray[np.float64]

    @property
    def n_units(self) -> int:
        return len(self.dead)


def dead_units(
    model: nn.Module,
    clips: Clips,
    stages: Mapping[str, Layer] | None = None,
    limits: Limits | None = None,
) -> dict[str, DeadUnits]:
    """The units of each layer that say nothing about these clips, in one pass over them.

        dead_units(net, clips)["conv3"].dead.mean()  # the share of dead units

    Args:
        model: any module; it is left as it was found.
        clips: (n_clips, …) as the net takes them, or batches of such.
        stages: which layers, from `stages_of`; None: all.
        limits: from where on a unit counts as pinned or as a duplicate.

    Raises:
        UserError: where there are no clips, or the forward pass fails.
    """
    limits = limits or Limits()
    found = activity(model, clips, stages, limits.bound)
    return {name: judged(each, limits) for name, each in found.items()}


def judged(seen: Activity, limits: Limits) -> DeadUnits:
    """Which units are of no use, from what they answered."""
    never_changes = seen.lowest == seen.highest
    silent = (seen.positive_share == 0) & ~np.isnan(seen.lowest)
    is_rectified = seen.activation is not None and seen.activation not in BOUNDED
    groups = duplicate_groups(seen.correlation, limits.alike)
    duplicate = np.zeros(seen.n_units, np.bool_)
    duplicate[[unit for group in groups for unit in group[1:]]] = True
    return DeadUnits(
        layer=seen.layer,
        activation=seen.activation,
        dead=silent if is_rectified else never_changes,
        pinned=seen.pinned_share > limits.pinned,
        duplicate=duplicate,
        groups=groups,
        positive_share=seen.positive_share,
        pinned_share=seen.pinned_share,
        correlation=seen.correlation,
    )


def duplicate_groups(
    correlation: NDArray[np.float64], alike: float = 0.99
) -> tuple[tuple[int, ...], ...]:
    """The units that hang together by correlations above `alike`, in groups of two and more."""
    _, group_of = connected_components(correlation > alike, directed=False)
    members = (np.flatnonzero(group_of == group) for group in np.unique(group_of))
    return tuple(tuple(map(int, group)) for group in members if len(group) > 1)
