"""The way to a Google Sheet: the key file of a service account, and the client that uses it."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convscope.errors import UserError
from convscope.servers.collect_settings import SheetSettings
from convscope.servers.sheet.google_sheet import ADDRESS, GUIDE, GoogleSheet

SCOPES = ["https://www.googleapis.com/auth/spreadsheets"]
SECONDS = 30.0
"""The time that Google has to answer."""


def open_google_sheet(settings: SheetSettings, address: str = ADDRESS) -> GoogleSheet:
    """The sheet of the settings; nothing is asked of Google yet.

    Args:
        settings: the key `sheet` of the servers file.
        address: of the Sheets API, or of what stands for it.

    Raises:
        UserError: where gspread is not installed, or the key file is missing, readable by others,
            no JSON, or no service account's. What it holds is never told.
    """
    try:
        from google.oauth2.service_account import Credentials
        from gspread.http_client import HTTPClient
    except ImportError:
        raise UserError("a Google Sheet needs gspread: pip install 'convscope[sheets]'") from None
    path = settings.credentials.expanduser()
    key = _read_key(path)
    made_of: Callable[..., Any] = Credentials.from_service_account_info
    try:
        credentials = made_of(key, scopes=SCOPES)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(_no_key(path, "something else")) from None
    if address != ADDRESS:
        credentials._after_refresh = _nothing  # else it asks Google where the account may be used
    client = HTTPClient(credentials)
    client.set_timeout(SECONDS)
    return GoogleSheet(client, settings.id, str(key["client_email"]), address)


def _nothing(*_: Any) -> None:
    pass


def _read_key(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UserError(
                    f"sheet.credentials: {path} can be read by others (mode "
                    f"{stat.S_IMODE(mode):o}), expected by you alone: run chmod 600 {path}"
                )
            key = json.load(file)
    except OSError as error:
        raise UserError(
            f"sheet.credentials: {path} cannot be read ({error.strerror}): "
            f"expected a service account's key file, {GUIDE}"
        ) from None
    except (ValueError, RecursionError):
        raise UserError(_no_key(path, "no JSON")) from None
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise UserError(_no_key(path, "other JSON"))
    return key


def _no_key(path: Path, got: str) -> str:
    return f"sheet.credentials: {path}: expected a service account's key file, got {got}: {GUIDE}"
