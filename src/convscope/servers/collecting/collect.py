"""The collector: asks all servers in every tick, and tells its listeners what is known then."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias
from zoneinfo import ZoneInfo

from convscope.servers.collecting.status import change_lines, unknown_logins
from convscope.servers.sensing.state import Poll, ServerState, after
from convscope.servers.servers_file import Server, ServersFile

MOST_AT_ONCE = 128
"""More servers wait for a free hand: each that is asked is a process here."""

States: TypeAlias = Mapping[str, ServerState]
Ask: TypeAlias = Callable[[str, Server, float], Poll]
"""Of a name, a server and the seconds it has: it never raises."""
Listener: TypeAlias = Callable[[float, States, States], None]
"""Is told the time, the states, and those of the tick before."""
Tell: TypeAlias = Callable[[str], None]


def collect_once(servers: ServersFile, states: States, ask: Ask) -> dict[str, ServerState]:
    """Ask all servers at once; what is known afterwards, in the order of the file."""
    settings = servers.collect

    def known_after(name: str) -> ServerState:
        poll = ask(name, servers.servers[name], settings.answer_seconds)
        return after(states.get(name, ServerState(name)), poll, settings)

    pool = ThreadPoolExecutor(min(MOST_AT_ONCE, len(servers.servers) or 1))
    try:
        return dict(zip(servers.servers, pool.map(known_after, servers.servers), strict=True))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an interrupt is heeded at once


class Listeners:
    """All who are told; one that fails is named once and disturbs no other.

    Attributes:
        failing: the names of those who failed in the last tick.
    """

    def __init__(self, listeners: Mapping[str, Listener], tell: Tell) -> None:
        self._listeners = dict(listeners)
        self._tell = tell
        self.failing: set[str] = set()

    def __call__(self, now: float, states: States, before: States) -> None:
        for name, listener in self._listeners.items():
            try:
                listener(now, states, before)
            except Exception as error:
                self._fails(name, error)
            else:
                self._works(name)

    def _fails(self, name: str, error: Exception) -> None:
        if name not in self.failing:
            self.failing.add(name)
            words = " ".join(str(error).split())[:300] or type(error).__name__
            self._tell(f"{name} fails, and is tried again in every tick: {words}")

    def _works(self, name: str) -> None:
        if name in self.failing:
            self.failing.remove(name)
            self._tell(f"{name} works again")


class Reporter:
    """The listener that says in lines which servers changed, and which logins nobody has."""

    def __init__(self, servers: ServersFile, tell: Tell) -> None:
        self._servers = servers
        self._zone = ZoneInfo(servers.time_zone)
        self._tell = tell
        self._named: set[str] = set()

    def __call__(self, _now: float, states: States, before: States) -> None:
        for line in change_lines(states, before, self._zone):
            self._tell(line)
        unknown = set(unknown_logins(self._servers, states.values())) - self._named
        if unknown:
            self._named |= unknown
            self._tell(f"logins of nobody under `people`: {', '.join(sorted(unknown))}")


def collect(
    servers: ServersFile,
    ask: Ask,
    listener: Listener,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    once: bool = False,
) -> None:
    """Tick once, or until an exception, such as an interrupt, ends it.

    A tick begins `every_seconds` after the one before, or when that is done if it took longer.
    """
    states: dict[str, ServerState] = {}
    while True:
        began = monotonic()
        before, states = states, collect_once(servers, states, ask)
        listener(clock(), states, before)
        if once:
            return
        wait(max(0.0, began + servers.collect.every_seconds - monotonic()))
