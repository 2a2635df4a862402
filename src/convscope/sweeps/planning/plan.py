"""What is done of a sweep, what is left, and what it will take. Reading changes nothing."""

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from convscope.errors import UserError
from convscope.folder_lock import is_locked
from convscope.models.spec import ConvNetSpec
from convscope.run import EPOCHS, STATE, Run
from convscope.settings import Settings
from convscope.sweeps.planning.estimate import Estimates, estimates
from convscope.sweeps.planning.size import Size, network_key, size_of
from convscope.training.cell import Cell

CellState: TypeAlias = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class PlannedCell:
    """A cell with what is known of it before it is trained, and how far it is.

    Attributes:
        cell: the training.
        params: trainable parameters; None, as `flops`, where only the data folder knows the
            classes.
        flops: of a forward pass of one clip.
        memory_bytes: the most that the training holds; None while nothing was measured.
        seconds: of the whole training; None while nothing was measured.
        state: waiting, running, done or failed; a half-trained cell that no process holds waits.
        reason: why it failed, or why its last attempt ended.
        epochs: kept so far, of a cell that is not done; 0 for a done one, which is not opened.
    """

    cell: Cell
    params: int | None
    flops: int | None
    memory_bytes: int | None
    seconds: float | None
    state: CellState
    reason: str | None
    epochs: int

    @property
    def size_key(self) -> Hashable:
        """The same for cells whose training takes the same memory."""
        return network_key(self.cell)

    @property
    def seconds_left(self) -> float | None:
        """Of `seconds`, what the epochs not kept yet will take; 0 for a cell that ended."""
        if self.state in ("done", "failed"):
            return 0.0
        return self.seconds and self.seconds * (1 - self.epochs / self.cell.train.epochs)


def plan(
    cells: Iterable[Cell], out: Path, attempts: int, runs_code: bool = True
) -> tuple[PlannedCell, ...]:
    """What there is to do for some cells. A done one costs one look at its folder.

    Args:
        cells: of distinct names.
        out: holds the run folders; it may not be there.
        attempts: failures in a row after which a cell is kept as failed.
        runs_code: whether users' own networks are built to know their sizes, which runs their
            files: not where nobody has named them.

    Raises:
        UserError: where `out` cannot be read, or for a network that cannot be built.
    """
    named = {cell.name: cell for cell in cells}
    try:
        estimate = estimates(named, out, runs_code)
        return tuple(
            _planned(cell, size_of(cell, runs_code), Run(out / name), attempts, estimate)
            for name, cell in named.items()
        )
    except OSError as error:
        raise UserError(
            f"{error.filename or out} cannot be read ({error.strerror}): expected the folder of "
            "the runs, give another with --out"
        ) from None


def order(planned: Iterable[PlannedCell]) -> list[PlannedCell]:
    """As a sweep trains: what is half-trained, then the most FLOPs first, unknown ones last."""
    return sorted(planned, key=lambda each: (each.epochs == 0, -_cost(each)))


def _cost(planned: PlannedCell) -> float:
    """FLOPs of all epochs, for one clip."""
    return -math.inf if planned.flops is None else planned.flops * planned.cell.train.epochs


def _planned(
    cell: Cell, size: Size | None, run: Run, attempts: int, estimate: Estimates
) -> PlannedCell:
    state, reason, epochs = _progress(run, attempts)
    return PlannedCell(
        cell=cell,
        params=size.params if size else None,
        flops=size.flops if size else None,
        memory_bytes=estimate.memory_bytes(cell),
        seconds=estimate.seconds(cell),
        state=state,
        reason=reason,
        epochs=epochs,
    )


def _progress(run: Run, attempts: int) -> tuple[CellState, str | None, int]:
    if run.is_done:
        return "done", None, 0
    if not run.folder.is_dir():
        return "waiting", None, 0
    status, epochs = run.status, _epochs_kept(run)
    # To look is to hold it for a moment: only where a process may well have it.
    if status.get("state") == "running" and is_locked(run.folder):
        return "running", None, epochs
    if failures(status, epochs) >= attempts:
        return "failed", status.get("reason"), epochs
    return "waiting", status.get("reason"), epochs


def failures(status: dict[str, Any], epochs: int) -> int:
    """Attempts in a row that ended badly and finished no epoch, by a run's status.

    Args:
        status: of the run.
        epochs: that it has kept by now; those that were kept since the last failure make it void.
    """
    return int(status.get("failures", 0)) if status.get("failed_after", epochs) == epochs else 0


def _epochs_kept(run: Run) -> int:
    """Epochs that a training goes on from: without its state, none."""
    if not run.path(STATE).is_file() or not run.path(EPOCHS).is_file():
        return 0
    return max(run.path(EPOCHS).read_bytes().count(b"\n") - 1, 0)  # the first line is the head


_SPEC_KEYS = tuple(ConvNetSpec.model_fields)


def as_json(planned: PlannedCell) -> dict[str, Any]:
    """A cell as plain data: the keys of its network, its sizes, how far it is, all its settings.

    A user's own net has null for the keys of `ConvNetSpec`, but for its family.
    """
    cell = planned.cell
    own = {key: _number(getattr(cell.model, key, None)) for key in _SPEC_KEYS}
    return {
        **own,
        "params": planned.params,
        "run": cell.name,
        "seed": cell.train.seed,
        "flops": planned.flops,
        "memory_bytes": planned.memory_bytes,
        "seconds": planned.seconds,
        "state": planned.state,
        "epochs": None if planned.state == "done" else planned.epochs,
        "reason": planned.reason,
        "data": {"kind": getattr(cell.data, "kind", None), **_stated(cell.data)},
        "train": _stated(cell.train),
    }


def _number(value: Any) -> Any:
    """0.0 as 0, which is how people write it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _stated(settings: Settings) -> dict[str, Any]:
    """The settings that decide a result and are not the defaults."""
    return settings.model_dump(
        mode="json", exclude_defaults=True, exclude=set(settings.not_in_name)
    )
