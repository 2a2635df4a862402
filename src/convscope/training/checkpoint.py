"""What a training needs to go on, and what a finished one is read back as."""

import io
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from convscope.data.decoding.spectrogram import FrontEnd, front_end
from convscope.errors import UserError
from convscope.models.cnn import build
from convscope.models.weights import load_weights, require_fit
from convscope.run import MODEL, STATE, Run
from convscope.training.cell import Cell, cell_of
from convscope.training.engine import Engine, pick_device
from convscope.training.trust import trusted

Weights = dict[str, Tensor]


class DamagedState(UserError):
    """A kept state that cannot be read."""


@dataclass
class Progress:
    """How far a training is: its epochs, and the weights of the least validation loss."""

    rows: list[dict[str, float]] = field(default_factory=list)
    best: Weights = field(default_factory=dict)
    best_epoch: int = 0

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.rows)

    def add(self, row: dict[str, float], net: nn.Module) -> None:
        """Count an epoch; keep its weights where its validation loss is the least so far."""
        self.rows.append(row)
        if row["validation_loss"] < self._least_loss():
            self.best_epoch = self.epoch
            weights = net.state_dict().items()
            self.best = {key: value.cpu().contiguous().clone() for key, value in weights}

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or `patience` of them brought no gain."""
        waited = self.epoch - self.best_epoch
        return self.epoch >= epochs or (0 < patience <= waited and self.epoch > 0)

    def _least_loss(self) -> float:
        return (
            self.rows[self.best_epoch - 1]["validation_loss"] if self.best_epoch else float("inf")
        )


def save_progress(run: Run, engine: Engine, progress: Progress) -> None:
    """Keep the state after an epoch, then the table of epochs that people read."""
    state = {
        "net": engine.net.state_dict(),
        "optimizer": engine.optimizer.state_dict(),
        "rows": progress.rows,
        "best": progress.best,
        "best_epoch": progress.best_epoch,
    }
    if engine.average is not None:
        state["average"] = engine.average.state_dict()
    # In memory first: torch's own writer hides a full disk behind an error of its own.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    run.write(STATE, buffer.getvalue())
    run.write_epochs(progress.rows)


def load_progress(run: Run, engine: Engine) -> Progress:
    """The kept state put into the engine; a new start where there is none.

    Raises:
        DamagedState: for a state that cannot be read.
    """
    path = run.path(STATE)
    if not path.is_file():
        return Progress()
    try:
        state: dict[str, Any] = torch.load(path, map_location=engine.device, weights_only=True)
        engine.net.load_state_dict(state["net"])
        engine.optimizer.load_state_dict(state["optimizer"])
        if engine.average is not None:
            engine.average.load_state_dict(state["average"])
        best = {key: value.cpu() for key, value in state["best"].items()}
        if best:
            require_fit(engine.net, best, str(path))
        return Progress(state["rows"], best, state["best_epoch"])
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a damaged file makes torch raise
        raise DamagedState(
            f"{path} cannot be read ({type(error).__name__}): delete it and give the same command "
            "again to train this run from its start"
        ) from error


@dataclass(frozen=True)
class Trained:
    """A finished run's net, ready to answer: in evaluation mode, with its front end and classes."""

    cell: Cell
    classes: tuple[str, ...]
    net: nn.Module
    front: FrontEnd


def load_trained(run: Run, device: str = "cpu", trust_code: bool = False) -> Trained:
    """The net of a finished run.

    Args:
        run: whose.
        device: where the net is to lie.
        trust_code: whether a network of a user's own is built even where somebody else trained it:
            that runs the code that lies in the run.

    Raises:
        UserError: where the run is not done, its files are not those it was finished with, or its
            network is code that nobody has allowed to run.
    """
    if not run.is_done:
        state = run.status.get("state", "unfinished")
        raise UserError(f"{run.folder} is not done ({state}): train it to its end first")
    run.verify()
    cell, classes = cell_of(run), run.classes
    net = build(trusted(run, cell.model, trust_code), cell.data.shape, len(classes))
    load_weights(net, run.path(MODEL))
    place = pick_device(device)
    return Trained(cell, classes, net.to(place).eval(), front_end(cell.data).to(place))
