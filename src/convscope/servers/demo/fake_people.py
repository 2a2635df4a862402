"""People who edit a made-up spreadsheet at random: all that the API's users fear."""

import copy
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from convscope.servers.demo.fake_spreadsheet import Line, Refused, Spreadsheet, Tab


@dataclass
class People:
    """Who edits the tab with the servers.

    They leave alone what the program cannot do without: the tab itself and the header of the
    servers' names. Into columns that a program made, they write as well.
    """

    spreadsheet: Spreadsheet
    number: int
    header: str
    servers: list[str]
    rng: random.Random
    written: "itertools.count[int]" = field(default_factory=itertools.count)

    def edit_at_random(self) -> str:
        """Do one thing; its name."""
        edit = self.rng.choice(EDITS)
        name = edit.__name__.strip("_")
        try:
            edit(self, self._tab())
        except Refused:
            return f"{name}, in vain"
        return name

    def mend(self) -> None:
        """Undo what a program cannot: merges, protection."""
        tab = self._tab()
        tab.merges.clear()
        tab.protected.clear()

    def _tab(self) -> Tab:
        return self.spreadsheet.tab(self.number)

    def top(self, tab: Tab) -> tuple[int, int]:
        """Where the header of the servers' names stands."""
        return next(
            (i, row.index(self.header)) for i, row in enumerate(tab.cells) if self.header in row
        )

    def text(self) -> str:
        """A text that stands nowhere else."""
        return f"note {next(self.written)}"


def _write(people: People, tab: Tab) -> None:
    """Write anywhere but over the header of names, into that column only servers."""
    row, column = people.rng.randrange(len(tab.rows)), people.rng.randrange(len(tab.columns))
    top, names = people.top(tab)
    if (row, column) == (top, names):
        return
    servers = [*people.servers, people.text(), ""]
    text = people.rng.choice(servers) if column == names and row > top else people.text()
    tab.write(row, column, text)


def _clear(people: People, tab: Tab) -> None:
    row, column = people.rng.randrange(len(tab.rows)), people.rng.randrange(len(tab.columns))
    if (row, column) != people.top(tab):
        tab.write(row, column, "")


def _insert_rows(people: People, tab: Tab) -> None:
    tab.insert("ROWS", people.rng.randint(0, len(tab.rows)), people.rng.randint(1, 3))


def _delete_row(people: People, tab: Tab) -> None:
    row = people.rng.randrange(len(tab.rows))
    if row != people.top(tab)[0] and len(tab.rows) > 4:
        tab.delete("ROWS", row, row + 1)


def _move_rows(people: People, tab: Tab) -> None:
    start = people.rng.randrange(len(tab.rows))
    end = people.rng.randint(start + 1, len(tab.rows))
    tab.move("ROWS", start, end, people.rng.randint(0, len(tab.rows)))


def _insert_columns(people: People, tab: Tab) -> None:
    tab.insert("COLUMNS", people.rng.randint(0, len(tab.columns)), people.rng.randint(1, 2))


def _delete_column(people: People, tab: Tab) -> None:
    column = people.rng.randrange(len(tab.columns))
    if column != people.top(tab)[1]:
        tab.delete("COLUMNS", column, column + 1)


def _move_columns(people: People, tab: Tab) -> None:
    start = people.rng.randrange(len(tab.columns))
    end = people.rng.randint(start + 1, len(tab.columns))
    tab.move("COLUMNS", start, end, people.rng.randint(0, len(tab.columns)))


def _sort(people: People, tab: Tab) -> None:
    """Sort what is below the header by any column: whole rows, or only some columns of them."""
    rows = slice(people.top(tab)[0] + 1, len(tab.rows))
    start = people.rng.choice([0, people.rng.randrange(len(tab.columns))])
    end = people.rng.choice([len(tab.columns), people.rng.randint(start + 1, len(tab.columns))])
    tab.sort(rows, slice(start, end), people.rng.randrange(len(tab.columns)))


def _merge(people: People, tab: Tab) -> None:
    row, column = people.rng.randrange(len(tab.rows)), people.rng.randrange(len(tab.columns))
    rows = slice(row, min(row + people.rng.randint(1, 2), len(tab.rows)))
    columns = slice(column, min(column + people.rng.randint(1, 2), len(tab.columns)))
    top, names = people.top(tab)
    if not (rows.start <= top < rows.stop and columns.start <= names < columns.stop):
        tab.merge(rows, columns)


def _unmerge(_: People, tab: Tab) -> None:
    tab.merges.clear()


def _protect(people: People, tab: Tab) -> None:
    tab.protected.append(people.rng.choice(tab.columns))


def _unprotect(_: People, tab: Tab) -> None:
    tab.protected.clear()


def _rename(people: People, tab: Tab) -> None:
    tab.title = people.text()


def _duplicate(people: People, tab: Tab) -> None:
    """A copy of the tab: all in it is people's, and its tags have other numbers."""
    cells = copy.deepcopy(tab.cells)
    made = people.spreadsheet.add_tab(people.text(), cells)
    for old, new in zip(tab.columns, made.columns, strict=True):
        _copy_tags(people, old, new)


def _copy_tags(people: People, old: Line, new: Line) -> None:
    for said in old.tags.values():
        new.tags[people.rng.randrange(2**31, 2**32)] = said


def _delete_tab(people: People, _: Tab) -> None:
    """Delete a tab that a program made."""
    tabs = people.spreadsheet.tabs
    tabs[:] = [tab for tab in tabs if not tab.by_program]


EDITS: list[Callable[[People, Tab], None]] = [
    *[_write] * 4,
    _clear,
    *[_insert_rows] * 3,
    *[_delete_row] * 2,
    *[_move_rows] * 2,
    *[_insert_columns] * 2,
    _delete_column,
    *[_move_columns] * 2,
    *[_sort] * 2,
    _merge,
    *[_unmerge] * 2,
    _protect,
    *[_unprotect] * 2,
    _rename,
    _duplicate,
    _delete_tab,
]
