"""Tells an address when a server goes down or comes back: once, by POST of JSON."""

import json
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any, TypeAlias
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from convscope.servers.collecting.history import History
from convscope.servers.sensing.state import ServerState

SECONDS = 5.0
"""So long a tick waits for the address; its answer may come later."""

News: TypeAlias = dict[str, Any]
Post: TypeAlias = Callable[[str, bytes], None]
"""Sends a body to an address, and raises where it was not taken."""


class Webhook:
    """The listener that tells; what could not be told is tried again at the next tick.

    All that changed in a tick is one POST of {"text": …, "servers": […]}; chat programs show the
    text. Of a server that is up when it is first seen nothing is told; of one that is down, that.
    What was told is kept in the history, so that a new start of the collector tells nothing twice.
    """

    def __init__(self, address: str, history: History, post: Post | None = None) -> None:
        self._address = address
        self._history = history
        self._told = history.down_told()
        self._is_kept = True
        self._post = post or post_json
        self._under_way: tuple[Thread, list[Exception], set[str]] | None = None

    def __call__(
        self, _now: float, states: Mapping[str, ServerState], _before: Mapping[str, ServerState]
    ) -> None:
        """Tell what is new.

        Raises:
            ConnectionError: where the address did not take it.
            sqlite3.Error: where it did, but the history cannot keep that.
        """
        self._settle()
        found = news(states, self._told)
        if found:
            down = {each["server"] for each in found if each["status"] == "down"}
            back = {each["server"] for each in found if each["status"] != "down"}
            self._send(message(found), (self._told | down) - back)
            self._settle()
        self._keep()

    def _send(self, body: bytes, told: set[str]) -> None:
        errors: list[Exception] = []

        def work() -> None:
            try:
                self._post(self._address, body)
            except Exception as error:
                errors.append(error)

        thread = Thread(target=work, daemon=True)
        thread.start()
        self._under_way = thread, errors, told
        thread.join(SECONDS)

    def _settle(self) -> None:
        """Heed what was told; as long as a sending is under way, nothing else is sent."""
        if self._under_way is None:
            return
        thread, errors, told = self._under_way
        if thread.is_alive():
            raise ConnectionError(f"{_host(self._address)} has not answered yet")
        self._under_way = None
        if errors:
            raise ConnectionError(f"{_host(self._address)}: {_why(errors[0])}")
        self._told, self._is_kept = told, False

    def _keep(self) -> None:
        """A history that cannot be written for a while makes nothing be told twice."""
        if not self._is_kept:
            self._history.tell_down(self._told)
            self._is_kept = True


def news(states: Mapping[str, ServerState], told: set[str]) -> list[News]:
    """The servers that are down and of which that was not told, and those that came back."""
    return [
        {
            "server": state.server,
            "status": state.status,
            "since": state.since,
            "problem": state.problem,
        }
        for state in states.values()
        if (state.status == "down") != (state.server in told) and state.status != "unknown"
    ]


def message(found: list[News]) -> bytes:
    """The body of a POST, JSON in UTF-8."""
    return json.dumps({"text": "\n".join(map(_line, found)), "servers": found}).encode()


def _line(each: News) -> str:
    if each["status"] != "down":
        return f"{each['server']} is back"
    return f"{each['server']} is down: {each['problem'] or 'it does not answer'}"


def post_json(address: str, body: bytes) -> None:
    """POST a body of JSON; one that is sent elsewhere by a redirect would arrive without it.

    Raises:
        OSError: where the address cannot be reached, or answers anything but 2xx.
    """
    request = Request(address, body, {"Content-Type": "application/json"})
    try:
        build_opener(_NoRedirect).open(request, timeout=SECONDS).close()
    except HTTPError as error:
        error.close()
        raise ConnectionError(f"answers {error.code}") from None


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: the answer counts as an error."""


def _why(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", error)).split())[:200] or type(error).__name__


def _host(address: str) -> str:
    """What of the address is no secret: chat programs put one into its path."""
    return f"the webhook at {urlsplit(address).hostname}"
