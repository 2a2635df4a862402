"""A sweep's progress on standard error: live in a terminal, else a line for each thing."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from convscope.names import visible
from convscope.sweeps.driving.cells import Standing, SweepCell
from convscope.sweeps.driving.driver import View
from convscope.terminal import PlainConsole

REFRESHES_PER_SECOND = 4


@contextmanager
def sweep_view() -> Iterator[View]:
    """The view that suits standard error."""
    console = PlainConsole(stderr=True)
    if not console.is_terminal:
        yield LineView()
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield LiveView(live)


class LineView(View):
    """Lines alone, for a file or a job's log."""

    def line(self, text: str) -> None:
        print(visible(text), file=sys.stderr, flush=True)


class LiveView(View):
    """What runs, how far it is, and how the sweep stands; lines go above it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._shown = 0.0

    def line(self, text: str) -> None:
        self._live.console.print(text, highlight=False)

    def show(self, standing: Standing) -> None:
        now = time.monotonic()
        if now - self._shown >= 1 / REFRESHES_PER_SECOND:
            self._shown = now
            self._live.update(picture(standing), refresh=True)


def picture(standing: Standing) -> Group:
    """A row for each running cell, and one for the sweep."""
    table = Table.grid(padding=(0, 1))
    for cell in standing.cells:
        if cell.state == "running":
            table.add_row(*_row(cell))
    return Group(table, standing.line())


def _row(cell: SweepCell) -> tuple[str, ProgressBar, str]:
    done = cell.epoch + cell.step
    where = f"epoch {min(cell.epoch + 1, cell.epochs)} of at most {cell.epochs}"
    bar = ProgressBar(total=cell.epochs, completed=done, width=24)
    return cell.name, bar, f"{where}  {cell.reason or ''}"
