"""What Prometheus reads, and what Grafana shows of it."""

import json
import re
import urllib.request
from itertools import combinations
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.servers.collect_settings import CollectSettings
from convscope.servers.collecting.metrics import Metrics, dashboard, registry_of, served
from convscope.servers.sensing.state import ServerState

prometheus_client = pytest.importorskip("prometheus_client")

GIB = 2**30
GPU: dict[str, Any] = {
    "index": 0, "name": 'NVIDIA "A100"', "uuid": "GPU-a", "memory_total_bytes": 80 * GIB,
    "memory_used_bytes": 20 * GIB, "memory_free_bytes": 60 * GIB, "utilisation": 0.25,
    "temperature_c": 60, "power_w": 100.5, "processes": None,
}  # fmt: skip
MACHINE: dict[str, Any] = {
    "uptime_s": 3600.0, "cores": 8, "load_1m": 1.5, "load_5m": None, "load_15m": 0.5,
    "memory_total_bytes": 64 * GIB, "memory_used_bytes": 16 * GIB, "disk_total_bytes": 10 * GIB,
    "disk_free_bytes": 5 * GIB, "logged_in": ["ann", "bob"], "gpus": [GPU],
}  # fmt: skip


def up(record: dict[str, Any] = MACHINE, **changes: Any) -> ServerState:
    plain = {"status": "up", "record": record, "record_time": 1000.0, "seconds": 0.5}
    return ServerState("gpu7", **{**plain, **changes})


def exposed(*states: ServerState, now: float = 1000.0) -> dict[str, float]:
    """The samples in the text that Prometheus gets, by name and labels."""
    metrics = Metrics(CollectSettings(), clock=lambda: now)
    metrics(now, {state.server: state for state in states}, {})
    text = prometheus_client.generate_latest(registry_of(metrics)).decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    assert len({name for name, _, _ in lines}) == len(lines)
    return {name.removeprefix("convscope_"): float(value) for name, _, value in lines}


def test_a_server_that_is_up_tells_all_that_it_knows() -> None:
    gpu = '{gpu="0",server="gpu7",uuid="GPU-a"}'
    assert exposed(up()) == {
        'server_up{server="gpu7"}': 1,
        'server_slow{server="gpu7"}': 0,
        'server_poll_duration_seconds{server="gpu7"}': 0.5,
        'server_last_seen_timestamp_seconds{server="gpu7"}': 1000,
        'server_uptime_seconds{server="gpu7"}': 3600,
        'server_cores{server="gpu7"}': 8,
        'server_load1{server="gpu7"}': 1.5,
        'server_load15{server="gpu7"}': 0.5,
        'server_memory_total_bytes{server="gpu7"}': 64 * GIB,
        'server_memory_used_bytes{server="gpu7"}': 16 * GIB,
        'server_disk_total_bytes{server="gpu7"}': 10 * GIB,
        'server_disk_free_bytes{server="gpu7"}': 5 * GIB,
        'server_logged_in_users{server="gpu7"}': 2,
        'gpu_info{gpu="0",name="NVIDIA \\"A100\\"",server="gpu7",uuid="GPU-a"}': 1,
        f"gpu_utilisation_ratio{gpu}": 0.25,
        f"gpu_memory_total_bytes{gpu}": 80 * GIB,
        f"gpu_memory_used_bytes{gpu}": 20 * GIB,
        f"gpu_temperature_celsius{gpu}": 60,
        f"gpu_power_watts{gpu}": 100.5,
    }


def test_of_a_server_that_is_down_its_last_numbers_are_not_told() -> None:
    assert exposed(up(status="down")) == {
        'server_up{server="gpu7"}': 0,
        'server_slow{server="gpu7"}': 0,
        'server_poll_duration_seconds{server="gpu7"}': 0.5,
        'server_last_seen_timestamp_seconds{server="gpu7"}': 1000,
    }


def test_of_news_that_are_stale_the_numbers_are_not_told() -> None:
    stale = CollectSettings().stale_seconds
    assert len(exposed(up(), now=1000 + stale)) == 19
    assert len(exposed(up(), now=1001 + stale)) == 4


def test_a_server_that_was_never_reached_is_neither_up_nor_down() -> None:
    assert exposed(ServerState("new")) == {}


def test_a_slow_server_is_up() -> None:
    found = exposed(up(status="slow"))
    assert (found['server_up{server="gpu7"}'], found['server_slow{server="gpu7"}']) == (1, 1)


def test_unknown_numbers_are_left_out_and_gpus_of_one_label_told_once() -> None:
    bare = {**dict.fromkeys(GPU), "index": None}
    found = exposed(up({**dict.fromkeys(MACHINE), "gpus": [bare, bare]}))
    assert [name for name in found if name.startswith("gpu_")] == [
        'gpu_info{gpu="",name="",server="gpu7",uuid=""}'
    ]


def test_names_are_as_prometheus_wants_them() -> None:
    """Base units as the last word, and no unit but these."""
    names = {re.sub(r"\{.*", "", name) for name in exposed(up())}
    units = ("seconds", "bytes", "ratio", "celsius", "watts")
    bare = {name for name in names if not name.endswith(units)}
    assert bare == {
        "server_up", "server_slow", "server_cores", "server_load1", "server_load15",
        "server_logged_in_users", "gpu_info",
    }  # fmt: skip


def test_prometheus_reads_them_over_http() -> None:
    metrics = Metrics(CollectSettings(), clock=lambda: 1000.0)
    with served(metrics, port=0) as port:
        address = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(address) as answer:
            assert b"\nconvscope_server_up{" not in answer.read()
        metrics(0.0, {"gpu7": up()}, {})
        with urllib.request.urlopen(address) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert b'\nconvscope_server_up{server="gpu7"} 1.0\n' in answer.read()
        with pytest.raises(UserError, match=rf"127\.0\.0\.1:{port} cannot be listened on .*in use"):
            served(Metrics(CollectSettings()), port=port).__enter__()
    with served(metrics, port=port):
        pass


@pytest.mark.parametrize(
    ("bind", "port"), [("203.0.113.1", 0), ("no-such.invalid", 0), ("127.0.0.1", 99999)]
)
def test_an_address_that_cannot_be_had_is_told(bind: str, port: int) -> None:
    with pytest.raises(UserError, match=r"cannot be listened on \(.+\): give another --port or"):
        served(Metrics(CollectSettings()), bind, port).__enter__()


def test_the_dashboard_shows_only_what_there_is() -> None:
    panels = json.loads(dashboard())["panels"]
    known = {re.sub(r"\{.*", "", f"convscope_{name}") for name in exposed(up())}
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert {name for expr in asked for name in re.findall(r"convscope_\w+", expr)} <= known
    assert all('server=~"$server"' in expr for expr in asked)
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_no_panel_of_the_dashboard_lies_on_another() -> None:
    places = [panel["gridPos"] for panel in json.loads(dashboard())["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
