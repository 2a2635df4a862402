"""The rows of a board: one for each run folder."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from convscope.errors import UserError
from convscope.run import CONFIG, Run
from convscope.scores.intervals import Interval


@dataclass(frozen=True)
class Spread:
    """How the seeds of one network differ, and how many there are.

    Attributes:
        n_seeds: that are done.
        sd: standard deviation of their accuracies (n - 1 below the root); None for one.
        least, most: of their accuracies.
        n_chance: of them at chance.
    """

    n_seeds: int
    sd: float | None
    least: float | None
    most: float | None
    n_chance: int


@dataclass(frozen=True)
class BoardRow:
    """One run, or the mean of some that differ in the seed; None is what is not there, or not yet.

    Attributes:
        run: name of the run folder; of a mean the first run's.
        seed: None for a mean.
        params: trainable parameters.
        flops: of a forward pass of one clip; None unless `with_flops` was asked.
        accuracy, interval: on the test clips, with its 95 % interval (Wilson's; of a mean by t).
        epochs: epochs that were trained, the chosen one and those after it included.
        seconds: that they took together.
        data: its kind and number of classes.
        fingerprint: of the data: runs on other data are other tasks.
        state: running, done, failed or interrupted.
        chance: whether the network never left chance.
        divided: whether a net with batch norm was trained in pieces of a batch.
        pareto: whether no other row of the board on the same data costs less and is at least as
            accurate, or is more accurate and costs no more; never at chance.
        spread: over the seeds of a mean.
        config: the run's settings, in sections.
        folder: the run's.
    """

    run: str
    family: str | None
    conv_layers: int | None
    kernel: int | None
    base_channels: int | None
    fc_hidden: int | None
    activation: str | None
    initializer: str | None
    dropout: float | None
    batch_norm: bool | None
    seed: int | None
    params: int | None
    flops: int | None
    accuracy: float | None
    interval: Interval | None
    epochs: int
    seconds: float
    data: str
    n_classes: int | None
    fingerprint: str | None
    state: str
    chance: bool
    divided: bool
    pareto: bool = False
    spread: Spread | None = None
    config: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    folder: Path = field(default=Path(), repr=False, compare=False)

    @property
    def columns(self) -> dict[str, Any]:
        """What the row says of the run, by name; without its settings."""
        return {each: getattr(self, each) for each in COLUMNS}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; of a mean with what its seeds say."""
        values = {**self.columns, "interval": self.interval and list(self.interval)}
        if self.spread is None:
            return values
        del values["seed"]
        return {
            **values,
            "n_seeds": self.spread.n_seeds,
            "accuracy_sd": self.spread.sd,
            "accuracy_min": self.spread.least,
            "accuracy_max": self.spread.most,
            "interval_kind": "t" if self.spread.n_seeds > 1 else "wilson",
            "n_chance": self.spread.n_chance,
        }


_NO_COLUMNS = ("spread", "config", "folder")

COLUMNS = tuple(each.name for each in fields(BoardRow) if each.name not in _NO_COLUMNS)


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """The runs in folders that each are a run or hold runs, every run once, by folder and name.

    Raises:
        UserError: a folder is missing, or neither a run nor a folder that holds runs.
    """
    found = {run.folder.resolve(): run for folder in folders for run in _runs_in(Path(folder))}
    return list(found.values())


def read_row(run: Run) -> BoardRow:
    """What a run folder says, in whatever state it is."""
    config, environment, status, epochs = run.config, run.environment, run.status, run.epochs
    model: dict[str, Any] = config.get("model", {})
    n_classes = len(environment.get("classes", [])) or None
    scores = run.scores if run.is_done else {}
    return BoardRow(
        run=run.name,
        family=model.get("family"),
        conv_layers=model.get("conv_layers"),
        kernel=model.get("kernel"),
        base_channels=model.get("base_channels"),
        fc_hidden=model.get("fc_hidden"),
        activation=model.get("activation"),
        initializer=model.get("initializer"),
        dropout=model.get("dropout"),
        batch_norm=model.get("batch_norm"),
        seed=config.get("train", {}).get("seed"),
        params=scores.get("params"),
        flops=None,
        accuracy=scores.get("accuracy"),
        interval=Interval(*scores["interval"]) if "interval" in scores else None,
        epochs=len(epochs),
        seconds=sum(row.get("seconds", 0.0) for row in epochs),
        data=f"{config.get('data', {}).get('kind', '')} {n_classes or ''}".strip(),
        n_classes=n_classes,
        fingerprint=environment.get("data", {}).get("fingerprint"),
        state="done" if run.is_done else _unfinished_state(status),
        chance=bool(status.get("chance")),
        divided=bool(status.get("divided")),
        config=config,
        folder=run.folder,
    )


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


def _unfinished_state(status: dict[str, Any]) -> str:
    """What the status says; one that says done without a manifest was stopped just before it."""
    state = str(status.get("state", "interrupted"))
    return "interrupted" if state == "done" else state
