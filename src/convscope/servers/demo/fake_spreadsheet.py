"""A made-up spreadsheet in memory: what the Sheets API does to one, by its public reference.

Rows and columns are lines with an identity, so that tags, merges and protection stay with them
while people move, insert, sort and delete.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Dimension: TypeAlias = Literal["ROWS", "COLUMNS"]


class Refused(Exception):
    """A request that the API answers with 400."""


@dataclass(eq=False)
class Line:
    """A row or a column.

    Attributes:
        tags: developer metadata by number: key and value.
        by_program: whether it was inserted through the API, otherwise by a person.
    """

    tags: dict[int, tuple[str, str]] = field(default_factory=dict)
    by_program: bool = False


@dataclass(eq=False)
class Tab:
    """One tab: `cells[row][column]`, everything as text."""

    number: int
    title: str
    rows: list[Line]
    columns: list[Line]
    cells: list[list[str]]
    tags: dict[int, tuple[str, str]] = field(default_factory=dict)
    by_program: bool = False
    merges: list[tuple[list[Line], list[Line]]] = field(default_factory=list)
    protected: list[Line] = field(default_factory=list)

    def lines(self, dimension: Dimension) -> list[Line]:
        return self.rows if dimension == "ROWS" else self.columns

    def insert(self, dimension: Dimension, start: int, n: int, by_program: bool = False) -> None:
        """Insert empty lines before the line `start`."""
        lines = self.lines(dimension)
        if not 0 <= start <= len(lines):
            raise Refused(f"insert at {start}: there are {len(lines)} {dimension}")
        lines[start:start] = [Line(by_program=by_program) for _ in range(n)]
        if dimension == "ROWS":
            self.cells[start:start] = [[""] * len(self.columns) for _ in range(n)]
            return
        for row in self.cells:
            row[start:start] = [""] * n

    def delete(self, dimension: Dimension, start: int, end: int) -> None:
        """Delete lines, and all that belongs to them."""
        self._check(dimension, start, end)
        if end - start == len(self.lines(dimension)):
            raise Refused(f"not all {dimension} can be deleted")
        for one in self._with_cells(dimension):
            del one[start:end]

    def move(self, dimension: Dimension, start: int, end: int, to: int) -> None:
        """Move lines so that they stand before what is now the line `to`."""
        self._check(dimension, start, end)
        if not 0 <= to <= len(self.lines(dimension)):
            raise Refused(f"move to {to}")
        if start <= to <= end:
            return
        for one in self._with_cells(dimension):
            moved = one[start:end]
            del one[start:end]
            at = to - len(moved) if to >= end else to
            one[at:at] = moved

    def sort(self, rows: slice, columns: slice, by: int) -> None:
        """Sort the cells of a range by a column; rows stay as they are, and keep their tags."""
        parts = [row[columns] for row in self.cells[rows]]
        keys = [row[by] for row in self.cells[rows]]
        order = sorted(range(len(parts)), key=lambda i: (not keys[i], keys[i]))
        for row, i in zip(self.cells[rows], order, strict=True):
            row[columns] = parts[i]

    def write(self, row: int, column: int, text: str) -> None:
        """Set a cell, unless a merge hides it."""
        if not self.is_hidden(row, column):
            self.cells[row][column] = text

    def merge(self, rows: slice, columns: slice) -> None:
        """Merge a range: of what stands there, its first cell alone stays."""
        if any(self.merge_at(r, c) for r in _of(rows) for c in _of(columns)):
            raise Refused("you cannot merge a merged range")
        self.merges.append((self.rows[rows], self.columns[columns]))
        for row in _of(rows):
            for column in _of(columns):
                if (row, column) != (rows.start, columns.start):
                    self.cells[row][column] = ""

    def merge_at(self, row: int, column: int) -> tuple[list[Line], list[Line]] | None:
        inside = (self.rows[row], self.columns[column])
        return next((m for m in self.merges if inside[0] in m[0] and inside[1] in m[1]), None)

    def is_hidden(self, row: int, column: int) -> bool:
        """Whether a cell lies in a merge, and is not its first."""
        merge = self.merge_at(row, column)
        if merge is None:
            return False
        first_row = next(line for line in self.rows if line in merge[0])
        first_column = next(line for line in self.columns if line in merge[1])
        return (self.rows[row], self.columns[column]) != (first_row, first_column)

    def _with_cells(self, dimension: Dimension) -> list[list[Any]]:
        """All lists in which a line stands for an entry."""
        return [self.rows, self.cells] if dimension == "ROWS" else [self.columns, *self.cells]

    def _check(self, dimension: Dimension, start: int, end: int) -> None:
        if not 0 <= start < end <= len(self.lines(dimension)):
            raise Refused(f"{start} to {end}: there are {len(self.lines(dimension))} {dimension}")


@dataclass
class Spreadsheet:
    """Some tabs."""

    tabs: list[Tab] = field(default_factory=list)

    def add_tab(
        self,
        title: str,
        cells: list[list[str]],
        number: int | None = None,
        by_program: bool = False,
    ) -> Tab:
        """A new tab; rows may be of different lengths."""
        numbers = [tab.number for tab in self.tabs]
        number = max(numbers, default=-1) + 1 if number is None else number
        if number in numbers or title in [tab.title for tab in self.tabs]:
            raise Refused(f"a tab {title!r} or {number} is there already")
        width = max(map(len, cells), default=0)
        columns = [Line(by_program=by_program) for _ in range(width)]
        filled = [row + [""] * (width - len(row)) for row in cells]
        tab = Tab(number, title, [Line() for _ in cells], columns, filled, by_program=by_program)
        self.tabs.append(tab)
        return tab

    def tab(self, number: int) -> Tab:
        found = next((tab for tab in self.tabs if tab.number == number), None)
        if found is None:
            raise Refused(f"no tab {number}")
        return found

    def titled(self, title: str) -> Tab:
        found = next((tab for tab in self.tabs if tab.title == title), None)
        if found is None:
            raise Refused(f"unable to parse range: {title}")
        return found

    def tags(self) -> Iterator[tuple[int, tuple[str, str], dict[str, Any]]]:
        """All tags: number, key and value, and location as the API tells it."""
        for tab in self.tabs:
            for tag, said in tab.tags.items():
                yield tag, said, {"sheetId": tab.number}
            for dimension in ("ROWS", "COLUMNS"):
                for i, line in enumerate(tab.lines(dimension)):
                    at = {"sheetId": tab.number, "dimension": dimension, "startIndex": i}
                    for tag, said in line.tags.items():
                        yield tag, said, {"dimensionRange": {**at, "endIndex": i + 1}}

    def tag(self, number: int, said: tuple[str, str], location: dict[str, Any]) -> None:
        """Tag a tab, or one row or column of it."""
        if any(number == tag for tag, _, _ in self.tags()):
            raise Refused(f"the metadata {number} is there already")
        if "dimensionRange" not in location:
            self.tab(location["sheetId"]).tags[number] = said
            return
        where = location["dimensionRange"]
        lines = self.tab(where["sheetId"]).lines(where["dimension"])
        if where["endIndex"] - where["startIndex"] != 1 or where["endIndex"] > len(lines):
            raise Refused("expected one row or column")
        lines[where["startIndex"]].tags[number] = said

    def people_cells(self) -> list[tuple[int, list[list[str]]]]:
        """What stands in all columns that people made, without what is empty at the ends."""
        return [(tab.number, _trimmed(tab)) for tab in self.tabs if not tab.by_program]


def _trimmed(tab: Tab) -> list[list[str]]:
    theirs = [i for i, column in enumerate(tab.columns) if not column.by_program]
    return trimmed([[row[i] for i in theirs] for row in tab.cells])


def trimmed(cells: list[list[str]]) -> list[list[str]]:
    """Cells without what is empty at the end of a row, or below."""
    rows = [row[: max((i + 1 for i, cell in enumerate(row) if cell), default=0)] for row in cells]
    return rows[: max((i + 1 for i, row in enumerate(rows) if row), default=0)]


def _of(span: slice) -> range:
    return range(span.start, span.stop)
