"""Names that people write against names that disks hold: é is one letter, however it is spelled."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path


def normalised(name: str) -> str:
    """A name in Unicode's form NFC, in which two names that read alike are equal.

    A keyboard writes `é` as one character; disks of Macs may hold `e` and an accent.
    """
    return unicodedata.normalize("NFC", name)


def find_name(wanted: str, names: Iterable[str]) -> str | None:
    """Which of the names is the wanted one, as it is spelled among them; None where none is.

    One that is spelled exactly so goes before one that only reads alike.
    """
    names = list(names)
    if wanted in names:
        return wanted
    alike = normalised(wanted)
    return next((name for name in names if normalised(name) == alike), None)


def find_path(wanted: Path) -> Path:
    """The path of what is there under that name, as the disk spells it; `wanted` where nothing is.

    As `find_name`, for every folder on the way.
    """
    if os.path.lexists(wanted):
        return wanted
    folder = find_path(wanted.parent)
    try:
        found = find_name(wanted.name, os.listdir(folder))
    except OSError:
        return wanted
    return wanted if found is None else folder / found
