"""A day of the collector in simulated time: memory, file handles and history must stay bounded.

    python benchmarks/servers_soak.py                  1440 ticks of 20 made-up servers of 4 GPUs
    python benchmarks/servers_soak.py --ticks 200      a small form

The tick, the history, the webhook and the metrics are the real ones; the servers, the bookings and
the clock are made up. The webhook goes to a server on loopback that refuses one message in four,
and Prometheus asks in every tenth tick. The history keeps a quarter of the time, so from then on
it must not grow. In the end the webhook must have told each failure once, and the hours that usage
counts must be those that were played.
"""

import gc
import json
import random
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import perf_counter
from typing import Annotated, Any
from urllib.request import urlopen

import psutil
import typer
from rich.box import SIMPLE
from rich.table import Table

from convscope.cli.show import print_table
from convscope.servers.bookings.bookings import parse_bookings
from convscope.servers.collect_settings import BookingsSettings, CollectSettings
from convscope.servers.collecting.collect import Listener, Listeners, collect
from convscope.servers.collecting.history import DAY, History, history_path, reading
from convscope.servers.collecting.metrics import Metrics, served
from convscope.servers.collecting.usage import usage
from convscope.servers.collecting.webhook import Webhook
from convscope.servers.sensing.state import Poll
from convscope.servers.servers_file import Server, ServersFile

START = 1_800_000_000.0
GIB = 2**30
PEOPLE = {"Ann": ("ann",), "Bob": ("bob", "bob2"), "Eve": ("eve",)}
LOGINS = [login for logins in PEOPLE.values() for login in logins]
SCRAPE_EVERY = 10
WAL_BYTES = 5 * 2**20
"""SQLite's log beside the file: 1000 pages before they are written into it, and some more."""
CALM = 30
"""In so many last ticks no server fails any more, so that all that happened can be told."""


@dataclass(frozen=True)
class Reading:
    """What the process holds after a tick."""

    tick: int
    rss_bytes: int
    objects: int
    file_handles: int
    history_bytes: int
    gpu_rows: int


@dataclass
class Outcome:
    """What came of a soak."""

    readings: list[Reading] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    told: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """Changes by server; True: it went down, False: it came back."""
    happened: Counter[tuple[str, bool]] = field(default_factory=Counter)
    held_hours: float = 0.0
    counted_hours: float = 0.0

    def problems(self) -> Iterator[str]:
        """What is not bounded or not right."""
        half, end = self.readings[len(self.readings) // 2], self.readings[-1]
        if end.objects > half.objects + 1000:
            yield f"objects grew from {half.objects} to {end.objects}"
        if end.rss_bytes > half.rss_bytes + 16 * 2**20:
            yield f"memory grew from {half.rss_bytes} to {end.rss_bytes} bytes"
        if end.file_handles > half.file_handles:
            yield f"file handles grew from {half.file_handles} to {end.file_handles}"
        if end.history_bytes > 1.1 * half.history_bytes + WAL_BYTES:
            yield f"the history grew from {half.history_bytes} to {end.history_bytes} bytes"
        if end.gpu_rows > 1.1 * half.gpu_rows:
            yield f"rows of GPUs grew from {half.gpu_rows} to {end.gpu_rows}"
        if self.told != self.happened:
            yield f"the webhook told {self.told}, where {self.happened} happened"
        if abs(self.held_hours - self.counted_hours) > 1e-6 * self.held_hours:
            yield f"usage counts {self.counted_hours} GPU hours of {self.held_hours}"


class Lab:
    """Made-up servers that fail now and then, and people who work on them.

    Attributes:
        now: unix time, s.
        is_calm: whether no server fails any more.
        happened: failures long enough to be told, by server; True: it went down, False: came back.
        held: the GPU hours that people held in each of the last ticks, by time.
    """

    def __init__(self, file: ServersFile, n_gpus: int, n_kept: int, seed: int) -> None:
        self.now = START
        self.is_calm = False
        self.happened: Counter[tuple[str, bool]] = Counter()
        self.held: deque[tuple[float, float]] = deque(maxlen=n_kept * len(file.servers))
        self._file = file
        self._n_gpus = n_gpus
        self._random = {name: random.Random(f"{seed} {name}") for name in file.servers}
        self._fails = dict.fromkeys(file.servers, 0)
        self._answered: dict[str, float] = {}

    def ask(self, name: str, _server: Server, _seconds: float) -> Poll:
        """A server answers, mostly; else it is silent for one tick, or for many."""
        rng, fails = self._random[name], self._fails
        if fails[name]:
            fails[name] -= 1
        elif rng.random() < 0.02 and not self.is_calm:
            fails[name] = rng.choice([1, 9, 12])
            if fails[name] > 1:
                self.happened.update([(name, True), (name, False)])
        if fails[name]:
            return Poll(name, self.now, 10.0, problem="no route to host")
        return Poll(name, self.now, rng.choice([0.5, 0.5, 9.0]), self._record(name, rng))

    def _record(self, name: str, rng: random.Random) -> dict[str, Any]:
        gpus = [self._gpu(i, rng) for i in range(self._n_gpus)]
        gap = self.now - self._answered.get(name, -1e9)
        self._answered[name] = self.now
        hours = (gap if gap <= self._file.collect.stale_seconds else 60) / 3600
        self.held.append((self.now, hours * sum(len(gpu["processes"]) for gpu in gpus)))
        return {
            "load_1m": rng.random(),
            "cores": 8,
            "memory_used_bytes": rng.randrange(64 * GIB),
            "memory_total_bytes": 64 * GIB,
            "disk_free_bytes": rng.randrange(10**12),
            "logged_in": rng.sample(LOGINS, 2),
            "gpus": gpus,
        }

    def _gpu(self, index: int, rng: random.Random) -> dict[str, Any]:
        people = rng.sample(["ann", "bob", "eve"], rng.choice([0, 1, 1, 2]))
        return {
            "index": index,
            "name": "made up",
            "uuid": f"GPU-{index}",
            "memory_total_bytes": 24 * GIB,
            "memory_used_bytes": rng.randrange(24 * GIB),
            "utilisation": rng.random(),
            "temperature_c": 60,
            "power_w": 100.0,
            "processes": [{"owner": each, "memory_bytes": 4 * GIB} for each in people],
        }

    def bookings(self) -> list[list[str]]:
        """The tab as it stands: a row a server, of a person who changes every ten minutes."""
        turn = int(self.now // 600)
        rows = [
            [list(PEOPLE)[(turn + i) % 3], name, "0-1", "2000-01-01", "2090-01-01"]
            for i, name in enumerate(self._file.servers)
        ]
        return [
            ["person", "server", "gpu", "from", "to"],
            *rows,
            ["Ann", "nowhere", "x", "", "1/2"],
        ]


class TheEnd(Exception):
    """All ticks have passed."""


@contextmanager
def address(outcome: Outcome, seed: int) -> Iterator[str]:
    """A server on loopback that counts what it is told, and refuses one message in four."""
    rng = random.Random(f"{seed} address")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            taken = rng.random() > 0.25
            if taken:
                outcome.told.update((e["server"], e["status"] == "down") for e in body["servers"])
            self.send_response(200 if taken else 500)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def soak(folder: Path, n_ticks: int, n_servers: int, n_gpus: int, seed: int = 0) -> Outcome:
    """Let the ticks pass, and see eight times what the process holds."""
    outcome = Outcome()
    with address(outcome, seed) as webhook:
        keep = n_ticks // 4
        settings = CollectSettings(
            history=folder / "history.sqlite", keep_days=keep * 60 / DAY, webhook=webhook
        )
        servers = {f"gpu{i}": Server() for i in range(n_servers)}
        file = ServersFile(servers=servers, people=PEOPLE, collect=settings)
        lab = Lab(file, n_gpus, keep + 1, seed)
        _play(lab, file, outcome, n_ticks)
    outcome.happened = lab.happened
    kept_since = lab.now - keep * 60
    outcome.held_hours = sum(hours for time, hours in lab.held if time >= kept_since)
    outcome.counted_hours = sum(row.hours.held for row in usage(file, 3, lab.now))
    return outcome


def _play(lab: Lab, file: ServersFile, outcome: Outcome, n_ticks: int) -> None:
    tab = BookingsSettings(tab="Bookings", gpu="gpu")
    history = History(file.collect, lambda: parse_bookings(lab.bookings(), tab, file).bookings)
    metrics = Metrics(file.collect, lambda: lab.now)
    webhook = Webhook(str(file.collect.webhook), history)
    listeners: dict[str, Listener] = {
        "the history": history,
        "the webhook": webhook,
        "the metrics": metrics,
    }
    with served(metrics, port=0) as port:
        ticks = 0

        def wait(_seconds: float) -> None:
            nonlocal ticks
            ticks += 1
            lab.is_calm = ticks > n_ticks - CALM
            if ticks % SCRAPE_EVERY == 0:
                with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                    answer.read()
            if ticks % (n_ticks // 8) == 0:
                outcome.readings.append(_reading(ticks, file))
            if ticks == n_ticks:
                raise TheEnd
            lab.now += file.collect.every_seconds

        with suppress(TheEnd):
            listener = Listeners(listeners, outcome.lines.append)
            collect(file, lab.ask, listener, wait, lambda: lab.now, lambda: lab.now)
    history.close()


def _reading(ticks: int, file: ServersFile) -> Reading:
    process, path = psutil.Process(), history_path(file.collect)
    gc.collect()
    with reading(file.collect) as sql:
        n_rows = sql.execute("SELECT count(*) FROM gpus").fetchone()[0]
    return Reading(
        ticks,
        process.memory_info().rss,
        len(gc.get_objects()),
        process.num_fds(),
        sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*")),
        n_rows,
    )


def main(
    ticks: Annotated[int, typer.Option(min=96)] = 1440,
    servers: Annotated[int, typer.Option(min=1)] = 20,
    gpus: Annotated[int, typer.Option(min=0)] = 4,
    seed: int = 0,
) -> None:
    """Play the ticks, show what the process held, and end with 1 where anything is not bounded."""
    began = perf_counter()
    with TemporaryDirectory() as folder:
        outcome = soak(Path(folder), ticks, servers, gpus, seed)
    names = ("tick", "RSS MiB", "objects", "file handles", "history MiB", "GPU rows")
    table = Table(*names, box=SIMPLE)
    for each in outcome.readings:
        rss, history = (f"{size / 2**20:.2f}" for size in (each.rss_bytes, each.history_bytes))
        counts = map(str, (each.objects, each.file_handles))
        table.add_row(str(each.tick), rss, *counts, history, str(each.gpu_rows))
    print_table(table)
    print(f"{sum(outcome.told.values())} of {sum(outcome.happened.values())} changes told")
    print(f"{outcome.counted_hours:.2f} of {outcome.held_hours:.2f} GPU hours counted")
    print(f"{1000 * (perf_counter() - began) / ticks:.1f} ms a tick")
    problems = list(outcome.problems())
    for problem in problems:
        print(problem)
    raise typer.Exit(bool(problems))


if __name__ == "__main__":
    typer.run(main)
