r"""Variance partition: what a net explains alone, what a control explains alone, what both share.

    unique(net)     = R²(both) - R²(control)
    unique(control) = R²(both) - R²(net)
    shared          = R²(net) + R²(control) - R²(both)

All from held-out predictions, so that a unique part may come out below 0: adding features that say
nothing new costs a little.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.brain.encoding.encode import Encoded
from convscope.brain.encoding.ridge import Array
from convscope.brain.inference.bootstrap import drawn_explained_variance, interval

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Partition:
    """Shares of the variance of each target: (n_targets,), with their intervals (2, n_targets).

    Attributes:
        net, control, both: R² of each.
        unique_net, unique_control, shared: its parts.
    """

    net: Scores
    control: Scores
    both: Scores
    unique_net_interval: Scores
    unique_control_interval: Scores

    @property
    def unique_net(self) -> Scores:
        return self.both - self.control

    @property
    def unique_control(self) -> Scores:
        return self.both - self.net

    @property
    def shared(self) -> Scores:
        return self.net + self.control - self.both


def partition(
    net: Encoded, control: Encoded, both: Encoded, responses: Array, counts: Scores
) -> Partition:
    """The parts of the variance, means over draws of the folds.

    Args:
        net, control, both: what each predicted of the same samples.
        responses: (n_samples, n_targets).
        counts: (n_bootstrap, n_samples) how often each sample is drawn; none: no intervals.
    """
    r2 = [each.r2(responses).mean(axis=0) for each in (net, control, both)]
    drawn = [_drawn(each, responses, counts) for each in (net, control, both)]
    return Partition(
        r2[0], r2[1], r2[2], interval(drawn[2] - drawn[1]), interval(drawn[2] - drawn[0])
    )


def _drawn(each: Encoded, responses: Array, counts: Scores) -> Scores:
    """(n_bootstrap, n_targets) R² in each draw of samples, mean over draws of the folds."""
    of_draws = [drawn_explained_variance(counts, p, responses) for p in each.predictions]
    mean: Scores = np.mean(of_draws, axis=0)
    return mean
