"""Cross-validated networks as a view of the board, with their pooled confusion matrices."""

from collections.abc import Sequence
from typing import Any

from convscope.scores.board import Cost, Order, ranked, with_front
from convscope.scores.board_table import marks
from convscope.scores.folds import FoldedRow
from convscope.scores.network import data_names, network, other_differences
from convscope.scores.plain_table import Column, PlainTable, View

MOST_CLASSES = 20
"""A confusion matrix of more is in `--json` alone: no terminal is so wide."""

_COLUMNS = (
    Column("network", folds=True),
    Column("folds", right=True),
    Column("params", right=True),
    Column("accuracy"),
    Column("min–max"),
    Column("pooled", right=True),
    Column("95 %", right=True),
    Column("s", right=True),
)

_FIELDS = (
    *("run", "network", "seed", "data", "fingerprint", "params", "n_folds", "n_folds_wanted"),
    *("accuracy", "accuracy_sd", "accuracy_min", "accuracy_max", "pooled_accuracy", "interval"),
    *("n_clips", "seconds", "pareto"),
)

_NOTE = (
    "accuracy: mean over folds ± standard deviation; pooled: of all clips, each tested once, with "
    "its Wilson interval; * no other net on the same data is as cheap and better"
)


def folds_view(
    rows: Sequence[FoldedRow], order: Order = "accuracy", cost: Cost = "params", front: bool = False
) -> View:
    """The board of cross-validated networks, and of each the pooled confusion matrix.

    Args:
        rows: as `by_fold` makes them.
        order: what comes first.
        cost: of the Pareto front that a star marks.
        front: only the front.
    """
    placed = {row.mean.folder: row for row in rows}
    means = ranked(with_front([row.mean for row in rows], cost), order)
    means = [mean for mean in means if mean.pareto or not front]
    names = data_names(means)
    others = other_differences(means)
    seeds = {mean.seed for mean in means}
    texts, records, matrices = [], [], []
    for mean, other in zip(means, others, strict=True):
        row = placed[mean.folder]
        seed = f"seed={mean.seed}" if len(seeds) > 1 else ""
        data = names[mean.fingerprint] if len(names) > 1 else ""
        name = " ".join(filter(None, (network(mean), data, other, seed)))
        texts.append(_texts(row, name, mean.pareto))
        records.append(_record(row, name, mean.pareto))
        if row.pooled and len(row.pooled.classes) <= MOST_CLASSES:
            matrices.append(_matrix(row, name))
    return View(
        (PlainTable(_COLUMNS, tuple(texts), note=_NOTE), *matrices), tuple(records), _FIELDS
    )


def _texts(row: FoldedRow, name: str, on_front: bool) -> tuple[str, ...]:
    mean, pooled = row.mean, row.pooled
    is_whole = row.n_wanted in (None, row.n_folds)
    folds = str(row.n_folds) if is_whole else f"{row.n_folds} of {row.n_wanted}"
    params = "" if mean.params is None else f"{mean.params:,}"
    if pooled is None or mean.accuracy is None:
        return (name, folds, params, mean.state, "", "", "", f"{mean.seconds:.0f}")
    sd = "" if row.sd is None else f" ± {row.sd:.4f}"
    accuracy = f"{mean.accuracy:.4f}{sd}{'*' if on_front else ''}{marks(mean)}"
    spread = f"{row.least:.3f}–{row.most:.3f}" if row.n_folds > 1 else ""
    interval = "{:.3f}–{:.3f}".format(*pooled.interval)
    seconds = f"{mean.seconds:.0f}"
    return (name, folds, params, accuracy, spread, f"{pooled.accuracy:.4f}", interval, seconds)


def _record(row: FoldedRow, name: str, on_front: bool) -> dict[str, Any]:
    mean, pooled = row.mean, row.pooled
    return {
        **{key: getattr(mean, key) for key in ("run", "seed", "data", "fingerprint", "params")},
        "network": name,
        "n_folds": row.n_folds,
        "n_folds_wanted": row.n_wanted,
        "accuracy": mean.accuracy,
        "accuracy_sd": row.sd,
        "accuracy_min": row.least,
        "accuracy_max": row.most,
        "pooled_accuracy": pooled and pooled.accuracy,
        "interval": pooled and list(pooled.interval),
        "n_clips": pooled and pooled.n,
        "seconds": mean.seconds,
        "pareto": on_front,
        "classes": pooled and [each.name for each in pooled.classes],
        "confusion": pooled and [list(counts) for counts in pooled.confusion],
    }


def _matrix(row: FoldedRow, name: str) -> PlainTable:
    assert row.pooled is not None, "the caller has seen to it"
    classes = [each.name for each in row.pooled.classes]
    return PlainTable(
        columns=(Column("actual"), *(Column(each, right=True) for each in classes)),
        rows=tuple(
            (actual, *map(str, counts))
            for actual, counts in zip(classes, row.pooled.confusion, strict=True)
        ),
        title=f"{name}: clips of all folds by actual (down) and predicted class",
    )
