"""Who may ask for what: checked before any page sees a request, said again on every answer."""

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; frame-ancestors 'none'; form-action 'self'; "
    "base-uri 'none'"
)

HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
}

LOOPBACK = ("127.0.0.1", "localhost", "::1")

TOKEN_BYTES = 24


@dataclass(frozen=True)
class Access:
    """Who may do what.

    Attributes:
        port: that is listened on.
        is_public: whether another address than this machine's own is listened on: then a token is
            needed to read as well as to change.
        names: of hosts by which the explorer may be called, beside its own.
        token: proves that somebody was told the address by who started the explorer.
    """

    port: int
    is_public: bool = False
    names: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES), repr=False)

    @property
    def cookie(self) -> str:
        """Its name: cookies do not tell ports apart, and two explorers may run."""
        return f"convscope-{self.port}"

    def knows_host(self, host: str) -> bool:
        """Whether a `Host` header is one of ours, and not of a page whose name was bound to us.

        An address in numbers cannot be bound again; a name can.
        """
        name, port = split_host(host)
        if port not in (None, self.port):
            return False
        if name in LOOPBACK or name in self.names:
            return True
        return self.is_public and _is_address(name)

    def is_proven(self, cookies: str) -> bool:
        """Whether the cookie holds the token."""
        try:
            kept = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return False
        return kept is not None and self.is_token(kept.value)

    def is_token(self, given: str) -> bool:
        """Whether it is the token, in a time that says nothing about it."""
        return hmac.compare_digest(given.encode(), self.token.encode())


def split_host(host: str) -> tuple[str, int | None]:
    """The name and the port of a `Host` header; port 0 where it is none."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, ""
    number = int(port) if port.isascii() and port.isdigit() else 0
    return name.strip("[]").lower(), number if colon and port else None


class Guard:
    """Around the application: refuses what comes from elsewhere, and puts its headers on answers.

    1. The host must be ours (DNS rebinding).
    2. `?token=…` becomes a cookie, and leaves the address.
    3. Without the cookie a public explorer shows nothing.
    4. What changes anything must come from a page of ours, and with the cookie.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        scope.setdefault("state", {})["may_change"] = self.access.is_proven(
            headers.get("cookie", "")
        )
        answer = self._refusal(scope, headers) or self.app
        await answer(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """What is answered in place of the page; None where it may be seen."""
        host = headers.get("host", "")
        if not self.access.knows_host(host):
            return _say(421, f"This explorer is not {host!r}: open it by the address it printed.")
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if given is not None and self.access.is_token(given) and scope["method"] == "GET":
            return self._welcome(scope, [(k, v) for k, v in query if k != "token"])
        may_change = scope["state"]["may_change"]
        if self.access.is_public and not may_change:
            return _say(401, "Open the address that convscope serve printed, with its token.")
        if scope["method"] in ("GET", "HEAD"):
            return None
        if headers.get("origin") != f"http://{host}":
            return _say(403, "Only a page of this explorer may change something.")
        if not may_change:
            return _say(403, "To change something, open the address that convscope serve printed.")
        return None

    def _welcome(self, scope: Scope, query: list[tuple[str, str]]) -> Response:
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        path = "/" + path.lstrip("/\\")  # two slashes would be another host
        answer = RedirectResponse(path + ("?" + urlencode(query) if query else ""), 303)
        answer.set_cookie(self.access.cookie, self.access.token, httponly=True, samesite="strict")
        return answer


def _say(status: int, text: str) -> Response:
    return PlainTextResponse(text + "\n", status)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
