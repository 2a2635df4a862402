"""Clips, decoded once, in parallel, and mapped into memory ever after.

There is one cache folder for each data folder and decoder. It holds every file that was ever
asked for: recipes with other words of one data folder share it, and asking for a further word
decodes that word alone. Who asks for less than it holds gets a copy in memory instead of a map.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from convscope.data.caching.folder import ELSEWHERE, cache_folder
from convscope.data.caching.store import (
    Entry,
    Index,
    Stamp,
    Version,
    clip_bytes,
    commit,
    open_version,
    remove_leftovers,
    stamp,
)
from convscope.data.dataset import BadFile, NotedFile
from convscope.data.disk import require_space, writing_to
from convscope.data.listing.files import ClipFile, Decoder, Progress, Unreadable
from convscope.types import Clips

_BATCH = 256  # clips in flight: bounds memory where the disk is slower than the decoder

_Reader: TypeAlias = Callable[[str], tuple[Entry, NDArray[Any] | None]]


@dataclass(frozen=True)
class Decoded:
    """The clips of the files that could be read, in the order of their ids.

    Attributes:
        files: those that have a clip.
        clips: (n_clips, *shape), a memory map where these are all the cache holds.
        exact: (n_clips,) whether a file had exactly the asked-for length.
        left_out: the files that have no clip.
        noted: the files that have one although something is wrong with them.
        fingerprint: a hash of the ids, sizes and contents of `files`.
        digests: of the contents of each file, by its id.
    """

    files: tuple[ClipFile, ...]
    clips: Clips
    exact: NDArray[np.bool_]
    left_out: tuple[BadFile, ...]
    noted: tuple[NotedFile, ...]
    fingerprint: str
    digests: dict[str, str]


def decode_files(
    files: Iterable[ClipFile],
    data_folder: Path,
    decoder: Decoder,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Decoded:
    """The clips of `files`, from the cache if it knows them all as they are now.

    Args:
        files: which; each id once.
        data_folder: from which the ids count.
        decoder: makes a clip of a file.
        workers: threads that decode, None for one a core; the result does not depend on it.
        progress: called while decoding.

    Raises:
        UserError: the cache cannot be written, or its disk is too full.
    """
    files = sorted(files, key=lambda file: file.id)
    stamps = {file.id: stamp(file.path) for file in files}
    folder = cache_folder(data_folder, decoder)
    version = open_version(folder, decoder)
    if not _serves(version.index, stamps, data_folder):
        with _building(folder):
            version = open_version(folder, decoder)  # another process may just have built it
            if not _serves(version.index, stamps, data_folder):
                wanted = stamps | _others(version.index, stamps, data_folder)
                reader = _reader(version, wanted, data_folder, decoder)
                _build(folder, sorted(wanted), reader, decoder, workers, progress)
                _note_settings(folder, data_folder, decoder)
                version = open_version(folder, decoder)
    return _take(version, files)


@contextmanager
def _building(folder: Path) -> Iterator[None]:
    """The folder is there, and this process alone builds in it."""
    with writing_to(folder, ELSEWHERE):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            yield


def _serves(index: Index, stamps: dict[str, Stamp], data_folder: Path) -> bool:
    """Whether the cache knows these files as they are, without gaps from files that are gone."""
    if any(id not in index or index[id].stamp != stamps[id] for id in stamps):
        return False
    rows = _rows(index, stamps)
    whole = len(rows) == 0 or rows[-1] - rows[0] == len(rows) - 1
    return whole or len(_others(index, stamps, data_folder)) == len(index) - len(stamps)


def _others(index: Index, stamps: dict[str, Stamp], data_folder: Path) -> dict[str, Stamp]:
    """The cached files that nobody asks for now and that are still as they were."""
    return {
        id: entry.stamp
        for id, entry in index.items()
        if id not in stamps and stamp(data_folder / id) == entry.stamp
    }


def _reader(
    version: Version, wanted: dict[str, Stamp], data_folder: Path, decoder: Decoder
) -> _Reader:
    """What gives entry and clip of an id: kept where the file is unchanged, else decoded."""

    def read(id: str) -> tuple[Entry, NDArray[Any] | None]:
        entry = version.index.get(id)
        if entry is None or entry.stamp != wanted[id]:
            return _decode(data_folder / id, wanted[id], decoder)
        return entry, version.clips[entry.row] if entry.row >= 0 else None

    return read


def _decode(path: Path, now: Stamp, decoder: Decoder) -> tuple[Entry, NDArray[Any] | None]:
    """Hash and decode one file."""
    digest = ""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        clip, exact, notes = decoder.decode(path)
    except OSError as error:
        return Entry(now, digest, -1, False, f"cannot be read ({error.strerror})", ()), None
    except Unreadable as error:
        return Entry(now, digest, -1, False, str(error), ()), None
    if clip.shape != decoder.shape or clip.dtype != decoder.dtype:
        raise TypeError(f"{decoder.name}: {path} gave {clip.dtype} {clip.shape}")
    return Entry(now, digest, -1, bool(exact), "", notes), clip


def _build(
    folder: Path,
    ids: Sequence[str],
    read: _Reader,
    decoder: Decoder,
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Write a version with the clips of `ids`; without a trace if that fails."""
    remove_leftovers(folder)
    require_space(folder, len(ids) * clip_bytes(decoder), "the decoded clips", ELSEWHERE)
    clips = folder / "clips.tmp"
    try:
        with ThreadPoolExecutor(workers) as threads:
            commit(folder, _write_clips(clips, ids, read, threads, progress), clips)
    finally:
        clips.unlink(missing_ok=True)


def _write_clips(
    path: Path,
    ids: Sequence[str],
    read: _Reader,
    threads: ThreadPoolExecutor,
    progress: Progress | None,
) -> Index:
    """Write the clips of `ids` one after the other.

    Written, not mapped: on a full disk a write raises, where a map would end the process.
    """
    index: Index = {}
    rows = count()
    with path.open("wb") as file:
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            for id, (entry, clip) in zip(batch, threads.map(read, batch), strict=True):
                if clip is not None:
                    file.write(clip.tobytes())
                index[id] = entry._replace(row=-1 if clip is None else next(rows))
            if progress:
                progress(start + len(batch), len(ids))
        file.flush()
        os.fsync(file.fileno())
    return index


def _note_settings(folder: Path, data_folder: Path, decoder: Decoder) -> None:
    settings = {"data folder": str(data_folder), "decoder": decoder.name}
    (folder / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")


def _take(version: Version, files: Sequence[ClipFile]) -> Decoded:
    """What the cache has of these files, which it knows."""
    index = version.index
    rows = _rows(index, [file.id for file in files])
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        clips = version.clips[rows[0] : rows[-1] + 1]
    else:
        clips = version.clips[rows]
    good = tuple(file for file in files if index[file.id].row >= 0)
    bad = (file.id for file in files if index[file.id].row < 0)
    return Decoded(
        files=good,
        clips=clips,
        exact=np.array([index[file.id].exact for file in good], np.bool_),
        left_out=tuple(BadFile(id, index[id].reason) for id in bad),
        noted=tuple(NotedFile(file.id, *note) for file in good for note in index[file.id].notes),
        fingerprint=_fingerprint((file.id, index[file.id]) for file in good),
        digests={file.id: index[file.id].sha256 for file in good},
    )


def _rows(index: Index, ids: Iterable[str]) -> NDArray[np.int64]:
    rows = (index[id].row for id in ids)
    return np.array([row for row in rows if row >= 0], np.int64)


def _fingerprint(entries: Iterable[tuple[str, Entry]]) -> str:
    digest = hashlib.sha256()
    for id, entry in entries:
        line = f"{id}\0{entry.stamp[0]}\0{entry.sha256}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
