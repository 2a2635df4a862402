"""Where decoded clips are kept, and what is said when they cannot be."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convscope.data.files import Decoder
from convscope.errors import UserError

_DECODING = 1  # raise it when the same file would be decoded to other samples or pixels
_ELSEWHERE = "set CONVSCOPE_CACHE to a folder on another disk"


def cache_root() -> Path:
    """$CONVSCOPE_CACHE, else $XDG_CACHE_HOME/convscope, else ~/.cache/convscope."""
    if folder := os.environ.get("CONVSCOPE_CACHE"):
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "convscope"


def cache_folder(data_folder: Path, decoder: Decoder) -> Path:
    """The one folder for a data folder, wherever it is reached from, and a decoder."""
    key = os.fsencode(f"{_DECODING}\0{data_folder.resolve()}\0{decoder.name}")
    return cache_root() / f"{data_folder.resolve().name}-{hashlib.sha256(key).hexdigest()[:16]}"


def require_space(folder: Path, n_bytes: int) -> None:
    """Raise a UserError unless `n_bytes` fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise UserError(
            f"{folder}: the decoded clips need {n_bytes:,} bytes, but only {free:,} are free: "
            f"make room or {_ELSEWHERE}"
        )


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Make `folder`, and turn what the disk says against writing there into a UserError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{folder}: the disk became full while decoding clips: make room or {_ELSEWHERE}"
            ) from None
        raise UserError(
            f"{folder}: decoded clips cannot be kept there ({error.strerror}): "
            f"make it a folder that you may write to, or {_ELSEWHERE}"
        ) from None
