"""A training's progress, on standard error."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, TimeElapsedColumn, TimeRemainingColumn

from convscope.progress.bar import Bar
from convscope.training.fit import Watcher


class TrainingBar(Watcher):
    """One bar over all epochs, and a line for each epoch that is done."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        columns = BarColumn(), TimeElapsedColumn()
        self._bar = Bar("training", *columns, TimeRemainingColumn(), total=epochs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def start(self, execution: str) -> None:
        self._bar.console.print(f"trains on {execution}", highlight=False)

    def step(self, epoch: int, done: int, total: int) -> None:
        self._bar.tell(
            completed=epoch - 1 + done / total,
            description=f"epoch {epoch} of at most {self._epochs}, step {done} of {total}",
        )

    def epoch(self, row: dict[str, float]) -> None:
        self._bar.console.print(
            f"epoch {row['epoch']:>3.0f}  loss {row['train_loss']:.4f}  "
            f"validation loss {row['validation_loss']:.4f}  "
            f"accuracy {row['validation_accuracy']:.4f}  {row['seconds']:.1f} s",
            highlight=False,
        )
