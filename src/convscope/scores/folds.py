"""Rows that differ in the fold alone, as one: mean, spread, and all answers pooled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

import numpy as np

from convscope.errors import UserError
from convscope.run import Run
from convscope.scores.metrics import Scores, scores
from convscope.scores.network import SEED, identity, settings
from convscope.scores.rows import BoardRow

FOLD = "data.fold"


@dataclass(frozen=True)
class FoldedRow:
    """One network, cross-validated.

    Attributes:
        mean: as a row of the board: the mean accuracy over folds, the 95 % interval of the pooled
            one (Wilson's), mean epochs and seconds.
        n_folds: that are done.
        n_wanted: that there are by `data.folds.n`; None of published ones.
        sd: standard deviation of the folds' accuracies (n - 1 below the root); None for one.
        least, most: of their accuracies.
        pooled: scores of the clips of all folds together, each tested once; None of none.
    """

    mean: BoardRow
    n_folds: int
    n_wanted: int | None
    sd: float | None
    least: float | None
    most: float | None
    pooled: Scores | None


def by_fold(rows: Iterable[BoardRow]) -> list[FoldedRow]:
    """One row for all that differ only in `data.fold`, on the same data, in the order they come.

    Other seeds are other rows: their nets answer for the same clips. A fold that stands there twice
    counts once. Runs without folds are left out.

    Raises:
        UserError: no run has folds, or one is damaged.
    """
    groups: dict[str, list[BoardRow]] = {}
    for row in rows:
        own = {**settings(row), SEED: row.seed}
        if own.pop(FOLD, None) is not None:
            groups.setdefault(identity(own), []).append(row)
    if not groups:
        raise UserError(
            "--by-fold: no run has a fold: expected runs with data.folds, such as convscope sweep "
            "RECIPE 'data.folds={n: 5}' data.fold=all makes"
        )
    return [_folded(group) for group in groups.values()]


def pooled_scores(runs: Sequence[Run]) -> Scores:
    """Scores on the test clips of several runs together: their confusion matrices are added.

    Raises:
        UserError: one has no scores, or they are of other classes.
    """
    kept = [run.scores for run in runs]
    classes = [[each["name"] for each in its["classes"]] for its in kept]
    if any(names != classes[0] for names in classes):
        raise UserError(f"{runs[0].folder} and others of its folds have other classes")
    return scores(np.sum([its["confusion"] for its in kept], axis=0), classes[0])


def _folded(group: Sequence[BoardRow]) -> FoldedRow:
    done = list({_data(row)["fold"]: row for row in group if row.accuracy is not None}.values())
    accuracies = [row.accuracy for row in done if row.accuracy is not None]
    first = _without_fold((done or list(group))[0])
    n_wanted = (_data(first).get("folds") or {}).get("n")
    if not done:
        return FoldedRow(first, 0, n_wanted, None, None, None, None)
    pooled = pooled_scores([Run(row.folder) for row in done])
    mean = replace(
        first,
        accuracy=fmean(accuracies),
        interval=pooled.interval,
        epochs=round(fmean(row.epochs for row in done)),
        seconds=fmean(row.seconds for row in done),
        chance=all(row.chance for row in done),
        divided=any(row.divided for row in done),
    )
    sd = stdev(accuracies) if len(done) > 1 else None
    return FoldedRow(mean, len(done), n_wanted, sd, min(accuracies), max(accuracies), pooled)


def _data(row: BoardRow) -> Mapping[str, Any]:
    data: Mapping[str, Any] = row.config["data"]
    return data


def _without_fold(row: BoardRow) -> BoardRow:
    data = {key: value for key, value in _data(row).items() if key != "fold"}
    return replace(row, config={**row.config, "data": data})
