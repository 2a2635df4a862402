"""How the benchmarks measure, and how they tell: one table, and JSON."""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE
from rich.table import Table

from convscope.cli.show import print_table
from convscope.errors import RunFailed

Row = dict[str, Any]

REHEARSAL = "CONVSCOPE_REHEARSAL"
"""Set in the environment of benchmarks that are only to be seen running."""


@dataclass(frozen=True)
class Meter:
    """How long to measure, on what, and by which clock.

    Attributes:
        seconds: of measuring, after the warm-up; at least two goes are made.
        threads: of the CPU; None for torch's choice.
        cpu_time: count this process's CPU seconds and not the clock on the wall, for a machine
            that others use as well; only with one thread are they those of a machine of one's own.
    """

    seconds: float = 2.0
    threads: int | None = None
    cpu_time: bool = False

    def clips_per_second(self, run: Callable[[], int]) -> float:
        """The best go of `run`, which says how many clips it has trained on; the first is left out.

        Caches, compilers and graphs are filled or made in the first; what disturbs a go makes it
        slower, never faster.
        """
        run()
        best, spent, goes = 0.0, 0.0, 0
        while spent < self.seconds or goes < 2:
            start = self.now()
            n_clips = run()
            took = self.now() - start
            best, spent, goes = max(best, n_clips / took), spent + took, goes + 1
        return best

    def now(self) -> float:
        """Seconds, once the GPU has done all that it was given."""
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        return time.process_time() if self.cpu_time else time.perf_counter()

    def begin(self) -> None:
        """To be called first in a process that measures."""
        if self.threads:
            torch.set_num_threads(self.threads)


def alone(function: Callable[..., Any], *given: Any, most_seconds: float | None = None) -> Any:
    """What a function of a module gives in a process of its own.

    Caches, allocators, compilers and peaks of memory of one measurement are not another's. In a
    rehearsal, which measures nothing, it is called here: most of the time would go into processes.

    Raises:
        TimeoutError: it took longer than `most_seconds`, and was ended.
    """
    if os.environ.get(REHEARSAL):
        return function(*given)
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    future = pool.submit(function, *given)
    workers = list(pool._processes.values())  # there is no public way to end one
    try:
        return future.result(timeout=most_seconds)
    finally:
        for worker in workers:
            worker.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def if_it_runs(function: Callable[..., Any], *given: Any, most_seconds: float = 600) -> Any:
    """As `alone`; None, and a line that says why, where it cannot or takes too long."""
    try:
        return alone(function, *given, most_seconds=most_seconds)
    except (BrokenProcessPool, RunFailed, RuntimeError, TimeoutError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        print(f"{function.__name__}: left out: {reason:.150}")
        return None


def tell(title: str, rows: Sequence[Row], json_file: Path | None = None, **more: Any) -> None:
    """Print the rows as a table, and write them as JSON with what they were measured on."""
    where = machine()
    print(f"{title}; {where['device']}, {where['threads']} threads, torch {where['torch']}")
    names = list(dict.fromkeys(k for row in rows for k, value in row.items() if value is not None))
    table = Table(*(name.replace("_", " ") for name in names), box=SIMPLE)
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in names))
    print_table(table)
    keep(title, rows, json_file, **more)


def keep(title: str, rows: Sequence[Row], json_file: Path | None, **more: Any) -> None:
    """Write the rows that there are so far, where a file is asked for."""
    if json_file:
        whole = {"title": title, "machine": machine(), "rows": list(rows), **more}
        json_file.write_text(json.dumps(whole, indent=1) + "\n")


def machine() -> Row:
    """What is measured on."""
    on_gpu = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if on_gpu else platform.processor() or "CPU",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _text(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
