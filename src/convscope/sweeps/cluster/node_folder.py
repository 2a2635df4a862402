"""A folder in which a node's workers train. What was left by one that was killed is removed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from convscope.folder_lock import locked

PREFIX = "convscope-agent-"


class NodeFolder:
    """A folder of this process among the temporary ones, locked while it is in use."""

    def __init__(self) -> None:
        remove_left()
        self.path, self._descriptor = _make()

    def remove(self) -> None:
        """Remove it, and what agents that are dead by now left on this machine."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._descriptor)
        remove_left()


def remove_left() -> None:
    """Remove the folders of dead agents: those that neither they nor their workers hold."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with _lock(path) as descriptor:
            if descriptor is not None and not any(map(_is_held, path.glob("*/*/"))):
                shutil.rmtree(path, ignore_errors=True)


def _make() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        with _lock(path) as descriptor:
            if descriptor is not None and path.exists():  # nobody removed it before it was locked
                return path, os.dup(descriptor)


def _is_held(folder: Path) -> bool:
    with _lock(folder) as descriptor:
        return descriptor is None


@contextmanager
def _lock(folder: Path) -> Iterator[int | None]:
    """The descriptor of a locked folder; None where another process holds it, or owns it."""
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(locked(folder))
        except OSError:
            descriptor = None
        yield descriptor
