"""Splits that a data set publishes as lists: testing_list.txt and validation_list.txt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from convscope.data.listing.files import ClipFile, settle_splits
from convscope.errors import UserError
from convscope.names import find_path, normalised
from convscope.types import Split

LISTS: dict[Split, str] = {"validation": "validation_list.txt", "test": "testing_list.txt"}


def split_by_lists(files: Sequence[ClipFile], root: Path) -> list[ClipFile]:
    """The files in the splits of the lists; what stands in none is trained on.

    A list has the path of a clip on each line, below the data folder, with forward slashes. With
    one list alone, 10 % of the other files, by hash, become validation (`settle_splits`).

    Args:
        files: of the classes that are trained.
        root: the data folder, in which the lists lie.

    Raises:
        UserError: there is no list, one cannot be read, or a line is of no file or stands in both.
    """
    split_of: dict[str, Split] = {}
    there = {normalised(file.id) for file in files}
    for split, name in LISTS.items():
        for line, id in _lines(root / name):
            if split_of.setdefault(id, split) != split:
                raise UserError(f"data.split=lists: {id} stands in both lists of {root}: keep one")
            if id not in there and not find_path(root / id).is_file():
                raise UserError(
                    f"data.split=lists: line {line} of {root / name}, {id!r}, is no file: expected "
                    f"the path of a clip below {root}; mend the line or take it out"
                )
    if not split_of:
        raise UserError(
            f"data.split=lists: expected {' or '.join(LISTS.values())} in {root}, with the path of "
            f"a clip on each line: put them there, or choose another data.split"
        )
    return settle_splits(
        [replace(file, split=split_of.get(normalised(file.id), "train")) for file in files]
    )


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not empty, with their numbers; none of a list that is not there."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"data.split=lists: {path} cannot be read ({error.strerror})") from None
    numbered = enumerate(map(normalised, map(str.strip, text.split("\n"))), 1)
    return [(number, line.removeprefix("./")) for number, line in numbered if line]
