"""Runs that are trained on another machine: their files go there, and come back as they change.

The process that sent a run away holds its folder meanwhile, and alone writes in it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeAlias

from convscope.data.disk import writing_to
from convscope.errors import RunFailed, UserError
from convscope.models.spec import ModelSpec
from convscope.run import (
    CONFIG,
    ENVIRONMENT,
    EPOCHS,
    MANIFEST,
    MODEL,
    PREDICTIONS,
    SCORES,
    SOURCE,
    STATE,
    STATUS,
    Run,
)
from convscope.training.attempt import held
from convscope.training.trust import sign

Files: TypeAlias = dict[str, bytes]
"""The content of some files of a run, by name."""

KEPT = (CONFIG, ENVIRONMENT, SOURCE, STATE, EPOCHS, STATUS)
"""What a training goes on from."""

ORDER = (CONFIG, ENVIRONMENT, SOURCE, STATE, EPOCHS, MODEL, PREDICTIONS, SCORES, STATUS, MANIFEST)
"""All files but the signature, which the other machine's key has made, not the user's here.

A file says nothing of one behind it. So they are written in this order, and read against it
while somebody writes: the table of epochs is never ahead of the state, the manifest of nothing."""


class Away:
    """A run while it is trained elsewhere. Its folder is held until `release`.

    Args:
        run: which.
        spec: its network, as the user who sends it away has named it.

    Raises:
        Held: where another process has it.
        RunFailed: where it cannot be written.
    """

    def __init__(self, run: Run, spec: ModelSpec) -> None:
        self.run, self._spec = run, spec
        with ExitStack() as stack:
            with _writing(run):
                run.folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(run))
            with _writing(run):
                run.tidy()
            self._hold = stack.pop_all()

    def keep(self, files: Files) -> None:
        """Put in place what came back, signed here once it is done.

        Raises:
            RunFailed: where the folder cannot be written.
        """
        with _writing(self.run):
            put(self.run, files)
            if MANIFEST in files:
                sign(self.run, self._spec)

    def release(self) -> None:
        """Let others have the folder; one that nothing came to goes away."""
        with suppress(OSError):
            self.run.folder.rmdir()
        self._hold.close()


class Changes:
    """The files of a run that were not there, or were others, when they were last taken."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: dict[str, tuple[int, ...]] = {}

    def take(self) -> Files:
        """What has changed since the last call; at first all that is there."""
        files: Files = {}
        for name in reversed(ORDER):
            with suppress(FileNotFoundError):
                mark = self._mark(name)
                if self._known.get(name) != mark:
                    files[name] = self._run.path(name).read_bytes()
                    self._known[name] = mark
        return files

    def _mark(self, name: str) -> tuple[int, ...]:
        """Another one for every file that is put in the place of one that is there."""
        stat = self._run.path(name).stat()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


def kept(run: Run) -> Files:
    """What a run's training goes on from."""
    names = [name for name in KEPT if run.path(name).is_file()]
    return {name: run.path(name).read_bytes() for name in names}


def put(run: Run, files: Files) -> None:
    """Write files, each whole or not at all; with the manifest the run is done."""
    for name in ORDER:
        if name in files:
            run.write(name, files[name])
    if MANIFEST in files:
        run.tidy()


@contextmanager
def _writing(run: Run) -> Iterator[None]:
    try:
        with writing_to(run.folder, "give another folder with --out"):
            yield
    except UserError as error:
        raise RunFailed(str(error)) from None
