"""The files of a folder whose path says label, group and more: `{label}_{speaker}_{take}`."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from convscope.data.labelling import LABEL, SPLIT
from convscope.data.listing.files import (
    SPLIT_FOLDERS,
    ClipFile,
    OnClosed,
    entries_of,
    refuse_closed,
    settle_splits,
)
from convscope.data.pattern import PathPattern
from convscope.errors import UserError
from convscope.types import Split


def list_matched(
    root: Path,
    pattern: PathPattern,
    suffixes: Collection[str],
    label: str = LABEL,
    on_closed: OnClosed = refuse_closed,
) -> tuple[list[ClipFile], list[str]]:
    """The files below `root`, however deep, with their fields, and the ids of those that differ.

    Passed over: what is hidden, and folders whose names begin with `_`. Links to folders are
    followed in the data folder itself alone. A field `split` is train, val, valid, validation or
    test; where there are fewer than three, `settle_splits` decides.

    Args:
        root: the data folder.
        pattern: of a path below it, without its ending.
        suffixes: endings of the files that count, in lower case.
        label: the field that is the label.
        on_closed: what to do with a folder that cannot be opened.

    Raises:
        UserError: a field split is none, or, unless `on_closed` is another, a folder is closed.
    """
    files, others = [], []
    for id in ids_below(root, suffixes, on_closed):
        fields = pattern.fields_of(os.path.splitext(id)[0])
        if fields is None or not fields[label].strip():
            others.append(id)
        else:
            part = _split(id, fields.get(SPLIT, "train"))
            files.append(ClipFile(root / id, id, fields[label], part, fields))
    return settle_splits(files), others


def ids_below(
    root: Path, suffixes: Collection[str], on_closed: OnClosed = refuse_closed
) -> list[str]:
    """The paths of all such files below `root`, with forward slashes, sorted."""
    return sorted(_walk(root, "", suffixes, on_closed))


def _walk(
    folder: Path, prefix: str, suffixes: Collection[str], on_closed: OnClosed
) -> Iterator[str]:
    for entry in entries_of(folder, on_closed):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=not prefix):
            if not entry.name.startswith("_"):
                below = f"{prefix}{entry.name}/"
                yield from _walk(folder / entry.name, below, suffixes, on_closed)
        elif os.path.splitext(entry.name)[1].lower() in suffixes and not entry.is_dir():
            yield f"{prefix}{entry.name}"


def _split(id: str, text: str) -> Split:
    split = SPLIT_FOLDERS.get(text.lower())
    if split is None:
        raise UserError(
            f"data.pattern: {id}: expected a field split of train, validation or test, got {text!r}"
        )
    return split
