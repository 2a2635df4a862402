"""A made-up Google on loopback: the Sheets API, and a token for a made-up service account.

The real client goes through it, over HTTP. It fails on demand: see `FAULTS`.
"""

import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from convscope.servers.demo.fake_sheets_api import Json, answer
from convscope.servers.demo.fake_spreadsheet import Refused, Spreadsheet

ACCOUNT = "status@made-up.iam.gserviceaccount.com"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

FAULTS = {
    "429": "refused: too many requests",
    "500": "an error before anything was done",
    "500 after": "an error after all was done",
    "cut": "the connection is cut before anything was done",
    "cut after": "the connection is cut after all was done",
    "late": "the connection is cut, and the request is done before a later one",
    "slow": "no answer before `hold` is set; then all is done",
    "revoked": "the token is not taken any more; another can be had",
    "garbage": "an answer that is no JSON",
}


class FakeSheets:
    """Spreadsheets by id, behind HTTP on loopback.

    Attributes:
        spreadsheets: by id; those that are not there are answered with 404.
        shared: the ids that the account may see; None: all.
        is_enabled: whether the project may use the API.
        faults: how the next requests fail, first in, first out; None: this one does not.
        strict: what `fake_sheets_api.answer` takes.
        key_works: whether the account's key is taken.
        n_reads, n_writes: requests that were let through.
        hold: see the fault `slow`.
    """

    def __init__(self) -> None:
        self.spreadsheets: dict[str, Spreadsheet] = {}
        self.shared: set[str] | None = None
        self.faults: deque[str | None] = deque()
        self.strict = False
        self.key_works = True
        self.is_enabled = True
        self.n_reads = self.n_writes = 0
        self.hold = threading.Event()
        self._tokens: set[str] = set()
        self._n_tokens = 0
        self._late: list[tuple[str, str, Json]] = []
        self._lock = threading.Lock()
        self._server = _server(self)

    @property
    def address(self) -> str:
        """What stands for https://sheets.googleapis.com/v4/spreadsheets."""
        return f"http://127.0.0.1:{self._server.server_port}/v4/spreadsheets"

    def write_key(self, path: Path) -> Path:
        """Write the made-up account's key file."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(_key(self._server.server_port)), encoding="utf-8")
        return path

    def give_token(self, form: dict[str, list[str]]) -> tuple[int, Json]:
        """The answer of the token endpoint."""
        if not self.key_works or form.get("grant_type") != [GRANT] or "assertion" not in form:
            said = "Invalid grant: account not found"
            return 400, {"error": "invalid_grant", "error_description": said}
        self._n_tokens += 1
        token = f"token-{self._n_tokens}"
        self._tokens.add(token)
        return 200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def give(self, token: str, path: str, body: Json) -> tuple[int, Any] | None:
        """Status and JSON of the answer to a request; None: the connection is to be cut."""
        with self._lock:
            fault = self.faults.popleft() if self.faults else None
        if fault == "slow":
            self.hold.wait()
        with self._lock:
            return self._give(fault, token, path, body)

    def _give(self, fault: str | None, token: str, path: str, body: Json) -> tuple[int, Any] | None:
        if fault == "revoked":
            self._tokens.clear()
        if token.removeprefix("Bearer ") not in self._tokens:
            return _error(401, "Request had invalid authentication credentials.")
        if fault in ("429", "500"):
            return _error(int(fault), "try later")
        if fault == "cut":
            return None
        found = re.fullmatch(r"/v4/spreadsheets/([^/:]+)(.*)", path)
        sheet_id, rest = (found[1], found[2]) if found else ("", "")
        if fault == "late":
            self._late.append((sheet_id, rest, body))
            return None
        self.do_late()
        given = self._answer(sheet_id, rest, body)
        if fault == "500 after":
            return _error(500, "try later")
        if fault == "garbage":
            return 200, "<html>"
        return None if fault == "cut after" else given

    def do_late(self) -> None:
        """Do what was asked for by requests that got no answer."""
        late, self._late = self._late, []
        for sheet_id, path, body in late:
            self._answer(sheet_id, path, body)

    def _answer(self, sheet_id: str, path: str, body: Json) -> tuple[int, Any]:
        if not self.is_enabled:
            return _error(403, "Google Sheets API has not been used in project 1 before")
        if sheet_id not in self.spreadsheets:
            return _error(404, "Requested entity was not found.")
        if self.shared is not None and sheet_id not in self.shared:
            return _error(403, "The caller does not have permission")
        if "pdate" in path:
            self.n_writes += 1
        else:
            self.n_reads += 1
        try:
            return 200, answer(self.spreadsheets[sheet_id], path, body, self.strict)
        except Refused as refused:
            return _error(400, str(refused))

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def fake_sheets() -> Iterator[FakeSheets]:
    """A made-up Google while the block lasts."""
    sheets = FakeSheets()
    sheets.start()
    try:
        yield sheets
    finally:
        sheets.stop()


def _error(code: int, message: str) -> tuple[int, Json]:
    return code, {"error": {"code": code, "message": message, "status": "ERROR"}}


def _server(sheets: FakeSheets) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _reply(self, body: bytes) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if path == "/token":
                self._send(*sheets.give_token(parse_qs(body.decode())))
                return
            asked = json.loads(body) if body else query
            given = sheets.give(self.headers.get("Authorization", ""), path, asked)
            if given is None:
                self.close_connection = True
            else:
                self._send(*given)

        def _send(self, code: int, said: Any) -> None:
            data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away is no error."""

    return Server(("127.0.0.1", 0), Handler)


def _key(port: int) -> Json:
    """A service account's key, with a private key made just now."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": "made-up",
        "private_key_id": "1",
        "private_key": private.decode(),
        "client_email": ACCOUNT,
        "client_id": "1",
        "token_uri": f"http://127.0.0.1:{port}/token",
    }
