"""How well runs predict the brain, beside accuracy and size: the rows and the front of all three.

The scores come from the summaries that `convscope brain encode` leaves in a run's folder.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from convscope.errors import UserError
from convscope.run import Run, within
from convscope.run_text import keys_and_values, text_of
from convscope.scores.network import identity, settings
from convscope.scores.rows import BoardRow

FOLDER = "brain"
SUMMARY = "summary.json"


@dataclass(frozen=True)
class BrainScore:
    """What one study says of one net; all scores are r on held-out samples, means over targets.

    Attributes:
        study: its name.
        hash: of the study; scores of another hash are of another study.
        score: of the layer chosen within the training folds.
        layer: the one chosen most often.
        untrained: of the same architecture untrained, mean over its seeds.
        control: name of what the net is held against, which needs no net.
        control_score: its score.
        ceiling: the highest r that the noise of the responses allows; None where none exists.
        interval: of `score`, 95 %, over the samples.
    """

    study: str
    hash: str
    score: float
    layer: str
    untrained: float
    control: str
    control_score: float
    ceiling: float | None
    interval: tuple[float, float]

    @property
    def gain(self) -> float:
        """Trained minus untrained."""
        return self.score - self.untrained


@dataclass(frozen=True)
class BrainRow:
    """A run, or the mean of runs that differ in the seed, with its brain score.

    Attributes:
        row: what the board says of it; of several seeds the first, with the mean accuracy.
        brain: of several seeds the means.
        n_seeds: that it stands for.
        interval: of the brain score, 95 %: over seeds by Student's t, of one seed over samples.
        pareto: whether no other row is smaller, more accurate and closer to the brain at once.
    """

    row: BoardRow
    brain: BrainScore
    n_seeds: int = 1
    interval: tuple[float, float] | None = None
    pareto: bool = False


def read_brain_scores(run: Run) -> tuple[BrainScore, ...]:
    """All that a run keeps of studies, by their names."""
    folder = run.folder / FOLDER
    names = sorted(path.parent.name for path in folder.glob(f"*/{SUMMARY}"))
    return tuple(_read(within(run.folder, f"{FOLDER}/{name}/{SUMMARY}")) for name in names)


def brain_rows(rows: Sequence[BoardRow], study: str | None) -> list[BrainRow]:
    """The rows that a study has scores of, the highest score first, with the front marked.

    Args:
        rows: of the board, finished or not; without a score they are left out.
        study: its name; None: the only one that there is.

    Raises:
        UserError: where there are no scores, or those of several studies, or of studies that
            share a name and differ.
    """
    scored = [(row, each) for row in rows for each in read_brain_scores(Run(row.folder))]
    names = sorted({each.study for _, each in scored})
    if not names:
        raise UserError(
            "no run has been held against a brain: convscope brain encode STUDY RUN does that"
        )
    if study is None and len(names) > 1:
        raise UserError(f"the runs have scores of {', '.join(names)}: say which, --brain STUDY")
    wanted = study or names[0]
    if wanted not in names:
        raise UserError(f"no run has scores of {wanted}, only of {', '.join(names)}")
    kept = [
        BrainRow(row, each, interval=each.interval) for row, each in scored if each.study == wanted
    ]
    _check_same_study(kept)
    return with_brain_front(sorted(kept, key=lambda each: (-each.brain.score, each.row.run)))


def over_seeds(rows: Sequence[BrainRow]) -> list[BrainRow]:
    """One row for all that differ only in the seed, on the same data."""
    groups: dict[str, list[BrainRow]] = {}
    for each in rows:
        groups.setdefault(identity(settings(each.row)), []).append(each)
    means = [_mean(group) for group in groups.values()]
    return with_brain_front(sorted(means, key=lambda each: (-each.brain.score, each.row.run)))


def with_brain_front(rows: Sequence[BrainRow]) -> list[BrainRow]:
    """The rows with those marked that no other beats in size, accuracy and brain score at once."""
    values = [
        (-_number(each.row.params), _number(each.row.accuracy), each.brain.score) for each in rows
    ]
    front = undominated(np.array(values).reshape(-1, 3))
    return [replace(each, pareto=is_on) for each, is_on in zip(rows, front.tolist(), strict=True)]


def undominated(values: ArrayLike) -> NDArray[np.bool_]:
    """Which points no other dominates: at least as good in all values, better in one.

    Args:
        values: (n, n_values), the larger the better; a nan keeps a point off the front.
    """
    points = np.asarray(values, dtype=np.float64)
    at_least = (points[:, None] >= points[None]).all(axis=2)
    better = (points[:, None] > points[None]).any(axis=2)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
    beaten = (at_least & better & known[:, None]).any(axis=0)
    return known & ~np.asarray(beaten)


def _read(path: Path) -> BrainScore:
    try:
        values: Mapping[str, Any] = keys_and_values(json.loads(text_of(path)))
        known = {name: values[name] for name in (each.name for each in fields(BrainScore))}
        low, high = known["interval"]
        return BrainScore(**{**known, "interval": (float(low), float(high))})
    except (ValueError, KeyError, TypeError, OSError):
        raise UserError(
            f"{path} is damaged: expected what convscope brain encode wrote there; delete its "
            "folder and run that again"
        ) from None


def _check_same_study(rows: Sequence[BrainRow]) -> None:
    by_hash = {each.brain.hash: each.row.run for each in rows}
    if len(by_hash) > 1:
        runs = list(by_hash.values())
        raise UserError(
            f"{rows[0].brain.study}: {runs[0]} and {runs[1]} were held against different versions "
            "of that study: run convscope brain encode again on those that are behind"
        )


def _mean(group: Sequence[BrainRow]) -> BrainRow:
    if len(group) == 1:
        return group[0]
    brains = [each.brain for each in group]
    accuracies = [each.row.accuracy for each in group if each.row.accuracy is not None]
    scores = [each.score for each in brains]
    half = float(stdtrit(len(group) - 1, 0.975)) * stdev(scores) / len(group) ** 0.5
    layers = [each.layer for each in brains]
    return BrainRow(
        row=replace(group[0].row, seed=None, accuracy=fmean(accuracies) if accuracies else None),
        brain=replace(
            brains[0],
            score=fmean(scores),
            untrained=fmean(each.untrained for each in brains),
            layer=max(sorted(set(layers)), key=layers.count),
        ),
        n_seeds=len(group),
        interval=(fmean(scores) - half, fmean(scores) + half),
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
