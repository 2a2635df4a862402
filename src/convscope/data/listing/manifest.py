"""A CSV file that lists sounds, their labels and their parts."""

import csv
import os
from collections.abc import Callable, Hashable
from functools import lru_cache
from pathlib import Path

from convscope.data.labelling import LABEL, PATH, SPLIT
from convscope.data.listing.files import SPLIT_FOLDERS, ClipFile, settle_splits
from convscope.errors import UserError
from convscope.names import find_path, normalised
from convscope.types import Split


def list_manifest(path: Path, label: str = LABEL) -> list[ClipFile]:
    """The files of a CSV with the columns `path`, `label` and, if wanted, `split` and others.

    Paths count from the CSV's folder and lead to files in it, links followed: a list that came from
    elsewhere opens nothing else. The split is train, val, valid, validation or test; nothing means
    train. Where the rows name fewer than three, `settle_splits` decides.

    Args:
        path: the CSV, UTF-8.
        label: the column that is the label. All columns but path and split are kept as fields.

    Raises:
        UserError: it cannot be read, lacks a column, a row is incomplete, leads out of the folder,
            or is of a file that another row has, however the two are written.
    """
    rows = _rows(path, label)
    files = [_clip_file(path, line, row, label) for line, row in rows]
    _refuse_outside_and_twice(path, [line for line, _ in rows], files)
    return settle_splits(files)


def _rows(path: Path, label: str) -> list[tuple[int, dict[str, str | None]]]:
    """Every row with its line number."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            for column in (PATH, label):
                if column not in columns:
                    raise UserError(
                        f"data.folder: {path} has no column {column!r}: expected the columns "
                        f"{_expected(label)}, got {', '.join(columns) or 'an empty file'}"
                    )
            return [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise UserError(f"data.folder: {path} cannot be read ({error.strerror})") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"data.folder: {path} is no CSV in UTF-8 with commas ({error}): "
            f"expected the columns {_expected(label)}"
        ) from None


def _expected(label: str) -> str:
    return f"{PATH}, {label} and {SPLIT}"


def _clip_file(manifest: Path, line: int, row: dict[str, str | None], label: str) -> ClipFile:
    where = f"data.folder: line {line} of {manifest}"
    texts = {key: value.strip() for key, value in row.items() if key and isinstance(value, str)}
    name, part = texts.pop(PATH, ""), texts.pop(SPLIT, "")
    if not name or not texts.get(label):
        raise UserError(
            f"{where} has no {label if name else PATH}: expected {PATH},{label},{SPLIT}"
        )
    split: Split | None = SPLIT_FOLDERS.get(part.lower() or "train")
    if split is None:
        raise UserError(f"{where}: expected a split train, validation or test, got {part!r}")
    if "\0" in name:
        raise UserError(f"{where}: expected the path of a file, got {name!r}")
    path = find_path(manifest.parent / name)
    return ClipFile(path, _id(manifest, name, path), texts[label], split, texts)


def _id(manifest: Path, name: str, path: Path) -> str:
    """The path as the row has it, but for accents, which are as on the disk: caches find it."""
    return name if path == manifest.parent / name else path.relative_to(manifest.parent).as_posix()


def _refuse_outside_and_twice(manifest: Path, lines: list[int], files: list[ClipFile]) -> None:
    root = os.path.join(os.path.realpath(manifest.parent), "")
    real_folder = lru_cache(os.path.realpath)  # one look at each folder, not at each file in it
    seen: dict[Hashable, tuple[int, str]] = {}
    for line, file in zip(lines, files, strict=True):
        real = _real_path(os.fspath(file.path), real_folder)
        if not real.startswith(root):
            raise UserError(
                f"data.folder: line {line} of {manifest} leads to {real}, out of the folder of the "
                f"list, {manifest.parent}: put the list into a folder above all its files"
            )
        earlier, name = seen.setdefault(_identity(real), (line, file.id))
        if earlier != line:
            raise UserError(
                f"data.folder: {manifest} lists {file.id} twice, in lines {earlier} and {line}"
                f"{f' (there as {name})' if name != file.id else ''}: "
                f"expected each file once, with one label and one split"
            )


def _real_path(path: str, real_folder: Callable[[str], str]) -> str:
    """Where a file lies, links followed."""
    folder, name = os.path.split(path)
    if name in (os.curdir, os.pardir) or os.path.islink(path):
        return os.path.realpath(path)
    return os.path.join(real_folder(folder), name)


def _identity(real: str) -> Hashable:
    """The same for one file under all its names; of a file that is not there, its path."""
    try:
        status = os.stat(real)
    except OSError:
        return normalised(real)
    return (status.st_dev, status.st_ino) if status.st_ino else real
