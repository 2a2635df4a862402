"""Scores as tables for the terminal."""

from rich.box import SIMPLE
from rich.table import Table

from convscope.scores.metrics import MeanScores, Scores


def class_table(result: Scores) -> Table:
    """Precision, recall, F1 and support of each class, and their means; undefined is a dash."""
    table = Table("class", box=SIMPLE)
    for heading in ("precision", "recall", "F1", "clips"):
        table.add_column(heading, justify="right")
    for each in result.classes:
        table.add_row(
            each.name, *map(_share, (each.precision, each.recall, each.f1)), str(each.support)
        )
    table.add_section()
    for name, means in (("mean over classes", result.macro), ("mean over clips", result.weighted)):
        table.add_row(name, *_means(means), str(result.n))
    return table


def _means(means: MeanScores) -> list[str]:
    return [_share(value) for value in (means.precision, means.recall, means.f1)]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
