"""What servers.yaml says of polling, of the lab's sheet and of people."""

from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pydantic import Field, field_validator

from convscope.settings import Settings

SheetColumn: TypeAlias = Literal[
    "status",
    "since",
    "load",
    "memory",
    "gpus",
    "disk",
    "logged_in",
    "booked",
    "conflicts",
    "seen",
]
"""What a column of ours in the sheet can say of a server."""


class CollectSettings(Settings):
    """How servers are polled, and for how long what they said is kept."""

    every_seconds: float = Field(60, ge=5)
    """From one tick to the next."""

    answer_seconds: float = Field(30, gt=0)
    """A server that takes longer counts as not answering."""

    slow_seconds: float = Field(5, gt=0)
    """A server that takes longer than this to answer is slow."""

    stale_seconds: float = Field(300, gt=0)
    """What is older than this is no news any more, and says so."""

    down_after: int = Field(2, ge=1)
    """So many polls in a row must fail before a server counts as down."""

    keep_days: float = Field(90, gt=0)
    """History older than this is forgotten."""

    idle_utilisation: float = Field(0.05, ge=0, le=1)
    """A GPU that is less busy than this share while somebody holds memory on it is idle."""

    history: Path | None = None
    """The SQLite file; null: `history.sqlite` in the user's state folder."""

    webhook: str | None = None
    """An address that is told, by POST of JSON, when a server goes down or comes back."""

    @field_validator("webhook")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError(f"expected an address such as https://chat.lab.org/x, got {value!r}")
        return value


class BookingsSettings(Settings):
    """Where bookings stand: a tab whose first row names its columns."""

    tab: str
    person: str = "person"
    server: str = "server"
    gpu: str | None = None
    """The column of GPU numbers; null: a booking is of a whole server."""
    start: str = "from"
    end: str = "to"


class SheetSettings(Settings):
    """The lab's Google Sheet, and what of it is ours."""

    id: str = Field(min_length=10)
    """The long part of its address, between /d/ and /edit."""

    credentials: Path
    """The service account's key file (JSON), readable by nobody else."""

    tab: str
    """The tab in which a row stands for a server; with `own_tab`, the name of a tab of ours."""

    server_column: str = "server"
    """The header of the column with the servers' names."""

    own_tab: bool = False
    """Whether the tab is ours alone, to be made where it is not there."""

    columns: tuple[SheetColumn, ...] = get_args(SheetColumn)
    """Those that we make and fill."""

    bookings: BookingsSettings | None = None

    @field_validator("id", mode="before")
    @classmethod
    def _id_of_address(cls, value: Any) -> Any:
        """The whole address is taken as well."""
        return value.partition("/d/")[2].partition("/")[0] if "/d/" in str(value) else value
