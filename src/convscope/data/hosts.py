"""Where data lie may differ from host to host."""

import socket
from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic_core import PydanticKnownError

from convscope.errors import UserError

Folder: TypeAlias = str | dict[str, str] | None
"""One folder; or one for each host by its name, and `default` for all others."""

DEFAULT = "default"


def folder_here(folder: Folder) -> str | None:
    """The folder of this host, by its full name or that up to its first dot.

    Raises:
        UserError: where folders of other hosts are named alone.
    """
    if not isinstance(folder, dict):
        return folder
    host = socket.gethostname()
    for name in (host, host.partition(".")[0], DEFAULT):
        if name in folder:
            return folder[name]
    raise UserError(
        f"data.folder names no folder for this host, {host}, but for {', '.join(folder)}: add "
        f"data.folder.{host.partition('.')[0]} or data.folder.{DEFAULT}"
    )


def check_folder(value: Any) -> Folder:
    """A folder as a recipe gives it, before it is looked for.

    Raises:
        PydanticKnownError: for what is no text.
        ValueError: for folders of hosts that are not all text.
    """
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise PydanticKnownError("string_type")
    for host, folder in value.items():
        if not isinstance(host, str) or not isinstance(folder, str):
            raise ValueError(f"expected a folder for each host, got {folder!r:.80} for {host}")
    if not value:
        raise ValueError(f"expected a folder, or one for each host and for {DEFAULT}, got none")
    return dict(value)
