"""Clips as a CSV file, to be edited and read again as a manifest."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from convscope.data.disk import writing_to
from convscope.data.labelling import LABEL, PATH, SPLIT
from convscope.data.listing.files import ClipFile
from convscope.errors import UserError


def write_manifest(path: Path, files: Sequence[ClipFile]) -> None:
    """Write path, label, split and all other fields of each clip, in the order of their paths.

    `list_manifest` reads it back: the same labels, splits and fields.

    Args:
        path: the CSV, in the data folder or a folder above it, from which its paths count.
        files: of one data set.

    Raises:
        UserError: the CSV would lie elsewhere, is there already, or cannot be written.
    """
    if path.exists():
        raise UserError(f"--out: {path} is there already: remove it, or give another name")
    rows = [(_below(path, file.path), file) for file in files]
    others = list(dict.fromkeys(key for file in files for key in file.fields))
    fields = [key for key in others if key not in (PATH, LABEL, SPLIT)]
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow([PATH, LABEL, SPLIT, *fields])
    table.writerows(
        [place, file.label, file.split, *(file.fields.get(key, "") for key in fields)]
        for place, file in sorted(rows, key=lambda row: row[0])
    )
    _write(path, text.getvalue())


def _below(manifest: Path, path: Path) -> str:
    """A clip's path from the folder of the CSV, with forward slashes."""
    try:
        return path.relative_to(manifest.parent).as_posix()
    except ValueError:
        pass
    real = Path(os.path.abspath(path))
    folder = Path(os.path.abspath(manifest.parent))
    if not real.is_relative_to(folder):
        raise UserError(
            f"--out: {manifest} lies neither in {path.parent} nor above it: a manifest opens files "
            f"in its own folder alone; put it into the data folder"
        )
    return real.relative_to(folder).as_posix()


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    unfinished = path.with_name(f"{path.name}.tmp")
    with writing_to(path.parent, "give another --out"):
        try:
            unfinished.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
