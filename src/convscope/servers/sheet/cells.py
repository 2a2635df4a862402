"""Which cells of ours in the sheet must change. Pure."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from convscope.errors import UserError
from convscope.servers.sheet.publish import OURS, Texts
from convscope.servers.sheet_interface import Changes, Rows


@dataclass(frozen=True)
class Table:
    """A tab as it was at one moment.

    Attributes:
        rows: the whole of it.
        columns: the cells of our columns from the tab's first row on, by the column's name.
    """

    rows: Rows
    columns: Mapping[str, list[str]]

    @property
    def n_rows(self) -> int:
        return max(len(self.rows), *map(len, self.columns.values()), 0)


def find_names(rows: Rows, header: str, servers: Collection[str] = ()) -> tuple[int, list[str]]:
    """The row of the header (from 0), and the name in every row of its column, "" for none.

    Where it stands in several cells, it is the first of those above the most servers.

    Raises:
        UserError: where no cell is that header.
    """
    found = [
        (top, [each[left].strip() if left < len(each) else "" for each in rows])
        for top, row in enumerate(rows)
        for left, cell in enumerate(row)
        if cell.strip() == header
    ]
    if not found:
        raise UserError(
            f"sheet.server_column: no cell of the tab is {header!r}: expected it above the "
            "servers' names; write it there, or name another header in servers.yaml"
        )
    return max(found, key=lambda each: len({*each[1][each[0] + 1 :]} & {*servers}))


def own_names(names: list[str], header: str, servers: Collection[str]) -> tuple[int, list[str]]:
    """As `find_names` for a column of names that is ours: as it must be.

    Every server stands there once, in the row where it is first found, otherwise in a free one.
    """
    top = names.index(header) if header in names else 0
    kept = [name if i > top and name not in names[:i] else "" for i, name in enumerate(names)]
    kept = [name if name in servers else "" for name in kept]
    missing = deque(server for server in servers if server not in kept)
    kept += [""] * (top + 1 + len(servers) - len(kept))
    for i in range(top + 1, len(kept)):
        if not kept[i] and missing:
            kept[i] = missing.popleft()
    return top, kept


@dataclass(frozen=True)
class Wanted:
    """What our columns must say.

    Attributes:
        top: the row of the header, from 0; it and what is above are people's.
        names: the server of each row, "" for none.
        texts: what must stand in the row of each server; below the header nothing else stands.
    """

    top: int
    names: list[str]
    texts: Texts

    def below(self, column: str, row: int) -> str:
        """The text of a cell below the header."""
        name = self.names[row] if row < len(self.names) else ""
        return self.texts.get(name, {}).get(column, "")

    def slipped(self, text: str) -> bool:
        """Whether a text on or above the header is one of ours.

        It slips there where people insert or delete rows in the moment between our reading and our
        writing.
        """
        return text in self.texts or OURS.fullmatch(text) is not None


def changes(table: Table, wanted: Wanted, headers: dict[str, str]) -> dict[str, Changes]:
    """The cells that must change, by column; a column without an entry is right as it is.

    Of the header and what is above it, only an empty header is made again, and a text of ours that
    slipped there is taken away.

    Args:
        table: what stands there.
        wanted: what must stand there.
        headers: of each column; those that people changed are kept in it.
    """
    found: dict[str, Changes] = {}
    for column, cells in table.columns.items():
        header = cells[wanted.top] if wanted.top < len(cells) else ""
        if header and not wanted.slipped(header):
            headers[column] = header
        n_rows = max(table.n_rows, len(wanted.names), wanted.top + 1)
        rows = [[_change(column, cells, row, wanted, headers[column])] for row in range(n_rows)]
        while rows and rows[-1][0] is None:
            rows.pop()
        if rows:
            found[column] = rows
    return found


def _change(column: str, cells: list[str], row: int, wanted: Wanted, header: str) -> str | None:
    """What a cell must become; None where it is right."""
    cell = cells[row] if row < len(cells) else ""
    if row > wanted.top:
        right = wanted.below(column, row)
    elif row == wanted.top:
        right = header
    else:
        right = "" if wanted.slipped(cell) else cell
    return None if cell == right else right
