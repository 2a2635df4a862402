"""The head of a Ray cluster: how to reach it, and which nodes it knows."""

import importlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from convscope.errors import RunFailed, UserError

SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_ANSWER = 5.0
"""An address at which nothing answers for so long is wrong."""
HEAD_SECONDS = 45.0
"""A head that was silent for so long is dead. Ray itself ends the process after 60 s."""


@dataclass(frozen=True)
class Node:
    """A node of the cluster that is alive.

    Attributes:
        id: Ray's.
        hostname: of its machine, on which there may be others.
        cpus: cores that Ray may give away there.
        gpus: GPUs, likewise.
    """

    id: str
    hostname: str
    cpus: int
    gpus: int


def connect(address: str) -> Any:
    """Reach a cluster, and return the module `ray`. SIGTERM and logs are left as they were.

    Raises:
        UserError: where Ray is not installed, or no such cluster answers.
    """
    try:
        ray: Any = importlib.import_module("ray")
    except ModuleNotFoundError:
        raise UserError(
            "--ray needs Ray, which is not installed: install it with "
            "pip install 'convscope[cluster]', or leave --ray out"
        ) from None
    _require_answer(address)
    _silence()
    with _sigterm_put_back():
        try:
            ray.init(
                address=address, namespace="convscope", log_to_driver=False, logging_level="ERROR"
            )
        except Exception as error:
            raise UserError(_cannot_reach(address, error)) from None
    return ray


class Head:
    """Asks the head which nodes there are, in the background: it may be long in answering.

    Args:
        ray: the module, connected.
        address: where the head is, for people.

    Attributes:
        is_lost: Ray is not to be used any more: most of its calls would hang.
    """

    def __init__(self, ray: Any, address: str) -> None:
        self._ray = ray
        self._address = address
        self.is_lost = False
        self._here = ray.get_runtime_context().get_node_id()
        self._nodes: list[dict[str, Any]] = ray.nodes()
        self._heard = time.monotonic()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @property
    def nodes(self) -> list[Node]:
        """Those that are alive and may compute."""
        nodes = [_node(record) for record in self._nodes if record["Alive"]]
        return [node for node in nodes if node.cpus or node.gpus]

    def require(self) -> None:
        """Make sure that the cluster can still be reached.

        Raises:
            RunFailed: where the head is silent, or the node that this process depends on is dead.
        """
        if time.monotonic() - self._heard > HEAD_SECONDS:
            raise self.lost(f"its head has not answered for {HEAD_SECONDS:.0f} s")
        here = [node for node in self._nodes if node["NodeID"] == self._here]
        if here and not here[0]["Alive"]:
            raise self.lost("its node on this machine is dead")

    def lost(self, why: str) -> RunFailed:
        """Give the cluster up: what to raise."""
        self.is_lost = True
        return RunFailed(
            f"the Ray cluster at {self._address} cannot be reached any more, as {why}: start Ray "
            "again and give the same command again: it goes on after the last epochs that were kept"
        )

    def close(self) -> None:
        """Ask no more; a call that is under way ends first."""
        self._closed.set()
        self._thread.join(SECONDS_TO_ANSWER)

    def _look(self) -> None:
        while not self._closed.wait(SECONDS_BETWEEN_LOOKS):
            try:
                self._nodes = self._ray.nodes()
            except Exception:  # whatever Ray raises then: it is not an answer
                continue
            self._heard = time.monotonic()


def _node(record: dict[str, Any]) -> Node:
    has = record["Resources"]
    return Node(
        record["NodeID"],
        record["NodeManagerHostname"],
        int(has.get("CPU", 0)),
        int(has.get("GPU", 0)),
    )


def _silence() -> None:
    """Let nobody print the logs of nodes that die: `log_to_driver` does not turn that off."""
    worker: Any = importlib.import_module("ray._private.worker")
    worker.listen_error_messages = lambda *_: None


def _require_answer(address: str) -> None:
    """Look whether anything listens there, for Ray itself tries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not host or not colon or not port.isdecimal():
        raise UserError(
            f"--ray: expected HOST:PORT of a Ray cluster's head, or auto, got {address!r}"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise UserError(_cannot_reach(address, error)) from None


def _cannot_reach(address: str, error: Exception) -> str:
    first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return (
        f"--ray {address}: no Ray cluster can be reached there ({first_line}): start one with "
        "ray start --head, join this machine and others with ray start --address=HOST:PORT, and "
        "give --ray that HOST:PORT"
    )


@contextmanager
def _sigterm_put_back() -> Iterator[None]:
    """Ray heeds SIGTERM in a way of its own, from Python and below it."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
