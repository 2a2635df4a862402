"""convscope servers, with a real sshd on loopback where there is one."""

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Convscope
from tests.servers.sshd_lab import Lab, free_ports, lab, missing

SERVERS = """
servers:
  gpu7: {host: up}
  big: {host: hung}
people: {Ann: [ann]}
collect: {answer_seconds: 20, every_seconds: 3600}
"""


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two servers; the ssh on the path knows them, as if by ~/.ssh/config."""
    if why := missing():
        pytest.skip(why)
    with lab(tmp_path_factory.mktemp("sshd")) as made:
        made.start({"up": None, "hung": "exec sleep 60"})
        made.add_host("refused", free_ports(1)[0])
        (made.folder / "bin").mkdir()
        made.script("bin/ssh", f'#!/bin/sh\nexec {shutil.which("ssh")} -F {made.config} "$@"\n')
        yield made


@pytest.fixture
def asked_by_ssh(servers: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("PATH", f"{servers.folder / 'bin'}:{os.environ['PATH']}")
    return servers


def write(text: str, name: str = "servers.yaml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def test_without_a_servers_file_the_state_is_that_of_this_machine(convscope: Convscope) -> None:
    (row,) = convscope("servers", "status", "--json").json
    assert row["server"] == row["hostname"] == socket.gethostname()
    assert row["status"] in ("up", "slow")
    assert row["memory_total_bytes"] >= row["memory_used_bytes"] > 0
    assert {"load_1m", "disk_free_bytes", "gpus", "uptime_s", "logged_in"} <= set(row)
    assert not row["is_stale"]


def test_the_table_names_it_too(convscope: Convscope) -> None:
    answer = convscope("servers", "status")
    assert answer.code == 0
    assert socket.gethostname() in answer.out


def test_the_status_of_servers_one_of_which_is_off(convscope: Convscope, asked_by_ssh: Lab) -> None:
    write("servers: {gpu7: {host: up}, refused: {}}")
    answer = convscope("servers", "status", "--json")
    up, down = answer.json
    assert (up["server"], down["server"]) == ("gpu7", "refused")
    assert up["hostname"] == socket.gethostname()
    assert down["status"] == "down"
    assert down["load_1m"] is None
    assert down["gpus"] == []
    assert "refused refuses the connection" in answer.err


def test_one_tick_into_a_csv_file(convscope: Convscope, asked_by_ssh: Lab) -> None:
    file = write("servers: {gpu7: {host: up}, refused: {}}\ncollect: {down_after: 1}", "lab.yaml")
    answer = convscope("servers", "collect", "--once", "--servers", file, "--csv", "status.csv")
    assert answer.code == 0, answer.err
    assert "refused is down since" in answer.err
    with Path("status.csv").open() as text:
        rows = {row["server"]: row for row in csv.DictReader(text)}
    assert list(rows) == ["gpu7", "refused"]
    assert rows["refused"]["Status"] == "down"


def test_a_dry_run_prints_and_leaves_nothing(
    convscope: Convscope, asked_by_ssh: Lab, tmp_path: Path
) -> None:
    write("servers: {gpu7: {host: up}}")
    answer = convscope("servers", "collect", "--dry-run", "--csv", "status.csv")
    assert answer.code == 0
    assert "gpu7\n" in answer.out
    assert [path.name for path in tmp_path.iterdir()] == ["servers.yaml"]


def test_a_csv_file_that_cannot_be_written_is_told_and_the_command_fails(
    convscope: Convscope, asked_by_ssh: Lab
) -> None:
    write("servers: {gpu7: {host: up}}")
    answer = convscope("servers", "collect", "--once", "--csv", "no/folder/status.csv")
    assert answer.code == 1
    assert "the file no/folder/status.csv fails" in answer.err


def test_sigterm_ends_a_collector_and_its_polls(asked_by_ssh: Lab) -> None:
    write(SERVERS)
    command = [sys.executable, "-m", "convscope", "servers", "collect", "--csv", "status.csv"]
    log = asked_by_ssh.folder / "sshd.log"
    before = log.read_text().count("Accepted publickey")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as collector:
        while log.read_text().count("Accepted publickey") == before:  # the one that hangs is asked
            with pytest.raises(subprocess.TimeoutExpired):
                collector.wait(0.1)
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        collector.send_signal(signal.SIGTERM)
        _, said = collector.communicate()
    assert collector.returncode == 128 + signal.SIGTERM
    assert said == "convscope: interrupted\n"
    assert second.returncode == 2
    assert "a collector runs on this machine already" in second.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("servers: {a: {hots: x}}", "servers.a.hots is not a known key (did you mean 'host'?)"),
        ("servers: {a: {}, a: {}}", "a stands there twice"),
        ("servers: {a: {host: x}, b: {host: X}}", "a and b are the same host, x"),
        ("collect: {every_seconds: 1}", "collect.every_seconds: expected"),
        ("limits: {}", "no servers are named"),
        (
            "servers: {a: {}}\nsheet: {id: 1234567890abc, credentials: no.json, tab: x}",
            "no.json cannot be read",
        ),
    ],
)
def test_what_is_wrong_in_the_file_is_told_in_a_line(
    convscope: Convscope, text: str, words: str
) -> None:
    for command in ("collect", "sheet"):
        write(text)
        answer = convscope("servers", command)
        assert answer.code == 2
        assert words in answer.err
        assert answer.err.count("\n") == 1


def test_a_credentials_file_that_others_can_read_is_refused(convscope: Convscope) -> None:
    Path("key.json").write_text("{}")
    Path("key.json").chmod(0o644)
    write("servers: {a: {}}\nsheet: {id: 1234567890abc, credentials: key.json, tab: x}")
    answer = convscope("servers", "collect", "--once")
    assert answer.code == 2
    assert "chmod 600" in answer.err


def test_the_dashboard_for_grafana_is_json(convscope: Convscope) -> None:
    answer = convscope("servers", "metrics", "--dashboard")
    assert answer.out.lstrip().startswith("{")
