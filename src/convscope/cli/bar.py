"""A bar of progress on standard error."""

from typing import Any

from rich.progress import Progress, ProgressColumn

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
