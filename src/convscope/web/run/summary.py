"""What a run's page says before anybody asks for more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convscope.names import visible
from convscope.run import Run
from convscope.scores.network import flat

CURVES = ("epoch", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy")


@dataclass(frozen=True)
class ConfusionCell:
    """Clips of one class that were taken for one class.

    Attributes:
        n: how many.
        share: of the clips of the actual class.
        is_right: whether both classes are one.
    """

    actual: str
    predicted: str
    n: int
    share: float
    is_right: bool


@dataclass(frozen=True)
class Confusions:
    """The matrix, row by row, and its commonest mistakes.

    Attributes:
        rows: of the actual classes.
        worst: mistakes, the commonest first.
        most: the largest share of a mistake: errors are shaded up to it.
    """

    classes: tuple[str, ...]
    rows: tuple[tuple[ConfusionCell, ...], ...]
    worst: tuple[ConfusionCell, ...]
    most: float


def curves(epochs: Sequence[Mapping[str, float]]) -> dict[str, list[float | None]]:
    """A list for each curve, a value an epoch; None where it was not finite, or not kept."""
    return {key: [_finite(row.get(key)) for row in epochs] for key in CURVES}


def confusions(scores: Mapping[str, Any], n_worst: int = 8) -> Confusions | None:
    """From `scores.json`; None of a run without."""
    if not scores.get("confusion"):
        return None
    names = tuple(each["name"] for each in scores["classes"])
    rows = tuple(
        tuple(
            ConfusionCell(actual, predicted, n, n / max(1, sum(line)), i == j)
            for j, (predicted, n) in enumerate(zip(names, line, strict=True))
        )
        for i, (actual, line) in enumerate(zip(names, scores["confusion"], strict=True))
    )
    wrong = [cell for row in rows for cell in row if cell.n and not cell.is_right]
    wrong.sort(key=lambda cell: (-cell.n, -cell.share, cell.actual, cell.predicted))
    most = max((cell.share for cell in wrong), default=1.0)
    return Confusions(names, rows, tuple(wrong[:n_worst]), most)


def progress(config: Mapping[str, Any], epochs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """How far a training is: epochs done and planned, and the seconds that are left of them."""
    planned = config.get("train", {}).get("epochs")
    seconds = [row.get("seconds", 0.0) for row in epochs]
    left = None
    if isinstance(planned, int) and seconds:
        left = max(0, planned - len(epochs)) * sum(seconds) / len(seconds)
    return {"done": len(epochs), "planned": planned, "seconds_left": left}


def settings_by_section(config: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """The whole cell, section by section, keys dotted below the section."""
    return {name: list(flat(values).items()) for name, values in config.items()}


def environment_facts(run: Run) -> list[tuple[str, str]]:
    """On what the run was trained, in short."""
    found, status = run.environment, run.status
    packages = found.get("packages")
    packages = packages if isinstance(packages, dict) else {}
    facts = {
        "host": status.get("host"),
        "device": found.get("device"),
        "execution": status.get("execution"),
        "convscope": packages.get("convscope"),
        "torch": packages.get("torch"),
        "attempts": status.get("attempts"),
    }
    return [(name, visible(str(value))) for name, value in facts.items() if value is not None]


def _finite(value: float | None) -> float | None:
    return None if value is None or value - value != 0 else value
