"""What other libraries say of a file while they read it: caught, to be told with its name.

Python's warnings and log lines are caught by thread, as files are read in several at once. What a
C library writes belongs to the whole process: who wants to catch that waits for his turn.
"""

import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MOST_LINES = 3
_STDERR = 2

_here = threading.local()
_turn = threading.Lock()


@contextmanager
def caught() -> Iterator[list[str]]:
    """What libraries say to this thread in the block, each line once."""
    said: list[str] = []
    with _warnings:
        _here.said = said
        try:
            yield said
        finally:
            del _here.said


@contextmanager
def caught_from_c() -> Iterator[None]:
    """Add what is written to descriptor 2 in the block; one block at a time in the process.

    The command line itself writes elsewhere (`cli.app.main`), so that no bar is caught.
    """
    with _turn, tempfile.TemporaryFile() as written:
        real = os.dup(_STDERR)
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(real, _STDERR)
            os.close(real)
            written.seek(0)
            for line in written.read().decode(errors="replace").splitlines():
                _say(line)


def _say(message: object) -> bool:
    """Whether somebody in this thread hears it."""
    said: list[str] | None = getattr(_here, "said", None)
    if said is None:
        return False
    text = " ".join(str(message).split())
    if text and text not in said and len(said) < _MOST_LINES:
        said.append(text)
    return True


class _AllWarnings:
    """While any thread listens, it is told every warning, repeated ones too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0

    def __enter__(self) -> None:
        with self._lock:
            self._n_inside += 1
            if self._n_inside == 1:
                self._begin()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._kept.__exit__(None, None, None)

    def _begin(self) -> None:
        show = warnings.showwarning

        def tell(message: Warning | str, *more: Any, **named: Any) -> None:
            if not _say(message):
                show(message, *more, **named)

        self._kept = warnings.catch_warnings()
        self._kept.__enter__()
        warnings.simplefilter("always")
        warnings.showwarning = tell


_warnings = _AllWarnings()


def _unheard(record: logging.LogRecord) -> bool:
    return not _say(record.getMessage())


logging.getLogger("PIL.TiffImagePlugin").addFilter(_unheard)  # Pillow's one logger that reports
