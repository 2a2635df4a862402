"""The folder of a sweep: what it is of, who drives it, and what people asked of it meanwhile.

sweep.json      the recipes, the names of its cells, the threads of a worker, which cells are
                trained together; written once
driver.json     who drives it and how it stands; gone when nobody does
cancelled.json  names of cells that are not to be trained
stop            asks the driver to end
log.txt         what came to pass, a line each, with its time
workers.txt     what the workers printed
"""

import json
import os
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from convscope.data.disk import writing_to
from convscope.errors import UserError
from convscope.folder_lock import is_locked, locked
from convscope.names import normalised
from convscope.run import write_atomically

SWEEPS = "sweeps"
"""The folder beside the run folders that holds the folders of sweeps."""

SWEEP, DRIVER, CANCELLED = "sweep.json", "driver.json", "cancelled.json"
STOP, LOG, WORKERS_LOG = "stop", "log.txt", "workers.txt"


class _Content(BaseModel):
    """What stands in sweep.json."""

    created: str = ""
    threads: int = Field(ge=1)
    recipes: list[dict[str, Any]] = []
    cells: list[str] = []
    together: list[list[str]] = []


_CONTENT = TypeAdapter(_Content)
_DRIVER = TypeAdapter(dict[str, str | int])
_NAMES = TypeAdapter(list[str])


class SweepFolder:
    """One sweep on the disk.

    Args:
        out: the folder that holds the run folders.
        name: the sweep's.
    """

    def __init__(self, out: Path, name: str) -> None:
        self.out = out
        self.name = name
        self.path = out / SWEEPS / name

    @property
    def recipes(self) -> list[dict[str, Any]]:
        """The recipes as they were read, assignments laid over them."""
        return self._content.recipes

    @property
    def cells(self) -> list[str]:
        """The names of its cells, in the order of its recipes."""
        return self._content.cells

    @property
    def together(self) -> list[list[str]]:
        """The names of the cells that are trained at once in one process, group by group."""
        return self._content.together

    @property
    def threads(self) -> int:
        """CPU threads of a worker."""
        return self._content.threads

    @property
    def _content(self) -> _Content:
        content: _Content = self._read(SWEEP, _CONTENT, _Content(threads=1))
        return content

    @property
    def exists(self) -> bool:
        return (self.path / SWEEP).is_file()

    def create(
        self,
        recipes: Sequence[dict[str, Any]],
        cells: Sequence[str],
        threads: int,
        together: Sequence[Sequence[str]] = (),
    ) -> None:
        """Write what the sweep is of; what was written first stays."""
        if not self.exists:
            content = {
                "created": _now(),
                "threads": threads,
                "recipes": list(recipes),
                "cells": list(cells),
                "together": [list(names) for names in together],
            }
            with self._writing():
                self._write(SWEEP, content)

    @property
    def driver(self) -> dict[str, Any]:
        """host, pid, since, and how the sweep stands; empty where nobody drives it.

        The driver of a folder that nobody holds is dead.
        """
        driver: dict[str, Any] = self._read(DRIVER, _DRIVER, {})
        return driver

    @property
    def driver_in_words(self) -> str:
        """Who drives it, or did."""
        driver = self.driver
        process = f"process {driver.get('pid')} on {driver.get('host')}"
        return f"{process} since {driver.get('since')}"

    @property
    def is_driven(self) -> bool:
        """Whether a living process holds the folder."""
        return is_locked(self.path)

    @contextmanager
    def held(self) -> Iterator[dict[str, Any]]:
        """Drive the sweep: nobody else can meanwhile. Yields what a dead driver left, or nothing.

        Raises:
            UserError: where another process drives it, naming that process.
        """
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self.path))
            except BlockingIOError:
                raise UserError(self._holder()) from None
            left = self.driver
            with self._writing():
                self._tidy()
                self.tell({})
            try:
                yield left
            finally:
                with suppress(OSError):
                    (self.path / DRIVER).unlink()

    def tell(self, progress: dict[str, Any]) -> None:
        """Keep how the sweep stands, for other processes to read."""
        known = self.driver
        mine = {"host": socket.gethostname(), "pid": os.getpid()}
        since = known["since"] if {**known, **mine} == known else _now()
        self._write(DRIVER, {**mine, "since": since, **progress})

    @property
    def cancelled(self) -> frozenset[str]:
        """The names of the cells that are not to be trained."""
        return frozenset(self._read(CANCELLED, _NAMES, []))

    def cancel(self, names: Collection[str]) -> None:
        """Cells that are not to be trained, beside those that already are not."""
        self._write(CANCELLED, sorted(self.cancelled | set(names)))

    def uncancel(self, names: Collection[str]) -> None:
        """Cells that are to be trained after all."""
        self._write(CANCELLED, sorted(self.cancelled - set(names)))

    @property
    def is_to_stop(self) -> bool:
        """Whether the driver is asked to end."""
        return (self.path / STOP).exists()

    def stop(self) -> None:
        """Ask the driver to end."""
        (self.path / STOP).touch()

    def log(self, line: str) -> None:
        """Append a line to the log; a disk that takes none is no reason to end a sweep."""
        with suppress(OSError), (self.path / LOG).open("a") as file:
            file.write(f"{_now()} {line}\n")

    def _tidy(self) -> None:
        """Remove what a dead driver left: half-written files, and that it was asked to end."""
        left = [path for name in (SWEEP, DRIVER) for path in self.path.glob(f".{name}.*")]
        for path in [self.path / STOP, *left]:
            path.unlink(missing_ok=True)

    def _writing(self) -> AbstractContextManager[None]:
        return writing_to(self.out, "give another folder with --out")

    def _holder(self) -> str:
        return (
            f"{self.path} is driven by {self.driver_in_words}: wait for it, or end it with "
            f"convscope sweeps cancel {quote(self.name)} --out {quote(str(self.out))}"
        )

    def _read(self, name: str, kind: TypeAdapter[Any], default: Any) -> Any:
        path = self.path / name
        try:
            return kind.validate_json(path.read_bytes())
        except FileNotFoundError:
            return default
        except ValidationError:
            raise UserError(
                f"{path} is damaged: expected what convscope wrote there; delete it and give the "
                "same convscope sweep again: no run is lost by that"
            ) from None

    def _write(self, name: str, value: Any) -> None:
        text = json.dumps(value, indent=1, allow_nan=False) + "\n"
        write_atomically(self.path / name, lambda file: file.write(text.encode()))


def find_sweeps(out: Path) -> list[SweepFolder]:
    """The sweeps whose runs are in `out`, by name."""
    return [SweepFolder(out, path.parent.name) for path in sorted(out.glob(f"{SWEEPS}/*/{SWEEP}"))]


def find_sweep(out: Path, name: str) -> SweepFolder:
    """The sweep of that name, or of which it is the beginning, or the folder.

    Raises:
        UserError: where there is none, or more than one.
    """
    known = find_sweeps(out)
    names = [sweep.name for sweep in known]
    wanted = normalised(Path(name).name)
    found = [sweep for sweep in known if normalised(sweep.name) == wanted] or [
        sweep for sweep in known if normalised(sweep.name).startswith(wanted)
    ]
    if len(found) != 1:
        what = "several sweeps" if found else "no sweep"
        there = f"there are {', '.join(names)}" if names else "there is none"
        raise UserError(f"{name}: {what} of that name in {out}: {there}; is --out right?")
    return found[0]


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
