"""What the commands on servers share: the servers file, and the connections to ask them over."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from convscope.errors import UserError

if TYPE_CHECKING:
    from convscope.servers.sensing.ssh import Ssh
    from convscope.servers.servers_file import ServersFile

LONGEST_IDLE_SECONDS = 900
"""A connection that is not used for so long is closed, however far the ticks are apart."""


def with_servers(servers: Path | None) -> "ServersFile":
    """The servers file; a UserError where it names no servers."""
    from convscope.servers.servers_file import read_servers_file

    file = read_servers_file(servers)
    if not file.servers:
        raise UserError("no servers are named: list them under `servers` in servers.yaml")
    return file


@contextmanager
def asking(file: "ServersFile") -> Iterator["Ssh"]:
    """The user's ssh; however the block ends, no poll is left under way."""
    from convscope.servers.sensing.ssh import Ssh

    ssh = Ssh(persist_seconds=min(3 * file.collect.every_seconds, LONGEST_IDLE_SECONDS))
    try:
        yield ssh
    finally:
        ssh.stopped.set()
