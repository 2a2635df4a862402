"""What several nets on one study bear, in sentences: is any better than the control, are smaller
ones closer to the brain, what does training add."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.scores.brain import BrainRow

Scores = NDArray[np.float64]


def sweep_sentences(rows: Sequence[BrainRow], means: Sequence[BrainRow]) -> tuple[str, ...]:
    """All of them, the answer first.

    Args:
        rows: of the nets, the highest brain score first; at least one.
        means: the same over seeds.
    """
    params = np.array([each.row.params or np.nan for each in rows], dtype=np.float64)
    scores = np.array([each.brain.score for each in rows])
    gains = np.array([each.brain.gain for each in rows])
    front = ", ".join(each.row.run for each in means if each.pareto)
    return (
        best_against_control(rows),
        smaller_is_closer(params, scores),
        f"Trained less untrained: {gains.mean():+.2f} on average, {gains.min():+.2f} to "
        f"{gains.max():+.2f}.",
        f"No other net is smaller, more accurate and closer to the brain at once than: {front}.",
    )


def best_against_control(rows: Sequence[BrainRow]) -> str:
    """Whether any net is better than what needs no net."""
    best = rows[0]
    beside = f"{best.brain.control}, which needs no net (r {best.brain.control_score:.2f})"
    own = f"the best is {best.row.run} (r {best.brain.score:.2f})"
    better = [row for row in rows if row.interval and row.interval[0] > row.brain.control_score]
    worse = [row for row in rows if row.interval and row.interval[1] < row.brain.control_score]
    study = best.brain.study
    if better:
        return f"{len(better)} of {_nets(len(rows))} predict {study} better than {beside}; {own}."
    if len(worse) == len(rows):
        return f"No net of {len(rows)} predicts {study} as well as {beside}; {own}."
    return f"No net of {len(rows)} is shown to predict {study} better than {beside}; {own}."


def smaller_is_closer(params: Scores, scores: Scores, n_draws: int = 2000) -> str:
    """Whether smaller nets predict the brain better: the rank correlation of size and score.

    Args:
        params: (n_nets,) parameters.
        scores: (n_nets,) brain scores.
        n_draws: of nets, for the interval.
    """
    from scipy.stats import spearmanr

    n = len(params)
    if n < 3 or len(set(np.asarray(params).tolist())) < 2:
        return f"{_nets(n)} cannot say whether smaller ones predict the brain better."
    rho = float(spearmanr(params, scores).statistic)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(n_draws):
        picks = rng.integers(0, n, n)
        if len(set(params[picks].tolist())) > 1 and len(set(scores[picks].tolist())) > 1:
            drawn.append(float(spearmanr(params[picks], scores[picks]).statistic))
    low, high = np.quantile(drawn, [0.025, 0.975])
    figures = f"Spearman's ρ of parameters and brain score {rho:.2f}, 95 % {low:.2f} to {high:.2f}"
    if high < 0:
        verdict = "smaller nets predict the brain better"
    elif low > 0:
        verdict = "larger nets predict the brain better: a smaller net does not hold more of it"
    else:
        verdict = "it is not shown that size decides how well a net predicts the brain"
    return f"Among {_nets(n)}, {verdict} ({figures})."


def _nets(n: int) -> str:
    return f"{n} net" + "s" * (n != 1)
