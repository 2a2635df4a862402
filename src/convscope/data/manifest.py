"""A CSV file that lists sounds, their labels and their parts."""

import csv
from pathlib import Path

from convscope.data.files import SPLIT_FOLDERS, ClipFile, settle_splits
from convscope.errors import UserError
from convscope.types import Split


def list_manifest(path: Path) -> list[ClipFile]:
    """The files of a CSV with the columns `path`, `label` and, if wanted, `split`.

    Paths count from the CSV's folder. The split is train, val, valid, validation or test; nothing
    means train. Where the rows name fewer than three, `settle_splits` decides.

    Args:
        path: the CSV, UTF-8.

    Raises:
        UserError: it cannot be read, lacks a column, or a row is incomplete or there twice.
    """
    rows = _rows(path)
    files = [_clip_file(path, line, row) for line, row in rows]
    _refuse_twice(path, [file.id for file in files])
    return settle_splits(files)


def _rows(path: Path) -> list[tuple[int, dict[str, str | None]]]:
    """Every row with its line number."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            for column in ("path", "label"):
                if column not in columns:
                    raise UserError(
                        f"data.folder: {path} has no column {column!r}: expected the columns "
                        f"path, label and split, got {', '.join(columns) or 'an empty file'}"
                    )
            return [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise UserError(f"data.folder: {path} cannot be read ({error.strerror})") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"data.folder: {path} is no CSV in UTF-8 with commas ({error}): "
            f"expected the columns path, label and split"
        ) from None


def _clip_file(manifest: Path, line: int, row: dict[str, str | None]) -> ClipFile:
    where = f"data.folder: line {line} of {manifest}"
    name, label, part = ((row.get(c) or "").strip() for c in ("path", "label", "split"))
    if not name or not label:
        raise UserError(f"{where} has no {'label' if name else 'path'}: expected path,label,split")
    split: Split | None = SPLIT_FOLDERS.get(part.lower() or "train")
    if split is None:
        raise UserError(f"{where}: expected a split train, validation or test, got {part!r}")
    return ClipFile(manifest.parent / name, name, label, split)


def _refuse_twice(manifest: Path, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(
                f"data.folder: {manifest} lists {name} twice: "
                f"expected each file once, with one label and one split"
            )
        seen.add(name)
