"""Our columns in the lab's sheet: found by their tags, made where they are missing, kept right."""

from convscope.errors import UserError
from convscope.servers.servers_file import ServersFile
from convscope.servers.sheet.cells import Table, Wanted, changes, find_names, own_names
from convscope.servers.sheet.lease import Lease, lease_of
from convscope.servers.sheet.publish import COLUMNS, Texts
from convscope.servers.sheet_interface import Changes, Rows, Sheet, tag_of

LEASE_TICKS = 3
SERVER = "server"
"""The column of names in a tab of our own."""
TAB = "tab"
LEASE = "collector"
LEASE_TAG = tag_of(LEASE)
LEASE_TAB = "convscope"


class SheetTable:
    """The status of all servers in a spreadsheet.

    Args:
        sheet: the spreadsheet.
        servers: the servers file; it has the key `sheet`.
        collector: the name of this one among all that may write.

    Attributes:
        notes: what people should know after the last look, in lines.
    """

    def __init__(self, sheet: Sheet, servers: ServersFile, collector: str):
        if servers.sheet is None:
            raise UserError("the servers file names no sheet: expected the key sheet")
        self.notes: list[str] = []
        self._sheet = sheet
        self._servers = servers
        self._settings = servers.sheet
        self._collector = collector
        own = [SERVER] if self._settings.own_tab else []
        self._columns = {column: tag_of(column) for column in [*own, *self._settings.columns]}
        headings = {column: heading for column, (heading, _) in COLUMNS.items()}
        self._headers = {SERVER: self._settings.server_column, **headings}
        self._tags: dict[int, int] | None = None
        self._number: int | None = None

    def check(self) -> None:
        """Raise UserError where the tab or its column of names is missing."""
        tab = self._tab(self._sheet.tags())
        if tab is not None and not self._settings.own_tab:
            find_names(self._sheet.read(tab, ())[0], self._settings.server_column)

    def look(self, now: float, wanted: Texts) -> bool:
        """Read once and do what follows from it; whether nothing was left to do.

        Only one thing is done in a look, so that each starts from what stands there: a tab is
        made, or columns, or all cells that differ are written in one batch.
        """
        known, self._tags = self._tags, None
        tags = known or self._sheet.tags()
        tab = self._tab(tags)
        if LEASE_TAG not in tags:
            self._sheet.make_tab(self._free_title(), LEASE)
            return False
        if tab is None:
            self._sheet.make_tab(self._settings.tab, TAB, list(self._columns))
            return False
        asked = [tag for tag in (*self._columns.values(), LEASE_TAG) if tag in tags]
        rows, found = self._sheet.read(tab, asked)
        if known and len(found) < len(asked):
            return False  # people deleted something: the tags must be found again
        lease = lease_of(found.get(LEASE_TAG, []))
        if lease and lease.keeps_out(self._collector, now):
            self.notes = [f"{lease.holder} collects: this one waits until that ends"]
            return True
        missing = [column for column, tag in self._columns.items() if tag not in tags]
        if missing:
            self._sheet.make_columns(tab, max(map(len, rows), default=0), missing)
            return False
        self._tags = tags
        return self._write(now, Table(rows, self._cells(found)), wanted, lease)

    def release(self, now: float) -> None:
        """Let another collector write at once."""
        tab = self._sheet.tags().get(LEASE_TAG)
        held = None if tab is None else lease_of(self._sheet.read(tab, ())[0])
        if held and held.holder == self._collector:
            ended = Lease(self._collector, now, now)
            self._sheet.write({LEASE_TAG: ended.rows(self._servers.time_zone)})

    def _tab(self, tags: dict[int, int]) -> int | None:
        """The number of the tab with our columns; None where a tab of our own is to be made.

        Without any column of ours it is the one that it was, otherwise the one with that title.
        """
        found = next((tags[tag] for tag in self._columns.values() if tag in tags), None)
        if found is None:
            tabs = self._sheet.tabs()
            found = self._number if self._number in tabs.values() else self._titled(tabs)
        self._number = found
        return found

    def _titled(self, tabs: dict[str, int]) -> int | None:
        title, own = self._settings.tab, self._settings.own_tab
        if title in tabs and own:
            raise UserError(
                f"sheet.tab: {title!r} is there and not ours, but own_tab says that it is: "
                "expected another name, or own_tab: false"
            )
        if title not in tabs and not own:
            there = ", ".join(map(repr, tabs))
            raise UserError(f"sheet.tab: expected one of {there}, got {title!r}")
        return tabs.get(title)

    def _free_title(self) -> str:
        tabs = self._sheet.tabs()
        titles = [LEASE_TAB, *(f"{LEASE_TAB} {n}" for n in range(2, len(tabs) + 2))]
        return next(title for title in titles if title not in tabs)

    def _cells(self, found: dict[int, Rows]) -> dict[str, list[str]]:
        """The cells of each column of ours, from the first row on."""
        return {
            column: [row[0] if row else "" for row in found.get(tag, [])]
            for column, tag in self._columns.items()
        }

    def _write(self, now: float, table: Table, wanted: Texts, lease: Lease | None) -> bool:
        aim = self._aim(table, wanted)
        todo = changes(table, aim, self._headers)
        cells: dict[int, Changes] = {self._columns[column]: rows for column, rows in todo.items()}
        mine = lease and lease.holder == self._collector and lease.ticked == round(now)
        if mine and not cells:
            return True
        until = now + LEASE_TICKS * self._servers.collect.every_seconds
        cells[LEASE_TAG] = Lease(self._collector, now, until).rows(self._servers.time_zone)
        self._sheet.write(cells)
        return False

    def _aim(self, table: Table, wanted: Texts) -> Wanted:
        """What our columns must say in each row, as rows stand now."""
        header = self._settings.server_column
        if self._settings.own_tab:
            top, names = own_names(table.columns[SERVER], header, wanted)
            return Wanted(top, names, {name: {**row, SERVER: name} for name, row in wanted.items()})
        top, names = find_names(table.rows, header, wanted)
        self._note_names(names[top + 1 :], wanted)
        return Wanted(top, names, wanted)

    def _note_names(self, names: list[str], wanted: Texts) -> None:
        strange = sorted({name for name in names if name and name not in wanted})
        absent = [name for name in wanted if name not in names]
        self.notes = []
        if strange:
            self.notes.append(f"in the tab, but not in servers.yaml: {_listed(strange)}")
        if absent:
            self.notes.append(f"in servers.yaml, but in no row of the tab: {_listed(absent)}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
