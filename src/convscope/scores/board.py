"""The board: run folders in, rows by accuracy out, and a table to print them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from convscope.errors import UserError
from convscope.run import CONFIG, Run
from convscope.scores.intervals import Interval


@dataclass(frozen=True)
class BoardRow:
    """One run on the board; None is what the run does not have, or not yet.

    Attributes:
        run: name of the run folder.
        params: trainable parameters.
        accuracy, interval: on the test clips, with its 95 % interval.
        epochs: epochs that were trained, the chosen one and those after it included.
        seconds: that they took together.
        data: its kind and number of classes.
        fingerprint: of the data: runs on other data are other tasks.
        state: running, done, failed or interrupted.
        chance: whether the network never left chance.
        pareto: whether no other run of the board on the same data is smaller and at least as
            accurate, or more accurate and no larger; never of a run at chance.
    """

    run: str
    family: str | None
    conv_layers: int | None
    kernel: int | None
    base_channels: int | None
    dropout: float | None
    batch_norm: bool | None
    params: int | None
    accuracy: float | None
    interval: Interval | None
    epochs: int
    seconds: float
    data: str
    fingerprint: str | None
    state: str
    chance: bool
    pareto: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {**asdict(self), "interval": self.interval and list(self.interval)}


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """The runs in folders that each are a run or hold runs, every run once, by folder and name.

    Raises:
        UserError: a folder is missing, or neither a run nor a folder that holds runs.
    """
    found = {run.folder.resolve(): run for folder in folders for run in _runs_in(Path(folder))}
    return list(found.values())


def board_rows(runs: Iterable[Run]) -> list[BoardRow]:
    """The rows of a board: the most accurate first, of equals the smaller; then the unfinished."""
    rows = sorted(map(_row, runs), key=_rank)
    front = np.zeros(len(rows), dtype=np.bool_)
    for fingerprint in {row.fingerprint for row in rows}:  # other data is another task
        same = np.array([row.fingerprint == fingerprint and not row.chance for row in rows])
        params = np.array([row.params for row in rows], dtype=np.float64)[same]  # None: nan
        accuracy = np.array([row.accuracy for row in rows], dtype=np.float64)[same]
        front[same] = pareto_front(params, accuracy)
    return [replace(row, pareto=is_on) for row, is_on in zip(rows, front.tolist(), strict=True)]


def pareto_front(costs: ArrayLike, values: ArrayLike) -> NDArray[np.bool_]:
    """Which points no other point dominates.

    Point j dominates point i where cost_j <= cost_i and value_j >= value_i, and one of the two
    differs. Of points that agree in both, all or none are on the front. A nan keeps a point off it.

    Args:
        costs: (n,) the smaller the better.
        values: (n,) the larger the better.
    """
    costs, values = np.asarray(costs, dtype=np.float64), np.asarray(values, dtype=np.float64)
    on_front = np.zeros(len(costs), dtype=np.bool_)
    cost, best = np.nan, -np.inf
    for i in np.lexsort((-values, costs)):
        if values[i] > best:
            cost, best = costs[i], values[i]
        on_front[i] = costs[i] == cost and values[i] == best
    return on_front


def board_table(rows: Sequence[BoardRow]) -> Table:
    """The board as a table for the terminal, readable from 80 columns on.

    A star marks the Pareto front; a run that is not done shows its state in place of an accuracy.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    several = len({row.fingerprint for row in rows}) > 1
    caption = "* no other run on the same data is smaller and better"
    table.caption, table.caption_justify = caption, "left"
    table.add_column("run", no_wrap=True, overflow="ignore")
    table.add_column("network", overflow="fold", min_width=11)
    if several:
        table.add_column("data", overflow="fold")
    table.add_column("params", justify="right", no_wrap=True)
    table.add_column("accuracy", no_wrap=True)
    for heading in ("95 %", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        run, network, *others = _cells(row)
        table.add_row(run, network, *([row.data] if several else []), *others)
    return table


def _runs_in(folder: Path) -> list[Run]:
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: expected a run, or a folder of runs")
    configs = (
        [folder / CONFIG] if (folder / CONFIG).is_file() else sorted(folder.glob(f"*/{CONFIG}"))
    )
    if not configs:
        raise UserError(
            f"{folder} holds no run: expected a run, or a folder of runs, as convscope train makes "
            f"them (each has a {CONFIG}); give another folder"
        )
    return [Run(config.parent) for config in configs]


def _row(run: Run) -> BoardRow:
    model: dict[str, Any] = run.config.get("model", {})
    environment = run.environment
    n_classes = len(environment.get("classes", []))
    scores = run.scores if run.is_done else {}
    status, epochs = run.status, run.epochs
    return BoardRow(
        run=run.name,
        family=model.get("family"),
        conv_layers=model.get("conv_layers"),
        kernel=model.get("kernel"),
        base_channels=model.get("base_channels"),
        dropout=model.get("dropout"),
        batch_norm=model.get("batch_norm"),
        params=scores.get("params"),
        accuracy=scores.get("accuracy"),
        interval=Interval(*scores["interval"]) if "interval" in scores else None,
        epochs=len(epochs),
        seconds=sum(row.get("seconds", 0.0) for row in epochs),
        data=f"{run.config.get('data', {}).get('kind', '')} {n_classes or ''}".strip(),
        fingerprint=environment.get("data", {}).get("fingerprint"),
        state="done" if run.is_done else _unfinished_state(status),
        chance=bool(status.get("chance", False)),
    )


def _unfinished_state(status: dict[str, Any]) -> str:
    """What the status says; one that says done without a manifest was stopped just before it."""
    state = str(status.get("state", "interrupted"))
    return "interrupted" if state == "done" else state


def _rank(row: BoardRow) -> tuple[float, float, str]:
    accuracy = -1.0 if row.accuracy is None else row.accuracy
    return (-accuracy, row.params or 0, row.run)


def _cells(row: BoardRow) -> list[str]:
    return [
        escape(row.run),
        escape(_network(row)),
        "" if row.params is None else f"{row.params:,}",
        row.state if row.accuracy is None else f"{row.accuracy:.4f}{_marks(row)}",
        "" if row.interval is None else "{:.3f}–{:.3f}".format(*row.interval),
        f"{row.seconds:.0f}",
    ]


def _marks(row: BoardRow) -> str:
    return ("*" if row.pareto else "") + (" chance" if row.chance else "")


def _network(row: BoardRow) -> str:
    """Family, convolutions × filter length, first channels, dropout, batch norm."""
    parts = {
        f"{row.family}": row.family,
        f"{row.conv_layers}×{row.kernel}": row.conv_layers and row.kernel,
        f"ch{row.base_channels}": row.base_channels,
        f"do{row.dropout}": row.dropout,
        "BN": row.batch_norm,
    }
    return " ".join(text for text, is_there in parts.items() if is_there)
