"""The board of brain scores as a view: accuracy, parameters and how well the brain is predicted."""

from collections.abc import Sequence
from typing import Any

from convscope.scores.brain import BrainRow
from convscope.scores.network import network
from convscope.scores.plain_table import Column, PlainTable, View

FIELDS = (
    "run",
    "family",
    "params",
    "accuracy",
    "n_seeds",
    "study",
    "brain_score",
    "interval",
    "layer",
    "untrained",
    "trained_minus_untrained",
    "control",
    "control_score",
    "ceiling",
    "pareto",
)

_COLUMNS = (
    Column("run"),
    Column("network", folds=True),
    Column("params", right=True),
    Column("accuracy", right=True),
    Column("brain r", right=True),
    Column("95 %", right=True),
    Column("layer"),
    Column("untrained", right=True),
    Column("control"),
    Column("its r", right=True),
    Column("ceiling", right=True),
)

_NOTE = (
    "{study}: r on held-out samples, mean over targets, of the layer chosen within training folds; "
    "untrained: the same architecture; control: what needs no net; "
    "* no other row is smaller, more accurate and closer to the brain"
)


def brain_view(rows: Sequence[BrainRow]) -> View:
    """The board of brain scores, in the order of its rows, which are at least one."""
    table = PlainTable(
        columns=_COLUMNS,
        rows=tuple(map(_texts, rows)),
        note=_NOTE.format(study=rows[0].brain.study),
    )
    return View((table,), tuple(map(_record, rows)), FIELDS)


def _texts(each: BrainRow) -> tuple[str, ...]:
    row, brain = each.row, each.brain
    seeds = f" ({each.n_seeds} seeds)" if each.n_seeds > 1 else ""
    return (
        row.run,
        network(row) + seeds,
        "" if row.params is None else f"{row.params:,}",
        row.state if row.accuracy is None else f"{row.accuracy:.4f}",
        f"{brain.score:.3f}" + ("*" if each.pareto else ""),
        "" if each.interval is None else "{:.3f}–{:.3f}".format(*each.interval),
        brain.layer,
        f"{brain.untrained:.3f}",
        brain.control,
        f"{brain.control_score:.3f}",
        "none" if brain.ceiling is None else f"{brain.ceiling:.3f}",
    )


def _record(each: BrainRow) -> dict[str, Any]:
    row, brain = each.row, each.brain
    return {
        "run": row.run,
        "family": row.family,
        "params": row.params,
        "accuracy": row.accuracy,
        "n_seeds": each.n_seeds,
        "study": brain.study,
        "brain_score": brain.score,
        "interval": each.interval and list(each.interval),
        "layer": brain.layer,
        "untrained": brain.untrained,
        "trained_minus_untrained": brain.gain,
        "control": brain.control,
        "control_score": brain.control_score,
        "ceiling": brain.ceiling,
        "pareto": each.pareto,
    }
