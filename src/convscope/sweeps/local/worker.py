"""A worker process: trains cells that it is sent, alone or together, and dies with its driver.

It is started with the descriptor of a socket as its only argument. Over that it is sent `Data` and
the file of the clips, `Train` and `Pause`, and answers `Ready` and then the events of each attempt.

Nothing heavy is imported before it listens, so that it ends with its driver even then.
"""

import os
import signal
import sys
import threading
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from queue import SimpleQueue
from typing import TYPE_CHECKING

from convscope.sweeps.driving.messages import Data, Order, Ready, Train

if TYPE_CHECKING:
    from convscope.data.dataset import Dataset
    from convscope.sweeps.driving.shared_data import Head


@dataclass
class Inbox:
    """What the driver sends, received while the worker computes.

    Attributes:
        tasks: what to train next, and on what.
        pause: why to end the present attempt after its next epoch; None: not to.
    """

    connection: Connection
    tasks: "SimpleQueue[tuple[Train, Dataset]]" = field(default_factory=SimpleQueue)
    pause: str | None = None

    def listen(self) -> None:
        """Receive until the connection ends, and then end the process, whatever it is doing."""
        dataset: Dataset | None = None
        try:
            while True:
                order: Order = self.connection.recv()
                if isinstance(order, Data):
                    dataset = self._receive_dataset(order.head)
                elif isinstance(order, Train):
                    assert dataset is not None, "data are sent before the first task"
                    self.pause = None
                    self.tasks.put((order, dataset))
                else:
                    self.pause = order.reason
        except (EOFError, OSError):
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def _receive_dataset(self, head: "Head") -> "Dataset":
        from convscope.sweeps.driving.shared_data import attach

        return attach(head, recv_handle(self.connection))


def main() -> None:
    """Serve the driver until it closes the connection, or is dead."""
    connection = _connect(int(sys.argv[1]))
    _die_with_driver()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the driver's to heed
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the attempt as Ctrl-C would
    inbox = Inbox(connection)
    threading.Thread(target=inbox.listen, daemon=True).start()
    try:
        _serve(connection, inbox)
    except KeyboardInterrupt:
        os._exit(0)


def _serve(connection: Connection, inbox: Inbox) -> None:
    from convscope.sweeps.local.train_task import train_tasks

    connection.send(Ready())
    while True:
        train, dataset = inbox.tasks.get()
        for ended in train_tasks(train.slot, train.tasks, dataset, connection.send, inbox):
            connection.send(ended)


def _connect(descriptor: int) -> Connection:
    os.set_inheritable(descriptor, False)  # not to be kept open by what a user's net starts
    return Connection(descriptor)


def _die_with_driver() -> None:
    """Let Linux kill this process with its driver, even while a library keeps Python from running.

    Elsewhere the end of the connection does it.
    """
    if sys.platform == "linux":
        import ctypes

        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    main()
