"""The runs that the explorer shows: found anew when they come, read anew when they change."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.errors import UserError
from convscope.names import visible
from convscope.run import CONFIG, EPOCHS, MANIFEST, STATUS, Run
from convscope.scores.rows import BoardRow, read_row

SECONDS_FRESH = 1.0
"""For so long what was found is believed, however many ask."""

Stamp = tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """One run as the explorer knows it.

    Attributes:
        key: names it in addresses: the folder's name, and a number where two folders share it.
        stamp: changes whenever one of its files does.
        row: its line of the board; None where it cannot be read.
        problem: why not.
    """

    key: str
    run: Run
    stamp: Stamp
    row: BoardRow | None
    problem: str | None = None


class Catalogue:
    """The runs in some folders.

    Args:
        folders: each a run, or a folder that holds runs.
        seconds_fresh: see `SECONDS_FRESH`.
    """

    def __init__(self, folders: Sequence[Path], seconds_fresh: float = SECONDS_FRESH) -> None:
        self.folders = tuple(folders)
        self._seconds_fresh = seconds_fresh
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._read_at = -float("inf")
        self.version = 0
        """Counts the changes."""

    def entries(self) -> dict[str, Entry]:
        """All runs by key, in the order of the folders and of their names."""
        with self._lock:
            if time.monotonic() - self._read_at >= self._seconds_fresh:
                self._refresh()
                self._read_at = time.monotonic()
            return self._entries

    def rows(self) -> list[BoardRow]:
        """The rows of all runs that can be read."""
        return [entry.row for entry in self.entries().values() if entry.row is not None]

    def key_of(self) -> dict[Path, str]:
        """From a run's folder to its key."""
        return {entry.run.folder: entry.key for entry in self.entries().values()}

    def entry(self, key: str) -> Entry:
        """The run of a key.

        Raises:
            Gone: where there is none, or no longer.
        """
        found = self.entries().get(key)
        if found is None:
            raise Gone(f"There is no run {visible(key)}, or no longer.")
        return found

    def _refresh(self) -> None:
        found = {key: self._entry(key, run) for key, run in _keyed(self._runs())}
        if found.keys() != self._entries.keys() or any(
            entry is not self._entries[key] for key, entry in found.items()
        ):
            self.version += 1
            self._entries = found

    def _entry(self, key: str, run: Run) -> Entry:
        stamp = stamp_of(run)
        known = self._entries.get(key)
        if known and known.stamp == stamp and known.run.folder == run.folder:
            return known
        return read_entry(key, run, stamp)

    def _runs(self) -> Iterable[Run]:
        seen = set()
        for folder in self.folders:
            for run, place in _runs_in(folder):
                if place not in seen:
                    seen.add(place)
                    yield run


class Gone(Exception):
    """What an address names is not there; its message is a sentence for the page."""


def read_entry(key: str, run: Run, stamp: Stamp) -> Entry:
    """A run read, whatever state it is in: what cannot be read hides no other."""
    try:
        return Entry(key, run, stamp, read_row(run))
    except UserError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{run.folder} cannot be read ({error.strerror})"
    except Exception as error:  # a folder may come from anywhere and hold anything
        problem = f"{run.folder} holds what convscope never wrote ({type(error).__name__})"
    return Entry(key, run, stamp, None, problem)


def stamp_of(run: Run) -> Stamp:
    """When its files were written and how long they are, in ns and bytes; 0 for none.

    Of a finished run the manifest says it all: it is written last.
    """
    folder = str(run.folder)
    manifest = _stat(folder, MANIFEST)
    if manifest[0]:
        return manifest
    return tuple(n for name in (CONFIG, STATUS, EPOCHS) for n in _stat(folder, name))


def _stat(folder: str, name: str) -> tuple[int, int]:
    try:
        found = os.stat(f"{folder}/{name}")
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _runs_in(folder: Path) -> list[tuple[Run, str]]:
    """The runs in a folder, or the folder as a run, each with the place where it really lies."""
    if (folder / CONFIG).is_file():
        return [(Run(folder), os.path.realpath(folder))]
    root = os.path.realpath(folder)
    try:
        with os.scandir(folder) as entries:
            inside = sorted((each for each in entries), key=lambda each: each.name)
    except OSError:
        return []
    return [
        (
            Run(folder / each.name),
            os.path.realpath(each.path) if each.is_symlink() else f"{root}/{each.name}",
        )
        for each in inside
        if os.path.isfile(f"{each.path}/{CONFIG}")
    ]


def _keyed(runs: Iterable[Run]) -> Iterable[tuple[str, Run]]:
    """Each run with a key that no other has."""
    met: Counter[str] = Counter()
    for run in runs:
        met[run.name] += 1
        n = met[run.name]
        yield (run.name if n == 1 else f"{run.name}~{n}"), run
