"""servers.yaml: what a lab says of its machines."""

import os
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from convscope.errors import UserError
from convscope.plain_yaml import load
from convscope.servers.admission.limits import Limits
from convscope.servers.collect_settings import CollectSettings, SheetSettings
from convscope.settings import Settings, validated


class Server(Settings):
    """One machine, under the name that people call it by."""

    host: str | None = None
    """Its host name, or that in ~/.ssh/config, where that is another."""

    disk: str = "/"
    """A folder on the disk to look at."""

    limits: Limits | None = None
    """What must be free on it; what is not given here is as for all servers."""


class ServersFile(Settings):
    """All that a servers file says."""

    limits: Limits | None = None
    """What must be free on every machine, those that are not under `servers` included."""

    servers: dict[str, Server] = Field(default_factory=dict)

    people: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Names as they stand in the sheet, and the logins of each."""

    time_zone: str = "UTC"
    """Of the times in the sheet, such as Europe/Berlin."""

    collect: CollectSettings = CollectSettings()
    sheet: SheetSettings | None = None

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones
            raise ValueError(f"expected a name such as Europe/Berlin, got {value!r:.40}") from None
        return value

    @model_validator(mode="after")
    def _one_person_a_login(self) -> "ServersFile":
        seen: dict[str, str] = {}
        for person, logins in self.people.items():
            for login in logins:
                if seen.setdefault(login, person) != person:
                    raise ValueError(
                        f"people: {login} is the login of {seen[login]} and of {person}: "
                        "keep one of them"
                    )
        return self

    @model_validator(mode="after")
    def _one_server_a_host(self) -> "ServersFile":
        seen: dict[str, str] = {}
        for name, server in self.servers.items():
            host = (server.host or name).lower()
            if host in seen:
                raise ValueError(
                    f"servers: {seen[host]} and {name} are the same host, {host}: keep one of them"
                )
            seen[host] = name
        return self

    def person_of(self, login: str) -> str | None:
        """The name in the sheet of a login; None where nobody's is known."""
        return next((name for name, logins in self.people.items() if login in logins), None)

    def name_of(self, hostname: str) -> str | None:
        """The name of the server that a machine is; None where it is none of them.

        It is found as in `limits_for`, otherwise by its name here, as its `host` may be only what
        ~/.ssh/config calls it.
        """
        by_host = (n for n, each in self.servers.items() if _same_host(hostname, each.host or n))
        by_name = (name for name in self.servers if _same_host(hostname, name))
        return next(by_host, None) or next(by_name, None)

    def limits_for(self, hostname: str) -> Limits | None:
        """The limits of one machine, its own laid over those for all; None where none are given.

        It is found under its name or its `host`, and up to the first dot where only one of the two
        is a full name: gpu7 is gpu7.lab.org.
        """
        for name, server in self.servers.items():
            if server.limits and _same_host(hostname, server.host or name):
                return server.limits.over(self.limits or Limits())
        return self.limits


def _same_host(one: str, other: str) -> bool:
    one, other = one.lower(), other.lower()
    return one == other or one == other.partition(".")[0] or other == one.partition(".")[0]


def read_servers_file(path: Path | None = None) -> ServersFile:
    """What the file `path` says, otherwise ./servers.yaml, otherwise that of the user's settings.

    Without any of them there are no servers and no limits.

    Raises:
        UserError: for a file that cannot be read, or whatever is wrong in it, naming the key.
    """
    found = path or next(filter(os.path.exists, _places()), None)
    if found is None:
        return ServersFile()
    try:
        return validated(ServersFile, _read_yaml(found), "file")
    except UserError as error:
        problem = str(error).removeprefix("file: ").removeprefix("file.")
        problem = re.sub(r": give it in the recipe or as \S+", "", problem)
        raise UserError(f"{found}: {problem}") from None


def _places() -> list[Path]:
    settings = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return [Path("servers.yaml"), Path(settings, "convscope", "servers.yaml")]


def _read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a file; an empty one has none."""
    try:
        values = load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("no such file: expected a servers file, such as servers.yaml") from None
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror}): expected a servers file") from None
    except ValueError as error:  # no text in UTF-8 either
        raise UserError(f"is not YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"expected keys such as servers and limits, got {values!r:.40}")
    return values
