"""The state of the servers for Prometheus, and a dashboard for Grafana."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

from convscope.errors import UserError
from convscope.servers.collect_settings import CollectSettings
from convscope.servers.sensing.state import ServerState

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily

PORT = 9818

OF_SERVER: dict[str, tuple[str, str]] = {
    "uptime_seconds": ("uptime_s", "Time since the server started."),
    "cores": ("cores", "CPU cores."),
    "load1": ("load_1m", "1-minute load average."),
    "load5": ("load_5m", "5-minute load average."),
    "load15": ("load_15m", "15-minute load average."),
    "memory_total_bytes": ("memory_total_bytes", "Host memory."),
    "memory_used_bytes": ("memory_used_bytes", "Host memory that is not available."),
    "disk_total_bytes": ("disk_total_bytes", "Size of the disk."),
    "disk_free_bytes": ("disk_free_bytes", "Free on the disk."),
}
"""The metrics convscope_server_…: which number of a record, and what it is."""

OF_GPU: dict[str, tuple[str, str]] = {
    "utilisation_ratio": ("utilisation", "Share of the time in which the GPU is at work."),
    "memory_total_bytes": ("memory_total_bytes", "GPU memory."),
    "memory_used_bytes": ("memory_used_bytes", "GPU memory in use."),
    "temperature_celsius": ("temperature_c", "Temperature of the GPU."),
    "power_watts": ("power_w", "Power that the GPU draws."),
}
"""The metrics convscope_gpu_…, likewise."""


class Metrics:
    """The listener that Prometheus asks; a collector of `prometheus_client`.

    Of a server that is down, or whose news are stale, only that is told.

    Args:
        settings: when news are stale.
        clock: unix time, s.
    """

    def __init__(self, settings: CollectSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._states: Mapping[str, ServerState] = {}

    def __call__(
        self, _now: float, states: Mapping[str, ServerState], _before: Mapping[str, ServerState]
    ) -> None:
        self._states = states

    def collect(self) -> Iterator["GaugeMetricFamily"]:
        """All metrics as they are now."""
        states, now = list(self._states.values()), self._clock()
        fresh = [
            (state.server, state.record)
            for state in states
            if state.record and state.status != "down" and not state.is_stale(now, self._settings)
        ]
        yield from _of_states(states)
        yield from _of_records(fresh)
        yield from _of_gpus(fresh)


def _gauge(name: str, words: str, *labels: str) -> "GaugeMetricFamily":
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(f"convscope_{name}", words, labels=labels)


def _of_states(states: list[ServerState]) -> Iterator["GaugeMetricFamily"]:
    up = _gauge("server_up", "1: the server answers; 0: it is down.", "server")
    slow = _gauge("server_slow", "1: the server takes long to answer.", "server")
    seconds = _gauge("server_poll_duration_seconds", "Time that the last poll took.", "server")
    seen = _gauge("server_last_seen_timestamp_seconds", "When it last answered.", "server")
    for state in states:
        if state.status != "unknown":
            up.add_metric([state.server], state.status != "down")
            slow.add_metric([state.server], state.status == "slow")
        _add(seconds, [state.server], state.seconds)
        _add(seen, [state.server], state.record_time)
    yield from (up, slow, seconds, seen)


def _of_records(fresh: list[tuple[str, Mapping[str, Any]]]) -> Iterator["GaugeMetricFamily"]:
    for name, (key, words) in OF_SERVER.items():
        gauge = _gauge(f"server_{name}", words, "server")
        for server, record in fresh:
            _add(gauge, [server], record.get(key))
        yield gauge
    people = _gauge("server_logged_in_users", "People who are logged in.", "server")
    for server, record in fresh:
        logged_in = record.get("logged_in")
        _add(people, [server], None if logged_in is None else len(logged_in))
    yield people


def _of_gpus(fresh: list[tuple[str, Mapping[str, Any]]]) -> Iterator["GaugeMetricFamily"]:
    labelled = {  # by label, as Prometheus takes none twice
        (server, _label(gpu["index"]), _label(gpu["uuid"])): gpu
        for server, record in fresh
        for gpu in record["gpus"]
    }
    info = _gauge("gpu_info", "1 for every GPU.", "server", "gpu", "uuid", "name")
    for labels, gpu in labelled.items():
        info.add_metric([*labels, _label(gpu["name"])], 1)
    yield info
    for name, (key, words) in OF_GPU.items():
        gauge = _gauge(f"gpu_{name}", words, "server", "gpu", "uuid")
        for labels, gpu in labelled.items():
            _add(gauge, list(labels), gpu[key])
        yield gauge


def _add(gauge: "GaugeMetricFamily", labels: list[str], value: float | None) -> None:
    """What is unknown is left out."""
    if value is not None:
        gauge.add_metric(labels, value)


def _label(value: Any) -> str:
    return "" if value is None else str(value)


@contextmanager
def served(metrics: Metrics, bind: str = "127.0.0.1", port: int = PORT) -> Iterator[int]:
    """Answer http://BIND:PORT/metrics as long as the block lasts; yields the port (0: a free one).

    Raises:
        UserError: where prometheus-client is not installed, or the address cannot be had.
    """
    try:
        from prometheus_client import start_http_server
    except ImportError:
        raise UserError(
            "metrics need prometheus-client: pip install 'convscope[metrics]'"
        ) from None
    try:
        server, thread = start_http_server(port, bind, registry_of(metrics))
    except (OSError, OverflowError) as error:
        raise UserError(
            f"{bind}:{port} cannot be listened on ({getattr(error, 'strerror', None) or error}): "
            "give another --port or --bind"
        ) from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def registry_of(metrics: Metrics) -> "CollectorRegistry":
    """A registry with these metrics alone."""
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(metrics)
    return registry


def dashboard() -> str:
    """A dashboard for Grafana, JSON to import."""
    return resources.files("convscope.servers.collecting").joinpath("grafana.json").read_text()
