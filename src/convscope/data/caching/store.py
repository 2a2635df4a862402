"""What lies in a cache folder, and how a new version takes the place of the old one.

    index.json        what is known of each file
    clips-DIGEST.bin  the clips, one after the other in the order of the files' ids
    settings.json     which data folder, decoded how (for people)
    lock              held while building, so that of two processes one waits for the other

DIGEST is a hash of index.json, so that replacing the index is the one moment at which a new
version begins to count. Whatever else lies there is a leftover of a build that was killed.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from convscope.data.listing.files import Decoder
from convscope.data.listing.notes import Note
from convscope.types import Clips

Stamp: TypeAlias = tuple[int, int, int]
"""A file's size, and the times (ns) at which its contents and its status last changed."""


class Entry(NamedTuple):
    """What is known of one file.

    Attributes:
        stamp: of the file when it was read; with another stamp it is read again.
        sha256: of its contents; empty if they could not be read.
        row: where its clip stands; -1 if it has none.
        exact: whether it had exactly the asked-for length.
        reason: why it has no clip.
        notes: what is wrong with it although it has one.
    """

    stamp: Stamp
    sha256: str
    row: int
    exact: bool
    reason: str
    notes: tuple[Note, ...]


Index: TypeAlias = dict[str, Entry]
"""The entries by the files' ids."""


@dataclass(frozen=True)
class Version:
    """What a cache holds at one moment; `clips` outlives its replacement by a newer version."""

    index: Index
    clips: Clips


def stamp(path: Path) -> Stamp:
    """The stamp of a file; (-1, -1, -1) if it is not there.

    The status counts because a file that was unreadable for its permissions changes nothing else
    when they are mended.
    """
    try:
        status = os.stat(path)
    except OSError:
        return (-1, -1, -1)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def open_version(folder: Path, decoder: Decoder) -> Version:
    """What the cache folder holds; nothing where it is absent, damaged or incomplete."""
    try:
        text = (folder / "index.json").read_bytes()
        index = {id: _entry(*values) for id, values in json.loads(text).items()}
        n_clips = sum(entry.row >= 0 for entry in index.values())
        return Version(index, _map_clips(_clips_path(folder, text), n_clips, decoder))
    except (OSError, ValueError, TypeError, AttributeError):
        return Version({}, _map_clips(folder, 0, decoder))


def _entry(
    stamp: Sequence[int], sha256: str, row: int, exact: bool, reason: str, notes: Sequence[Any]
) -> Entry:
    """An entry of JSON's lists; a TypeError for one of an older version, which had no notes."""
    size, modified, changed = stamp
    return Entry(
        (size, modified, changed), sha256, row, exact, reason, tuple(Note(*each) for each in notes)
    )


def commit(folder: Path, index: Index, clips: Path) -> None:
    """Make `index` and the file `clips` the folder's version, at one moment."""
    text = json.dumps(index, separators=(",", ":")).encode()
    new_index = folder / "index.tmp"
    new_index.write_bytes(text)
    os.replace(clips, _clips_path(folder, text))
    os.replace(new_index, folder / "index.json")
    remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Remove what no version counts on; to be called with the lock held."""
    index = folder / "index.json"
    kept = {"index.json", "settings.json", "lock"}
    if index.exists():
        kept.add(_clips_path(folder, index.read_bytes()).name)
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()


def clip_bytes(decoder: Decoder) -> int:
    """Bytes of one clip."""
    return int(np.prod(decoder.shape)) * np.dtype(decoder.dtype).itemsize


def _clips_path(folder: Path, index: bytes) -> Path:
    return folder / f"clips-{hashlib.sha256(index).hexdigest()[:16]}.bin"


def _map_clips(path: Path, n_clips: int, decoder: Decoder) -> Clips:
    shape = (n_clips, *decoder.shape)
    if n_clips == 0:  # a file without bytes cannot be mapped
        return np.zeros(shape, decoder.dtype)
    return np.asarray(np.memmap(path, decoder.dtype, mode="r", shape=shape))
