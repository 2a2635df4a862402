"""Who listens to the collector, as the servers file and the command have it."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from convscope.errors import UserError
from convscope.folder_lock import locked
from convscope.servers.bookings.booking import Booking
from convscope.servers.bookings.bookings import read_bookings
from convscope.servers.collecting.collect import Listener, Reporter, States, Tell
from convscope.servers.collecting.history import History, state_folder
from convscope.servers.collecting.webhook import Webhook
from convscope.servers.servers_file import ServersFile
from convscope.servers.sheet.publish import as_text, texts, write_csv

if TYPE_CHECKING:
    from convscope.servers.sheet.listener import SheetListener
    from convscope.servers.sheet_interface import Sheet

Show = Callable[[str], None]


@contextmanager
def all_listeners(
    servers: ServersFile, csv: Path | None, show: Show | None, tell: Tell
) -> Iterator[dict[str, Listener]]:
    """All listeners by name; they are closed at the end.

    Args:
        csv: a file that is written instead of the sheet.
        show: given in a dry run: it is told what would be written, and nothing is.
        tell: is given lines for people.
    """
    listeners: dict[str, Listener] = {"the log": Reporter(servers, tell)}
    if show:
        bookings = check_sheet(servers, tell) if servers.sheet and not csv else ()
        yield {**listeners, "the dry run": shown(servers, show, bookings)}
        return
    with ExitStack() as held:
        sheet = held.enter_context(_sheet(servers, tell)) if servers.sheet and not csv else None
        if sheet:
            listeners["the sheet"] = sheet
        if csv:
            listeners[f"the file {csv}"] = _csv_file(servers, csv)
        history = History(servers.collect, lambda: sheet.bookings if sheet else None)
        held.callback(history.close)
        listeners["the history"] = history
        if servers.collect.webhook:
            listeners["the webhook"] = Webhook(servers.collect.webhook, history)
        yield listeners


@contextmanager
def _sheet(servers: ServersFile, tell: Tell) -> Iterator["SheetListener"]:
    """The listener that writes the sheet, which is known to be as the file says."""
    _, listener = _opened(servers, tell)
    try:
        yield listener
    finally:
        listener.close(time.time())


def _opened(servers: ServersFile, tell: Tell) -> tuple["Sheet", "SheetListener"]:
    from convscope.servers.sheet.listener import SheetListener
    from convscope.servers.sheet.open_sheet import open_google_sheet

    assert servers.sheet is not None
    sheet = open_google_sheet(servers.sheet)
    listener = SheetListener(sheet, servers, tell)
    listener.check()
    return sheet, listener


def check_sheet(servers: ServersFile, tell: Tell) -> Sequence[Booking]:
    """Read the sheet and write nothing; the bookings in it, of which what is wrong is told.

    Raises:
        UserError: where it cannot be read, or is not as the servers file says.
    """
    from convscope.servers.sheet_interface import SheetBusy

    try:
        sheet, _ = _opened(servers, tell)
        found = read_bookings(sheet, servers)
    except SheetBusy as error:
        raise UserError(f"the sheet cannot be read: {error}; try again later") from None
    for problem in found.problems:
        tell(f"bookings: {problem}")
    return found.bookings


def shown(servers: ServersFile, show: Show, bookings: Sequence[Booking]) -> Listener:
    """The listener that says what would be written into the sheet."""

    def listen(now: float, states: States, _before: States) -> None:
        show(as_text(texts(states, bookings, now, servers)))

    return listen


def _csv_file(servers: ServersFile, path: Path) -> Listener:
    def listen(now: float, states: States, _before: States) -> None:
        write_csv(texts(states, (), now, servers), path)

    return listen


def collector_folder() -> Path:
    """What the collector of this user holds on this machine, be the home folder shared or not."""
    return state_folder() / f"collector-{socket.gethostname()}"


@contextmanager
def the_only_one(folder: Path) -> Iterator[None]:
    """Hold a folder as the machine's one collector.

    Raises:
        UserError: where another collector holds it, or it cannot be made.
    """
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder))
        except BlockingIOError:
            raise UserError(
                "a collector runs on this machine already, and one is enough: to look at the "
                "servers beside it, convscope servers status"
            ) from None
        except OSError as error:
            raise UserError(
                f"{folder} cannot be held ({error.strerror}): expected a folder that is yours, "
                "below $XDG_STATE_HOME or ~/.local/state"
            ) from None
        yield
