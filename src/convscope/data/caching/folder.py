"""Where decoded clips are kept."""

import hashlib
import os
from pathlib import Path

from convscope.data.listing.files import Decoder

_DECODING = 1  # raise it when the same file would be decoded to other samples or pixels
ELSEWHERE = "set CONVSCOPE_CACHE to a folder on another disk"
"""What to do where this one has no place for decoded clips."""


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
