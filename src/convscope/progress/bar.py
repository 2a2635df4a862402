"""A bar of progress on standard error; in a notebook below its cell."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TimeRemainingColumn,
)

from convscope.terminal import PlainConsole, WhatIsDone


class Bar(Progress):
    """A bar of one task, behind what is being done.

    It appears when it is first told of progress, and not before.
    """

    def __init__(self, what: str, *columns: ProgressColumn, total: float | None = None) -> None:
        super().__init__(WhatIsDone(), *columns, console=PlainConsole(stderr=True))
        self._only = self.add_task(what, total=total)

    def tell(self, **changes: Any) -> None:
        """Update the task: completed, total, description."""
        self.update(self._only, **changes)
        self.start()

    def __enter__(self) -> "Bar":
        return self

    def stop(self) -> None:
        if self.live.is_started:
            super().stop()


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float, float], None]]:
    """A bar on standard error; it yields the function to tell (done, total), which shows it."""
    with naming_bar() as tell:
        yield lambda done, total: tell(what, done, total)


@contextmanager
def naming_bar() -> Iterator[Callable[[str, float, float], None]]:
    """A progress bar that is also told what is being done: (what, done, total)."""
    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Bar("", *columns) as bar:
        yield lambda what, done, total: bar.tell(description=what, completed=done, total=total)
