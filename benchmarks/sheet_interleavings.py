"""Does a person's cell ever change, and does the status end right, whatever happens meanwhile?

    python benchmarks/sheet_interleavings.py --n 10000

Each interleaving is a sheet of its own, into which two collectors write through the real client.
Between any two of their calls a person may edit at random (insert, delete, move, sort, merge,
protect, rename, copy the tab, write over our cells); a call may be refused, fail before or after it
was done, be done late, lose its token, or another collector's whole tick may come between. After
every call all that people made must be as before it. Then people rest, and one tick, of the same
collector or of one that starts anew, must put all right.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from convscope.servers.demo.fake_people import People
from convscope.servers.demo.fake_sheets import FAULTS, FakeSheets, fake_sheets
from convscope.servers.demo.fake_spreadsheet import Spreadsheet, Tab
from convscope.servers.sensing.state import ServerState
from convscope.servers.servers_file import ServersFile
from convscope.servers.sheet.listener import SheetListener
from convscope.servers.sheet.open_sheet import open_google_sheet
from convscope.servers.sheet.publish import COLUMNS, texts
from convscope.servers.sheet_interface import Sheet, tag_of

SHEET_ID = "made-up-sheet"
HEADER = "Server"
SERVERS = ["ada", "bob", "cyd"]
TICKS = 3
METHODS = ("tabs", "tags", "read", "read_tab", "write", "make_tab", "make_columns")
INTERLEAVED_FAULTS = [fault for fault in FAULTS if fault != "slow"]


class Broken(AssertionError):
    """A promise that was not kept."""


class Interrupted:
    """A sheet between whose calls `happens` is called; no call may change what people made."""

    def __init__(self, sheet: Sheet, spreadsheet: Spreadsheet, happens: Callable[[], None]):
        for name in METHODS:
            setattr(self, name, self._wrapped(getattr(sheet, name)))
        self._spreadsheet = spreadsheet
        self.happens = happens

    def _wrapped(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any) -> Any:
            self.happens()
            before = self._spreadsheet.people_cells()
            try:
                return call(*args)
            finally:
                if self._spreadsheet.people_cells() != before:
                    raise Broken(f"{call.__name__}{args} changed what people made")

        return wrapped


@contextmanager
def made_up_google(folder: Path) -> Iterator[tuple[FakeSheets, Sheet, ServersFile]]:
    """A made-up Google, the real client for it, and what servers.yaml says."""
    with fake_sheets() as google:
        key = google.write_key(folder / "key.json")
        sheet = {"id": SHEET_ID, "credentials": key, "tab": "Servers", "server_column": HEADER}
        columns = {"columns": ("status", "load", "seen")}
        file = {"servers": {name: {} for name in SERVERS}, "sheet": {**sheet, **columns}}
        servers = ServersFile.model_validate(file)
        assert servers.sheet
        yield google, open_google_sheet(servers.sheet, google.address), servers


class Interleaving:
    """One sheet, two collectors, and people."""

    def __init__(self, google: FakeSheets, sheet: Sheet, servers: ServersFile, seed: int):
        self.happened: Counter[str] = Counter()
        self._google = google
        self._servers = servers
        self._rng = random.Random(seed)
        self._spreadsheet = google.spreadsheets[SHEET_ID] = Spreadsheet()
        self._tab = self._spreadsheet.add_tab("Servers", _first_cells(self._rng)).number
        self._people = People(self._spreadsheet, self._tab, HEADER, SERVERS, self._rng)
        self._lines: list[str] = []
        self._sheet: Any = Interrupted(sheet, self._spreadsheet, _nothing)
        self._listeners = [self._listener(name) for name in "AB"]
        self._now = 1.7e9
        self._inside = False
        google.strict = self._rng.random() < 0.5

    def run(self) -> None:
        """Ticks while people edit and calls fail, then one in peace.

        Raises:
            Broken: where a promise was not kept.
        """
        for listener in self._listeners:
            listener.check()  # from now on they know the tab, whatever it is called
        self._sheet.happens = self._something
        for _ in range(TICKS):
            self._tick(self._listeners[0])
            self._now += self._rng.choice([60, 60, 2000])
        self._sheet.happens = _nothing
        self._people.mend()
        self._google.faults.clear()
        self._google.do_late()
        self._now += 10000
        states = self._tick(self._last_listener())
        try:
            wanted = texts(states, (), self._now, self._servers)
            check_status(self._spreadsheet.tab(self._tab), wanted)
        except Broken as broken:
            raise Broken(f"{broken}; told: {self._lines}") from None

    def _listener(self, name: str) -> SheetListener:
        return SheetListener(self._sheet, self._servers, self._lines.append, name)

    def _tick(self, listener: SheetListener, later: float = 0) -> dict[str, ServerState]:
        states = _states(self._rng, self._now)
        listener(self._now + later, states, {})
        self.happened["tick"] += 1
        return states

    def _last_listener(self) -> SheetListener:
        """The same collector, or a new one, which finds the tab by our columns."""
        columns = self._spreadsheet.tab(self._tab).columns
        if self._rng.random() < 0.5 or not any(column.tags for column in columns):
            return self._listeners[0]
        self.happened["a collector starts anew"] += 1
        return self._listener("C")

    def _something(self) -> None:
        """What happens between two calls."""
        for _ in range(self._rng.choice([0, 1, 1, 2])):
            self.happened[f"people: {self._people.edit_at_random()}"] += 1
        self._google.faults.clear()
        if self._rng.random() < 0.15:
            self._google.faults.append(self._rng.choice(INTERLEAVED_FAULTS))
            self.happened[f"fault: {self._google.faults[0]}"] += 1
        if not self._inside and self._rng.random() < 0.05:
            self._inside = True
            self.happened["another collector's tick between two calls"] += 1
            self._tick(self._listeners[1], self._rng.choice([0, 1000]))
            self._inside = False


def _nothing() -> None:
    """Nothing happens."""


def _first_cells(rng: random.Random) -> list[list[str]]:
    """A title or none, the header, and a row a server in any order."""
    names = rng.sample(SERVERS, len(SERVERS))
    title = [["Who has which server?"]] if rng.random() < 0.5 else []
    head = ["Person", HEADER, "Until"]
    rows = [[f"person {i}", name, f"day {i}"] for i, name in enumerate(names)]
    return [*title, head, *rows, ["", "", ""], ["remarks"]]


def _states(rng: random.Random, now: float) -> dict[str, ServerState]:
    return {name: _state(rng, name, now) for name in SERVERS}


def _state(rng: random.Random, name: str, now: float) -> ServerState:
    record = {"load_1m": round(rng.random() * 99, 1), "cores": 8}
    status = rng.choice(["up", "slow", "down"])
    return ServerState(name, status, now, record, now - rng.choice([0, 9999]))  # type: ignore[arg-type]


def check_status(tab: Tab, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Raise Broken unless our columns say what is wanted, and nothing else below the header.

    It is read off the cells themselves, by names in rows, with none of the program's own code.
    """
    top = next(i for i, row in enumerate(tab.cells) if HEADER in row)
    names = tab.cells[top].index(HEADER)
    for column in ("status", "load", "seen"):
        at = [i for i, line in enumerate(tab.columns) if tag_of(column) in line.tags]
        if len(at) != 1:
            raise Broken(f"{len(at)} columns for {column}")
        for row in tab.cells[top + 1 :]:
            right = wanted.get(row[names].strip(), {}).get(column, "")
            if row[at[0]] != right:
                raise Broken(f"{column} of {row[names]!r}: {row[at[0]]!r}, expected {right!r}")
        header = tab.cells[top][at[0]]
        if header != COLUMNS[column][0] and not header.startswith("note"):
            raise Broken(f"the header of {column} became {header!r}")


def main() -> None:
    """Print how often what happened; end at the first promise that was not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0, help="of the first")
    given = parser.parse_args()
    happened: Counter[str] = Counter()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, made_up_google(Path(folder)) as google:
        for seed in range(given.seed, given.seed + given.n):
            try:
                interleaving = Interleaving(*google, seed)
                interleaving.run()
                happened += interleaving.happened
            except BaseException:
                print(f"seed {seed}:")
                raise
        print(
            f"{given.n} interleavings in {time.perf_counter() - began:.0f} s: no cell of people "
            f"changed, every status ended right; {google[0].n_reads} reads, "
            f"{google[0].n_writes} writes"
        )
    for what, n in sorted(happened.items()):
        print(f"{n:8} {what}")


if __name__ == "__main__":
    main()
