"""What servers.yaml says of polling, of the lab's sheet and of people."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

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


def _expanded(path: Path) -> Path:
    """A path in which ~ is a home folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"expected a path, got {str(path)!r:.80}, nobody's home folder") from None


UserPath = Annotated[Path, AfterValidator(_expanded)]
"""A path that may begin with ~."""


class CollectSettings(Settings):
    """How servers are polled, and for how long what they said is kept."""

    every_seconds: float = Field(60, ge=5, le=28800)
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

    history: UserPath | None = None
    """The SQLite file; null: `history.sqlite` in the user's state folder."""

    webhook: str | None = None
    """An address that is told, by POST of JSON, when a server goes down or comes back."""

    @field_validator("webhook", mode="before")
    @classmethod
    def _is_an_address(cls, value: Any) -> Any:
        """What stands there is never told, as it may hold a secret."""
        if value is not None and not (isinstance(value, str) and _is_web_address(value)):
            raise ValueError("expected an address such as https://chat.lab.org/x, got another text")
        return value


def _is_web_address(text: str) -> bool:
    """Whether a text can be sent to as it stands, without a blank or anything to be encoded."""
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_whole and parts.scheme in ("http", "https") and all("!" <= c <= "~" for c in text)


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

    credentials: UserPath
    """The service account's key file (JSON), readable by nobody else."""

    tab: str = Field(min_length=1)
    """The tab in which a row stands for a server; with `own_tab`, the name of a tab of ours."""

    server_column: str = Field("server", min_length=1)
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
        found = re.search(r"/d/([A-Za-z0-9_-]+)", str(value))
        return found[1] if found else value
