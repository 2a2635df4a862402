"""A real sshd on loopback whose ports are servers of several kinds, and the ssh config to it."""

import getpass
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"

CONFIG = """
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 400
SetEnv HOME={folder}
LogLevel INFO
"""

HOST = """
Host {name}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/{key}
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/{known_hosts}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  HostKeyAlgorithms ssh-ed25519
"""


def missing() -> str | None:
    """Why no sshd can be started here; None where one can."""
    programs = [SSHD, "ssh", "ssh-keygen"]
    lacking = [program for program in programs if shutil.which(program) is None]
    return f"needs {', '.join(lacking)}: install openssh-server" if lacking else None


class Lab:
    """Servers by name; `config` is for ssh."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "ssh_config"
        for name in ("host_key", "key", "stranger_key", "other_host_key"):
            make_key(folder / name)
        shutil.copy(folder / "key.pub", folder / "authorized_keys")

    def start(self, kinds: Mapping[str, str | None]) -> None:
        """Start one sshd with a port for each kind: its name, and the command that it runs.

        With None it runs what it is asked to.
        """
        self.ports = dict(zip(kinds, free_ports(len(kinds)), strict=True))
        lines = [CONFIG.format(folder=self.folder)]
        lines += [f"Port {port}" for port in self.ports.values()]
        for kind, command in kinds.items():
            if command is not None:
                lines += [f"Match LocalPort {self.ports[kind]}", f"  ForceCommand {command}"]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.write_known_hosts()
        for name in kinds:
            self.add_host(name, self.ports[name])
        log = (self.folder / "sshd.log").open("w")
        daemon = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        self.process = subprocess.Popen(daemon, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        for port in self.ports.values():
            wait_for(port, self.process, self.folder / "sshd.log")

    def add_host(
        self, name: str, port: int, key: str = "key", known_hosts: str = "known_hosts"
    ) -> None:
        """Give ssh a further name for a port."""
        host = HOST.format(
            name=name,
            port=port,
            folder=self.folder,
            user=getpass.getuser(),
            key=key,
            known_hosts=known_hosts,
        )
        with self.config.open("a") as file:
            file.write(host)

    def write_known_hosts(self) -> None:
        """What ssh knows: `known_hosts` rightly, `changed_hosts` another key, `no_hosts` none."""
        for file, key in (("known_hosts", "host_key"), ("changed_hosts", "other_host_key")):
            public = " ".join((self.folder / f"{key}.pub").read_text().split()[:2])
            lines = [f"[127.0.0.1]:{port} {public}\n" for port in self.ports.values()]
            (self.folder / file).write_text("".join(lines))
        (self.folder / "no_hosts").write_text("")

    def script(self, name: str, text: str) -> str:
        """A program, as a command line."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return shlex.quote(str(path))


def make_key(path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(n)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until something listens there."""
    for _ in range(100):
        if process.poll() is not None:
            raise RuntimeError(f"sshd ended: {log.read_text()}")
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError("sshd does not listen")


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """A lab without servers so far; at the end its sshd and all connections to it are ended."""
    made = Lab(folder)
    with TemporaryDirectory(dir="/tmp") as sockets, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", sockets)
        try:
            yield made
        finally:
            for path in Path(sockets).glob("convscope-*/*"):
                end = ["ssh", "-F/dev/null", f"-oControlPath={path}", "-Oexit", "lab"]
                subprocess.run(end, capture_output=True, check=False)
            process = getattr(made, "process", None)
            if process is not None:
                process.terminate()
                process.wait()
