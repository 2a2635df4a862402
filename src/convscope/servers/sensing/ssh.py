"""Asking a server over OpenSSH: a sensor goes over standard input, a record comes back.

Nothing is installed or left on the server: Python 3.8 or newer there reads the sensor, otherwise
its shell does.
"""

import hashlib
import os
import re
import select
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from convscope.errors import UserError
from convscope.servers.sensing.record import parse_record, with_clock
from convscope.servers.sensing.sensor import one_line
from convscope.servers.sensing.state import Poll
from convscope.servers.servers_file import Server

MOST_BYTES = 2**20
"""A longer answer is cut off; that of a machine with 16 busy GPUs has some 20 kB."""
CONNECT_SECONDS = 10
ALIVE_SECONDS = 10
BETWEEN_CONNECTIONS_SECONDS = 0.05
"""New connections begin so long after each other: to agree on keys takes a processor, here and,
where all servers are behind one gate, there; a hundred at once would run into their time limit."""
NOTICE_SECONDS = 0.2
"""So soon a poll under way heeds that it is to stop."""
LONGEST_FOLDER = 64
"""A socket's path has at most 103 characters, of which our name and ssh's own ending take 33."""

PROBLEMS = {
    "REMOTE HOST IDENTIFICATION HAS CHANGED": (
        "has another host key than before: if it was installed anew, delete the old one in {known} "
        "and run `ssh {host}` once; if it was not, somebody may be in between"
    ),
    "Host key verification failed": "has a host key that is not known here: run `ssh {host}` once",
    "Permission denied": "does not accept our key: `ssh {host}` must log in without a question",
    "Too many authentication failures": (
        "does not accept any of our keys: name the one for {host} in ~/.ssh/config (IdentityFile, "
        "IdentitiesOnly)"
    ),
    "Connection refused": "refuses the connection: no ssh server listens there",
    "Could not resolve hostname": "has no known address: check `host` in the servers file",
    "timed out": "cannot be reached: nothing answers at its address",
    "No route to host": "cannot be reached: there is no way to its address",
    "unreachable": "cannot be reached: there is no way to its network",
}
"""What ssh says, and what it means."""

SCRIPT = """exec 2>/dev/null
set -- {disk}
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' </dev/null; then
    printf %s {python} | python3 -I - --disk "$1" && exit
fi
{shell}"""
"""What the server's shell reads; -I, so that no file in the home folder takes a module's place."""


class NoAnswer(Exception):
    """Why a server gave no answer, in words that follow its name."""


@dataclass(frozen=True)
class Ssh:
    """The user's own ssh, which never asks a question.

    Attributes:
        persist_seconds: an idle connection is kept so long.
        config: read instead of ~/.ssh/config.
        clock: unix time, s.
        stopped: set it, and polls under way end at once.
    """

    persist_seconds: float = 180
    config: Path | None = None
    clock: Callable[[], float] = time.time
    stopped: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if shutil.which("ssh") is None:
            raise UserError("servers are asked through ssh, which is not here: install OpenSSH")

    def ask(self, name: str, server: Server, seconds: float) -> Poll:
        """Ask a server for its record; it never raises, nor takes much longer than `seconds`."""
        host = server.host or name
        self._await_turn(host)
        began = time.monotonic()
        record, problem = None, None
        try:
            command, text = self._command(host, seconds), script(server.disk)
            answer = _answer(command, text, host, seconds, self.stopped)
            record = with_clock(parse_record(answer), self.clock())
        except (NoAnswer, ValueError) as error:
            problem = str(error)
        except OSError as error:  # too many processes or open files here
            problem = f"could not be asked: {error.strerror or error}"
        if record is None:
            self._disconnect(host)
        return Poll(name, self.clock(), round(time.monotonic() - began, 3), record, problem)

    def _command(self, host: str, seconds: float) -> list[str]:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": max(1, min(CONNECT_SECONDS, int(seconds))),
            "ServerAliveInterval": ALIVE_SECONDS,
            "ServerAliveCountMax": 2,
            "ControlMaster": "auto",
            "ControlPath": self._socket(host),
            "ControlPersist": int(self.persist_seconds),
            "LogLevel": "ERROR",
            "RequestTTY": "no",
            "RemoteCommand": "none",  # the user may have forwards and commands for sessions there
            "PermitLocalCommand": "no",
            "ClearAllForwardings": "yes",
            "ForwardAgent": "no",
            "ForwardX11": "no",
        }
        config = ["-F", str(self.config)] if self.config else []
        given = [f"-o{key}={value}" for key, value in options.items()]
        return ["ssh", *config, *given, "--", host, "exec /bin/sh -s"]

    def _await_turn(self, host: str) -> None:
        if not self._socket(host).exists():
            with self._turn:
                self.stopped.wait(BETWEEN_CONNECTIONS_SECONDS)

    def _disconnect(self, host: str) -> None:
        """End a connection that may hang, so that the next poll makes a new one."""
        socket = self._socket(host)
        if socket.exists():
            command = ["ssh", "-F/dev/null", f"-oControlPath={socket}", "-Oexit", "--", host]
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(command, capture_output=True, timeout=1, check=False)
            socket.unlink(missing_ok=True)

    def _socket(self, host: str) -> Path:
        """Where the connection to a host is kept."""
        name = hashlib.sha256(f"{self.config} {host}".encode()).hexdigest()[:16]
        return socket_folder() / name


@cache
def script(disk: str) -> str:
    """What is sent to a server that is asked for the disk of a folder."""
    here = files("convscope.servers.sensing")
    python, shell = ((here / name).read_text() for name in ("sensor.py", "sensor.sh"))
    return SCRIPT.format(disk=shlex.quote(disk), python=shlex.quote(python), shell=shell)


def socket_folder() -> Path:
    """A folder for connections that nobody else can enter: in $XDG_RUNTIME_DIR, else in /tmp.

    Raises:
        UserError: where it is somebody else's, who could then listen to us.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = os.access(runtime, os.W_OK | os.X_OK) and len(runtime) <= LONGEST_FOLDER - 20
    folder = Path(runtime if usable else "/tmp", f"convscope-{os.getuid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UserError(
            f"{folder} must be a folder that is ours alone (mode 700), and is not: remove it"
        )
    return folder


def _answer(
    command: list[str], text: str, host: str, seconds: float, stopped: threading.Event
) -> str:
    """What a command prints when it is given `text`; it is ended when its time is over.

    Raises:
        NoAnswer: where it takes too long, prints too much, or ends badly with nothing to read.
    """
    deadline = time.monotonic() + seconds
    process = _start(command, text)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        answer = _read(process.stdout.fileno(), deadline, stopped).decode(errors="replace")
        code = process.wait(max(0.1, deadline - time.monotonic()))
        os.set_blocking(process.stderr.fileno(), False)  # a kept connection may hold its other end
        said = (process.stderr.read() or b"").decode(errors="replace")
    except (TimeoutError, subprocess.TimeoutExpired):
        raise NoAnswer(f"does not answer within {seconds:g} s") from None
    finally:
        _end(process)
    if code and not answer.strip():
        raise NoAnswer(explain(said, host))
    return answer


def _start(command: list[str], text: str) -> subprocess.Popen[bytes]:
    """A process of its own group that reads `text`; from a file, as a pipe could block."""
    with tempfile.TemporaryFile() as given:
        given.write(text.encode())
        given.seek(0)
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def _read(pipe: int, deadline: float, stopped: threading.Event) -> bytes:
    """All that a process prints until it closes its pipe."""
    ready, answer = select.poll(), bytearray()
    ready.register(pipe, select.POLLIN)
    while len(answer) <= MOST_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or stopped.is_set():
            raise TimeoutError
        if ready.poll(1000 * min(left, NOTICE_SECONDS)):
            chunk = os.read(pipe, 2**16)
            if not chunk:
                return bytes(answer)
            answer += chunk
    raise NoAnswer(f"answers more than {MOST_BYTES // 2**20} MiB, which was cut off")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what still runs, helpers such as a ProxyCommand included, and let go of its pipe."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def explain(said: str, host: str) -> str:
    """What ssh complains of, in words that follow the server's name and say what to do."""
    for words, meaning in PROBLEMS.items():
        if words in said:
            known = re.search(r"Offending .* key in (\S+)", said)
            return meaning.format(host=host, known=known[1] if known else "~/.ssh/known_hosts")
    *_, last = ["", *filter(str.strip, said.splitlines())]
    reason = one_line(re.sub("[^ -~]", " ", last))
    return f"cannot be asked: {reason}" if reason else "loses the connection before it answers"
