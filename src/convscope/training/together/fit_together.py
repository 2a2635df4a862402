"""Several trainings of one architecture at once, in one process; each keeps its own run folder."""

import json
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import torch

from convscope.data.dataset import Dataset
from convscope.models.spec import ConvNetSpec
from convscope.run import Run
from convscope.training.accumulation.memory import if_it_fits, is_out_of_memory, reset_peak
from convscope.training.attempt import attempt
from convscope.training.cell import Cell
from convscope.training.engine import Engine, pick_device
from convscope.training.fast.resident import Feed
from convscope.training.fit import SILENT, Training, Watcher
from convscope.training.together.epoch import JointEpoch, Row

FREE = {
    "model": {"dropout", "initializer"},
    "train": {
        "seed",
        "epochs",
        "patience",
        "learning_rate",
        "weight_decay",
        "schedule",
        "warmup_epochs",
        "label_smoothing",
        "augment",
    },
}
"""In what cells that are trained together may differ; of dropout, not in whether there is any."""

Outcome: TypeAlias = Run | Exception
"""A finished run, or what `fit` would have raised."""

_Steps: TypeAlias = Generator[Training, tuple[Row, float], Run]


def likeness(cell: Cell) -> str | None:
    """The same for cells that can be trained together; None for one that can only be alone.

    Alone are nets of a user's own, of which nobody knows how they draw random numbers, cells whose
    batches are divided, and those that average their weights.
    """
    is_plain = isinstance(cell.model, ConvNetSpec) and cell.train.device != "mps"
    if not is_plain or cell.train.micro_batch or cell.train.average:
        return None
    fixed = {
        section: {key: values[key] for key in values.keys() - FREE.get(section, set())}
        for section, values in cell.config.items()
    }
    return json.dumps({**fixed, "drops": getattr(cell.model, "dropout", 0) > 0}, sort_keys=True)


def fit_together(
    cells: Sequence[Cell],
    data: Dataset,
    out: Path | str = "runs",
    watchers: Sequence[Watcher] | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Train cells of one `likeness`, or go on with them, each as `fit` does.

    One that is done, or fails, leaves the others, who go on. Where memory does not hold all of
    them at once, they take turns in smaller groups, at last one by one.

    Yields:
        The place of a cell in `cells` as soon as it is over, with what came of it.

    Args:
        cells: on the same data.
        data: theirs.
        out: the folder that holds the run folders.
        watchers: one for each cell.
    """
    watchers = watchers or [SILENT] * len(cells)
    reset_peak(pick_device(cells[0].train.device))
    feed = Feed(data.clips, pick_device(cells[0].train.device))
    company = _Company(data, Path(out), feed, len(cells))
    turns: list[_Turn] = []
    with _threads_of(cells[0]), _all_told(turns):
        for cell, watcher in zip(cells, watchers, strict=True):
            turns.append(_Turn(len(turns), company.steps(cell, watcher)))
        yield from _rounds(turns)


class _Turn:
    """One training's steps, from one epoch to the next.

    Attributes:
        place: of its cell among the others.
        training: that waits for an epoch to be trained; None where it is over.
        outcome: what came of it.
    """

    def __init__(self, place: int, steps: _Steps) -> None:
        self.place = place
        self.steps = steps
        self.training: Training | None = None
        self.outcome: Outcome | None = None
        self._go_on(lambda: next(steps))

    def take(self, epoch: Row | Exception, seconds: float) -> None:
        """Keep an epoch, or end by the error that it ended with."""
        if isinstance(epoch, Exception):
            self._go_on(lambda: self.steps.throw(epoch))
        else:
            self._go_on(lambda: self.steps.send((epoch, seconds)))

    def _go_on(self, step: Callable[[], Training]) -> None:
        self.training = None
        try:
            self.training = step()
        except StopIteration as end:
            self.outcome = end.value
        except Exception as error:
            self.outcome = error


class _Company:
    """What trainings in one process have in common."""

    def __init__(self, data: Dataset, out: Path, feed: Feed, n_cells: int) -> None:
        self._data, self._out, self._feed, self._n_cells = data, out, feed, n_cells

    def steps(self, cell: Cell, watcher: Watcher) -> _Steps:
        """As `fit`, but for who trains the epochs: it yields where one is to be trained."""
        run = Run(self._out / cell.name)
        with attempt(run, cell, self._data):
            if not run.is_done:
                engine = Engine(cell.model, self._data, cell.train, self._feed)
                training = Training(run, engine, watcher, self._n_cells)
                while not training.is_over:
                    training.keep(*(yield training))
                training.conclude()
        return run


def _rounds(turns: Sequence[_Turn]) -> Iterator[tuple[int, Outcome]]:
    """Epoch after epoch of each training, as many at once as memory holds."""
    at_most = len(turns)
    yield from _ended(turns)
    while going := [turn for turn in turns if turn.training]:
        for start in range(0, len(going), at_most):
            group = going[start : start + at_most]
            if not _train(group):
                at_most = max(1, len(group) // 2)
                break
            yield from _ended(group)


def _ended(turns: Sequence[_Turn]) -> Iterator[tuple[int, Outcome]]:
    return ((turn.place, turn.outcome) for turn in turns if turn.outcome is not None)


def _train(turns: Sequence[_Turn]) -> bool:
    """An epoch of each; whether memory held it. What it took is shared out evenly."""
    trainings = [turn.training for turn in turns if turn.training]
    started = time.monotonic()
    rows = if_it_fits(lambda: _epoch(trainings))
    if rows is None:
        return False
    seconds = (time.monotonic() - started) / len(turns)
    for turn, row in zip(turns, rows, strict=True):
        turn.take(row, seconds)
    return True


def _epoch(trainings: Sequence[Training]) -> Sequence[Row | Exception]:
    try:
        if len(trainings) > 1:
            return _epoch_together(trainings)
        [training] = trainings
        return [training.engine.train_epoch(training.epoch, training.watcher.step)]
    except Exception as error:
        if is_out_of_memory(error) and len(trainings) > 1:
            raise
        return [error] * len(trainings)


def _epoch_together(trainings: Sequence[Training]) -> Sequence[Row | Exception]:
    engines, epochs = [each.engine for each in trainings], [each.epoch for each in trainings]

    def tell(done: int, total: int) -> None:
        for each in trainings:
            each.watcher.step(each.epoch, done, total)

    return JointEpoch(engines, epochs).train(tell)


@contextmanager
def _all_told(turns: Sequence[_Turn]) -> Iterator[None]:
    """What ends all of them, Ctrl-C for one, each keeps as its own end."""
    try:
        yield
    except BaseException as error:
        for turn in turns:
            with suppress(BaseException):
                turn.steps.throw(error)
        raise


@contextmanager
def _threads_of(cell: Cell) -> Iterator[None]:
    """The threads that a training puts back as it ends are those of the others."""
    before = torch.get_num_threads()
    torch.set_num_threads(cell.train.threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
