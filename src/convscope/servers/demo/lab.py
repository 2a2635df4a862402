"""An hour of a made-up lab: servers, people, a sheet on loopback; no GPU and no network."""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from convscope.servers.collecting.collect import Listeners, Reporter, States, collect_once
from convscope.servers.collecting.history import History
from convscope.servers.collecting.webhook import Webhook
from convscope.servers.demo.fake_people import People
from convscope.servers.demo.fake_sheets import FakeSheets, fake_sheets
from convscope.servers.demo.fake_spreadsheet import Spreadsheet
from convscope.servers.sensing.state import Poll
from convscope.servers.servers_file import Server, ServersFile
from convscope.servers.sheet.listener import SheetListener
from convscope.servers.sheet.open_sheet import open_google_sheet

GIB = 2**30
MINUTE = 60.0
START = datetime(2019, 11, 21, 9, 0, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
SHEET_ID = "made-up-sheet"
LOGINS = ("anna", "ben", "chris")
ROWS = [
    ["server", "GPUs", "notes"],
    ["gpu1", "2", "please book before you train"],
    ["gpu2", "1", ""],
    ["gpu3", "1", "new power supply in March"],
    ["cpu1", "0", "no GPU, much memory"],
]
BOOKINGS = [
    ["person", "server", "gpu", "from", "to"],
    ["Anna", "gpu1", "0", "21.11.2019 09:00", "21.11.2019 18:00"],
    ["Ben", "gpu2", "", "21.11.2019", "22.11.2019"],
    ["Chris", "gpu1", "0", "21.11.2019 09:30", "21.11.2019 12:00"],
    ["Dora", "gpu9", "", "21.11.2019", "21.11.2019"],
]
SERVERS = {"gpu1": 2, "gpu2": 1, "gpu3": 1, "cpu1": 0}
"""Names, and GPUs of each."""
GONE = range(10, 25)
"""The minutes in which gpu3 does not answer."""


class MadeUp:
    """Servers whose state is a made-up function of the minute.

    Attributes:
        minute: it is now.
    """

    def __init__(self, seed: int = 0) -> None:
        self.minute = 0
        self._seed = seed

    @property
    def now(self) -> float:
        return START + self.minute * MINUTE

    def ask(self, name: str, _server: Server, seconds: float) -> Poll:
        """What a poll of a server gives, as `Ssh.ask`."""
        if name == "gpu3" and self.minute in GONE:
            return Poll(name, self.now, seconds, problem=f"does not answer within {seconds:g} s")
        rng = random.Random(f"{self._seed} {name} {self.minute}")
        slow = name == "cpu1" and self.minute >= 40
        return Poll(name, self.now, 9.5 if slow else 0.2, self._record(name, rng))

    def _record(self, name: str, rng: random.Random) -> dict[str, Any]:
        cores = 64 if name == "cpu1" else 16
        used = (rng.random() + 1) * 20 * GIB
        return {
            "time": self.now,
            "hostname": name,
            "uptime_s": 12 * 86400 + self.minute * MINUTE,
            "cores": cores,
            "load_1m": round(cores * rng.uniform(0.1, 0.6), 2),
            "load_5m": None,
            "load_15m": None,
            "memory_total_bytes": 128 * GIB,
            "memory_used_bytes": round(used),
            "memory_available_bytes": round(128 * GIB - used),
            "disk_total_bytes": 4000 * GIB,
            "disk_free_bytes": 900 * GIB,
            "logged_in": [LOGINS[self.minute // 20 % 3]],
            "gpus": [self._gpu(name, index, rng) for index in range(SERVERS[name])],
            "problems": [],
        }

    def _gpu(self, name: str, index: int, rng: random.Random) -> dict[str, Any]:
        owner = self._owner(name, index)
        used = 6 * GIB if owner else GIB // 100
        holder = {"pid": 4000 + index, "memory_bytes": used, "owner": owner, "command": "python"}
        return {
            "index": index,
            "name": "Made-up 2080",
            "uuid": f"GPU-{name}-{index}",
            "memory_total_bytes": 11 * GIB,
            "memory_used_bytes": used,
            "memory_free_bytes": 11 * GIB - used,
            "utilisation": round(rng.uniform(0.7, 1.0), 2) if owner == "anna" else 0.0,
            "temperature_c": 71 if owner == "anna" else 40,
            "power_w": 210.0 if owner == "anna" else 25.0,
            "processes": [{**holder, "started": round(START)}] if owner else [],
        }

    def _owner(self, name: str, index: int) -> str | None:
        """Anna trains; chris holds a GPU that he does not use; ben has booked and does not come."""
        match name, index:
            case "gpu1", 0:
                return "anna"
            case "gpu1", 1:
                return "chris" if self.minute >= 15 else None
        return None


class Lab:
    """The made-up lab: its servers file, its sheet, and people who edit that meanwhile.

    Args:
        google: what stands for Google.
        folder: for the key file and the history.
        people_edit: whether people insert, sort, move and delete between the minutes.
    """

    def __init__(self, google: FakeSheets, folder: Path, people_edit: bool = True) -> None:
        self.made_up = MadeUp()
        self.servers = _servers_file(google, folder)
        self.spreadsheet = google.spreadsheets[SHEET_ID] = Spreadsheet()
        number = self.spreadsheet.add_tab("Servers", [list(row) for row in ROWS]).number
        self.spreadsheet.add_tab("Bookings", [list(row) for row in BOOKINGS])
        self._people = (
            People(self.spreadsheet, number, "server", list(SERVERS), random.Random(0))
            if people_edit
            else None
        )
        self._address = google.address

    def hour(self, minutes: int, tell: Callable[[str], None]) -> States:
        """The states after so many minutes; what happens is told, a line each, with its time."""
        settings = self.servers.sheet
        assert settings
        states: States = {}

        def say(line: str) -> None:
            clock = datetime.fromtimestamp(self.made_up.now, ZoneInfo(self.servers.time_zone))
            tell(f"{clock:%H:%M}  {line}")

        sheet = SheetListener(
            open_google_sheet(settings, self._address), self.servers, say, "the demo"
        )
        with closing(History(self.servers.collect, lambda: sheet.bookings)) as history:
            webhook = Webhook("https://chat.made-up", history, lambda _, body: say(_told(body)))
            listeners = Listeners(
                {
                    "the log": Reporter(self.servers, say),
                    "the sheet": sheet,
                    "the history": history,
                    "the webhook": webhook,
                },
                say,
            )
            for self.made_up.minute in range(minutes):
                before, states = states, collect_once(self.servers, states, self.made_up.ask)
                listeners(self.made_up.now, states, before)
                if self._people and self.made_up.minute % 5 == 4:
                    say(f"somebody edits the sheet: {self._people.edit_at_random()}")
        return states

    def rows(self) -> Sequence[Sequence[str]]:
        """The tab of the servers, as it stands now."""
        return self.spreadsheet.tabs[0].cells


def lab_hour(
    folder: Path, minutes: int, tell: Callable[[str], None], people_edit: bool = True
) -> tuple[Lab, States]:
    """An hour, or so many minutes, of the made-up lab, in a few seconds."""
    with fake_sheets() as google:
        lab = Lab(google, folder, people_edit)
        return lab, lab.hour(minutes, tell)


def _servers_file(google: FakeSheets, folder: Path) -> ServersFile:
    return ServersFile.model_validate(
        {
            "servers": {name: {} for name in SERVERS},
            "people": {"Anna": ["anna"], "Ben": ["ben"], "Chris": ["chris"]},
            "time_zone": "Europe/Berlin",
            "collect": {"history": folder / "history.sqlite"},
            "sheet": {
                "id": SHEET_ID,
                "credentials": google.write_key(folder / "key.json"),
                "tab": "Servers",
                "bookings": {"tab": "Bookings", "gpu": "gpu"},
            },
        }
    )


def _told(body: bytes) -> str:
    return f"the webhook is told: {json.loads(body)['text']}"


def without_empty(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    """Rows of a sheet without those, and the columns, in which nothing stands."""
    filled = [list(row) for row in rows if any(row)]
    columns = [column for column in zip(*filled, strict=True) if any(column)]
    return [list(row) for row in zip(*columns, strict=True)]
