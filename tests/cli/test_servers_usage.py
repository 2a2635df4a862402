"""convscope servers usage and metrics --dashboard: what needs no server."""

import json
import time
from pathlib import Path

import pytest

from convscope.servers.collecting.history import History
from convscope.servers.sensing.state import Poll, ServerState, after
from convscope.servers.servers_file import read_servers_file
from tests.cli.conftest import Convscope

SERVERS = """
people: {Ann: [ann]}
collect: {history: kept.sqlite}
"""


@pytest.fixture(autouse=True)
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("servers.yaml").write_text(SERVERS)


def keep_a_tick() -> None:
    """Ann holds a GPU that does nothing, now."""
    settings = read_servers_file().collect
    process = {"owner": "ann", "memory_bytes": 2**30}
    gpu = {"index": 0, "utilisation": 0.0, "memory_used_bytes": 2**30, "processes": [process]}
    poll = Poll("gpu7", time.time(), 0.5, {"gpus": [gpu]})
    history = History(settings)
    history(poll.time, {"gpu7": after(ServerState("gpu7"), poll, settings)}, {})
    history.close()


def test_usage_is_a_list_of_days_and_people(convscope: Convscope) -> None:
    keep_a_tick()
    (row,) = convscope("servers", "usage", "--json").json
    assert (row["person"], row["known"], row["held_hours"]) == ("Ann", True, round(60 / 3600, 2))
    assert row["held_idle_hours"] == row["held_hours"]
    table = convscope("servers", "usage", "--days", "1").out.splitlines()
    assert "held but idle h" in table[0]
    assert table[1].split()[1:] == ["Ann", "0.0", "0.0", "0.0", "0.0", "0.0", "0.0"]


def test_without_a_history_there_is_no_usage(convscope: Convscope) -> None:
    code, _, error = convscope("servers", "usage")
    assert code == 2
    assert error.endswith("no history yet: convscope servers collect keeps one\n")
    assert error.count("\n") == 1


def test_the_dashboard_is_json(convscope: Convscope) -> None:
    assert json.loads(convscope("servers", "metrics", "--dashboard").out)["title"] == "Servers"
