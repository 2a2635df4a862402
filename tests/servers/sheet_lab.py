"""A lab's made-up sheet, reached through the real client."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from convscope.servers.demo.fake_sheets import FakeSheets, fake_sheets
from convscope.servers.demo.fake_spreadsheet import Spreadsheet, Tab
from convscope.servers.sensing.state import ServerState
from convscope.servers.servers_file import ServersFile
from convscope.servers.sheet.google_sheet import GoogleSheet
from convscope.servers.sheet.listener import SheetListener
from convscope.servers.sheet.open_sheet import open_google_sheet
from convscope.servers.sheet.publish import COLUMNS
from convscope.servers.sheet_interface import tag_of

SHEET_ID = "made-up-sheet"
NOW = 1_763_715_600.0  # 2025-11-21 10:00 in Berlin
ROWS = [
    ["Our servers"],
    ["Person", "Server", "Until"],
    ["Anna", "gpu1", "Friday"],
    ["", "gpu2"],
    ["call the workshop before touching gpu3!"],
]


@dataclass
class SheetLab:
    """A made-up Google with one sheet, and what a collector needs for it."""

    google: FakeSheets
    key: Path
    tab: str = "Servers"
    lines: list[str] = field(default_factory=list)

    @property
    def spreadsheet(self) -> Spreadsheet:
        return self.google.spreadsheets[SHEET_ID]

    def servers(self, **sheet: Any) -> ServersFile:
        said = {
            "id": SHEET_ID,
            "credentials": self.key,
            "tab": "Servers",
            "server_column": "Server",
        }
        return ServersFile.model_validate(
            {
                "servers": {"gpu1": {}, "gpu2": {}},
                "time_zone": "Europe/Berlin",
                "people": {"Anna": ["anna"]},
                "sheet": {**said, "server_column": "Server", **sheet},
            }
        )

    def sheet(self) -> GoogleSheet:
        settings = self.servers().sheet
        assert settings
        return open_google_sheet(settings, self.google.address)

    def listener(self, collector: str = "me", **sheet: Any) -> SheetListener:
        return SheetListener(self.sheet(), self.servers(**sheet), self.lines.append, collector)

    def theirs(self) -> Tab:
        """The tab of the lab."""
        return self.spreadsheet.titled(self.tab)

    def says(self, column: str, title: str | None = None) -> list[str]:
        """What stands in a column of ours, from the first row on."""
        tab = self.spreadsheet.titled(title or self.tab)
        at = next(i for i, line in enumerate(tab.columns) if tag_of(column) in line.tags)
        return [row[at] for row in tab.cells]


def states(status: str = "up", time: float = NOW) -> dict[str, ServerState]:
    """gpu1 as it is told, gpu2 down."""
    record = {"load_1m": 2.0, "cores": 8}
    up = ServerState("gpu1", status, time, record, time)  # type: ignore[arg-type]
    return {"gpu1": up, "gpu2": ServerState("gpu2", "down", time)}


@pytest.fixture(name="google", scope="session")
def made_up_google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeSheets, Path]]:
    with fake_sheets() as sheets:
        yield sheets, sheets.write_key(tmp_path_factory.mktemp("key") / "key.json")


@pytest.fixture(name="lab")
def made_up_lab(google: tuple[FakeSheets, Path]) -> SheetLab:
    """A lab's sheet as nobody has touched it yet."""
    sheets, key = google
    sheets.spreadsheets = {SHEET_ID: Spreadsheet()}
    sheets.spreadsheets[SHEET_ID].add_tab("Servers", [list(row) for row in ROWS])
    sheets.faults.clear()
    sheets.strict, sheets.key_works, sheets.shared = False, True, None
    sheets.is_enabled = True
    sheets.n_reads = sheets.n_writes = 0
    return SheetLab(sheets, key)


HEADINGS = [heading for heading, _ in COLUMNS.values()]
