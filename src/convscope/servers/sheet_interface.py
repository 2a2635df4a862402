"""What is asked of a spreadsheet, whoever keeps it.

All that is ours in it is tagged: a column or a tab of ours carries a number that stays with it
wherever people move it, and is gone when it is deleted. Cells are written by that number alone,
never by a position or a letter, so that what a person does between two calls can never put a value
of ours into a cell of theirs.
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, TypeAlias

from convscope.errors import UserError

Rows: TypeAlias = list[list[str]]
"""Cells row by row from the first; what is empty at the end of a row, or below, is left out."""

Changes: TypeAlias = Sequence[Sequence[str | None]]
"""Cells row by row from the first; None is left as it is."""

MAKER = "convscope"
"""The key of all our tags."""


def printable(text: str) -> str:
    """What people wrote, on one line and without what could steer a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class SheetBusy(Exception):
    """What was asked may or may not have been done, and may go well later."""


class SheetRefused(UserError):
    """What was asked was not done, as the sheet is not as it was thought to be, or forbids it."""


def tag_of(name: str) -> int:
    """The number of the tag called `name`: always the same, so that nothing is made twice."""
    return zlib.crc32(f"{MAKER}.{name}".encode()) % (2**31 - 1) + 1


class Sheet(Protocol):
    """A spreadsheet, its tabs and cells.

    Every method raises SheetBusy or SheetRefused, and UserError where the sheet cannot be reached
    before somebody mends something. What changes the sheet is done whole or not at all.
    """

    def tabs(self) -> dict[str, int]:
        """The titles of all tabs, and their numbers, which stay when a tab is renamed."""

    def tags(self) -> dict[int, int]:
        """The tags of ours that are there, and the number of the tab of each."""

    def read(self, tab: int, tags: Collection[int]) -> tuple[Rows, dict[int, Rows]]:
        """The cells of a whole tab, and those that are tagged, all as they were at one moment."""

    def read_tab(self, title: str) -> Rows:
        """The cells of the tab with a title; dates and numbers not as they are shown, but plain."""

    def write(self, cells: Mapping[int, Changes]) -> None:
        """Write into tagged columns and tabs, by tag, from their first cell on."""

    def make_tab(self, title: str, tag: str, columns: Sequence[str] = ()) -> None:
        """Make a tab, tag it and its first columns, in one go."""

    def make_columns(self, tab: int, at: int, tags: Sequence[str]) -> None:
        """Insert columns before the column `at` (from 0) and tag them, in one go."""
