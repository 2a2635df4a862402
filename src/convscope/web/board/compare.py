"""Two runs beside each other: what differs in them, and on which clips they disagree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.run import Run
from convscope.scores.network import flat
from convscope.scores.predictions import read_predictions


@dataclass(frozen=True)
class Difference:
    """A setting, and its value in either run."""

    key: str
    values: tuple[Any, Any]


@dataclass(frozen=True)
class ClassRecall:
    """A class, and which share of its clips either run finds."""

    name: str
    recalls: tuple[float | None, float | None]

    @property
    def gain(self) -> float | None:
        """Of the second over the first."""
        first, second = self.recalls
        return None if first is None or second is None else second - first


@dataclass(frozen=True)
class Agreement:
    """How two runs stand on the same clips: both right, one alone, none.

    `p` is McNemar's, exact: how likely so uneven a split of the clips that one alone gets right
    is, were both equally good.
    """

    both: int
    first_alone: int
    second_alone: int
    neither: int
    p: float


def differences(first: Run, second: Run) -> list[Difference]:
    """The settings in which two runs differ, as the recipe orders them."""
    both = flat(first.config), flat(second.config)
    keys = dict.fromkeys([*both[0], *both[1]])
    pairs = [Difference(key, (both[0].get(key), both[1].get(key))) for key in keys]
    return [each for each in pairs if each.values[0] != each.values[1]]


def recalls(first: dict[str, Any], second: dict[str, Any]) -> list[ClassRecall]:
    """The classes of both runs by what the second gains, the most first; of `scores`."""
    of_second = {each["name"]: each["recall"] for each in second.get("classes", [])}
    both = [
        ClassRecall(each["name"], (each["recall"], of_second[each["name"]]))
        for each in first.get("classes", [])
        if each["name"] in of_second
    ]
    return sorted(both, key=lambda each: -(each.gain or 0.0))


def agreement(first: Run, second: Run) -> Agreement | None:
    """How the runs stand on the clips that both were scored on; None where those are none."""
    right = [right_by_id(each) for each in (first, second)]
    shared = sorted(right[0].keys() & right[1].keys())
    if not shared:
        return None
    return agreement_of(*(np.array([each[id] for id in shared]) for each in right))


def agreement_of(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Agreement:
    """From which clips (n_clips,) either got right."""
    from scipy.stats import binomtest

    alone = int((first & ~second).sum()), int((second & ~first).sum())
    p = binomtest(alone[0], sum(alone)).pvalue if sum(alone) else 1.0
    return Agreement(int((first & second).sum()), *alone, int((~first & ~second).sum()), float(p))


def right_by_id(run: Run) -> dict[str, bool]:
    """Whether each scored test clip was labelled rightly."""
    found = read_predictions(run, len(run.classes))
    right = found["logits"].argmax(axis=1) == found["labels"]
    scored = found["scored"]
    return dict(zip(found["ids"][scored].tolist(), right[scored].tolist(), strict=True))


def both_done(runs: Sequence[Run]) -> bool:
    """Whether there are scores to compare."""
    return all(run.is_done for run in runs)
