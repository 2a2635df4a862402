"""From an address to a server that answers there until it is interrupted."""

import errno
import ipaddress
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import uvicorn

from convscope.errors import UserError
from convscope.web.app import make_app
from convscope.web.frame.security import LOOPBACK, Access

SECONDS_TO_END = 2
"""What is being answered may end; then the server does."""


def serve(
    folders: Sequence[Path],
    host: str,
    port: int,
    names: Sequence[str],
    tell: Callable[[str, Access], None],
) -> None:
    """Answer until interrupted.

    Args:
        folders: each a run, or a folder that holds runs.
        host: address to listen on.
        port: 0: any that is free.
        names: by which the machine is called, beside its own.
        tell: called with the address to open, once it answers.

    Raises:
        UserError: where the address cannot be listened on.
        KeyboardInterrupt: when it is interrupted.
    """
    with closing(listening(host, port)) as listener:
        found = listener.getsockname()[1]
        access = access_of(host, found, names)
        shown = _shown_host(host)
        tell(f"http://{shown}:{found}/?token={access.token}", access)
        config = uvicorn.Config(
            make_app(folders, access),
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=SECONDS_TO_END,
            lifespan="on",
        )
        Server(config).run(sockets=[listener])
    raise KeyboardInterrupt  # nothing else ends it, and uvicorn may keep that to itself


class Server(uvicorn.Server):
    """Lets pages that wait for news go, so that it ends at once."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.app.state.ending.set()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UserError: saying why not, and what to do.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise UserError(
            f"--host {host}: no such address: expected one of this machine's, such as 127.0.0.1 "
            "or 0.0.0.0 for all"
        ) from None
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UserError(_why(error, host, port)) from None
    return listener


def access_of(host: str, port: int, names: Sequence[str]) -> Access:
    """A token is needed to read as soon as another machine can ask."""
    own = (socket.gethostname().lower(), socket.getfqdn().lower()) if not _is_here(host) else ()
    return Access(port, not _is_here(host), (*own, *(name.lower() for name in names)))


def _is_here(host: str) -> bool:
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return socket.getfqdn()
    return f"[{host}]" if ":" in host else host


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"--port {port} is in use on {host}: another explorer may run there; give another "
            "port, or --port 0 for any that is free"
        )
    if error.errno == errno.EACCES:
        return f"--port {port} needs more rights than you have: give one above 1023"
    return f"--host {host} cannot be listened on ({error.strerror}): is it this machine's?"
