"""The shell's sensor says what sensor.py says, of the same made-up machines.

What nvidia-smi prints here is made up after its documented forms.
"""

import getpass
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.servers.sensing import sensor
from convscope.servers.sensing.record import parse_record

A, B = "GPU-aaaa-1", "GPU-bbbb-2"
TWO = f"""0, NVIDIA TITAN RTX, {A}, 24576, 12626, 11950, 87, 71, 245.31
1, NVIDIA TITAN RTX, {B}, 24576, 3, 24573, 0, 35, 17.02
"""
MEMINFO = "MemTotal:       65536000 kB\nMemFree: 1 kB\nMemAvailable:   40000000 kB\n"
SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]
SENSOR = Path(sensor.__file__).with_suffix(".sh")

Both = Callable[..., tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with one process, 4711: a folder as /proc, another for its programs."""
    folder = tmp_path / "proc"
    (folder / "4711").mkdir(parents=True)
    (folder / "self" / "ns").mkdir(parents=True)
    (folder / "self" / "ns" / "pid").symlink_to(sensor.INITIAL_NAMESPACE)
    (folder / "meminfo").write_text(MEMINFO)
    (folder / "uptime").write_text("86400.50 100.00\n")
    (folder / "loadavg").write_text("1.5 2.25 3.0 1/100 5\n")
    (folder / "stat").write_text("cpu 1 2 3\nbtime 1700000000\n")
    fields = ["S", *["0"] * 18, str(250 * os.sysconf("SC_CLK_TCK")), "7"]
    (folder / "4711" / "stat").write_text(f"4711 (my (odd) name) {' '.join(fields)}\n")
    (folder / "4711" / "comm").write_text("a-long-program-\n")
    (folder / "4711" / "cmdline").write_bytes(b"/opt/a-long-program-name\0--secret=1\0")
    (tmp_path / "bin").mkdir()
    program(tmp_path, "who", "echo 'bob pts/0 x\nann pts/1 x\nbob pts/2 x\n'")
    monkeypatch.setattr(sensor, "PROC", folder)
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 2.25, 3.0))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for module in ("psutil", "pynvml"):
        monkeypatch.setitem(sys.modules, module, None)
    return tmp_path


def program(machine: Path, name: str, text: str) -> None:
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def add_smi(machine: Path, gpus: str, apps: str = "", last: str = "") -> None:
    """An nvidia-smi that prints these texts; asked for one bus, it says what `BUS.csv` holds."""
    (machine / "gpus.csv").write_text(gpus)
    (machine / "apps.csv").write_text(apps)
    program(
        machine,
        "nvidia-smi",
        f'case "$1 $2" in *--id=*) cat "{machine}/${{2#--id=}}.csv";;\n'
        f"--query-gpu=*) cat {machine}/gpus.csv;;\n"
        f"--query-compute-apps=*) cat {machine}/apps.csv;;\nesac\n{last}",
    )


@pytest.fixture(params=SHELLS)
def both(machine: Path, request: pytest.FixtureRequest) -> Both:
    """What both sensors say; only the time may differ, and the disk by a little."""

    def read(disk: str = "/") -> tuple[dict[str, Any], dict[str, Any]]:
        text = SENSOR.read_text().replace("/proc", str(machine / "proc"))
        shell = [request.param, *(["sh"] if request.param == "busybox" else [])]
        command = [*shell, "-s", "--", disk]
        answer = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
        assert answer.stderr == b""
        by_shell = parse_record(answer.stdout.decode(errors="replace"))
        return by_shell, parse_record(json.dumps(sensor.read_machine(disk)))

    return read


def assert_same(both: Both, disk: str = "/") -> dict[str, Any]:
    """Both records are the same but for what moves on; returns it without that."""
    by_shell, by_python = both(disk)
    for key, most in {"time": 60, "disk_free_bytes": 2**30, "disk_total_bytes": 2**20}.items():
        assert abs(by_shell.pop(key) - by_python.pop(key)) < most
    assert by_shell == by_python
    return by_shell


def test_without_gpus(both: Both) -> None:
    record = assert_same(both)
    assert record["logged_in"] == ["ann", "bob"]
    assert record["load_5m"] == 2.25
    assert record["memory_used_bytes"] == 25536000 * 1024


def test_with_two_gpus_and_a_process(machine: Path, both: Both) -> None:
    add_smi(machine, TWO, f"{A}, 4711, 12600\n")
    process = assert_same(both)["gpus"][0]["processes"][0]
    assert process["owner"] == getpass.getuser()
    assert process["started"] == 1700000250
    assert process["command"] == "a-long-program-name"


def test_two_processes_of_which_one_is_gone(machine: Path, both: Both) -> None:
    add_smi(machine, TWO, f"{B}, 4711, 100\n{B}, 4712, [N/A]\n")
    (_, gone) = assert_same(both)["gpus"][1]["processes"]
    assert (gone["pid"], gone["owner"], gone["memory_bytes"]) == (4712, None, None)


@pytest.mark.parametrize(
    ("gpus", "apps"),
    [
        (TWO.replace("24576", "[N/A]").replace("71,", "[Not Supported],"), ""),  # unified memory
        (TWO.replace(A, "[N/A]"), ""),
        (TWO.replace("87", "[Unknown Error]").replace("245.31", "[GPU requires reset]"), ""),
        ("Unable to determine the device handle for GPU0000:41:00.0\n" + TWO, ""),
        (TWO, f"GPU-unlisted, 4711, 5\n{A}, 4711, 5\n"),
        (TWO, f"{A}, [Not Supported], 5\n{B}, 4711, 5\n"),
        ("No devices were found\n", ""),
    ],
)
def test_with_what_is_odd(machine: Path, both: Both, gpus: str, apps: str) -> None:
    add_smi(machine, gpus, apps)
    assert_same(both)


def test_a_gpu_that_hides_the_others(machine: Path, both: Both) -> None:
    for i, bus in enumerate(("0000:01:00.0", "0000:02:00.0")):
        (machine / "proc" / "driver" / "nvidia" / "gpus" / bus).mkdir(parents=True)
        (machine / f"{bus}.csv").write_text(TWO.splitlines()[i] + "\n" if i else "lost\n")
    add_smi(machine, "GPU 0: lost\n")
    assert [gpu["index"] for gpu in assert_same(both)["gpus"]] == [1]


def test_in_a_container_the_processes_of_others_are_unknown(machine: Path, both: Both) -> None:
    namespace = machine / "proc" / "self" / "ns" / "pid"
    namespace.unlink()
    namespace.symlink_to("pid:[4026532000]")
    add_smi(machine, TWO, f"{A}, 9999, 100\n{B}, 4711, 100\n")
    first, second = assert_same(both)["gpus"]
    assert first["processes"] is None
    assert second["processes"][0]["pid"] == 4711


def test_a_driver_that_fails_is_told(machine: Path, both: Both) -> None:
    add_smi(machine, TWO, last="exit 9")
    by_shell, by_python = both()
    assert by_shell["gpus"][0]["name"] == by_python["gpus"][0]["name"] == "NVIDIA TITAN RTX"
    assert by_shell["problems"] == by_python["problems"]


def test_the_disk_of_a_folder_with_blanks_that_is_yet_to_come(machine: Path, both: Both) -> None:
    assert_same(both, str(machine / "my runs" / "later"))


def test_odd_characters_do_not_break_the_answer(machine: Path, both: Both) -> None:
    (machine / "proc" / "4711" / "comm").write_bytes(b'a"b\\c\x1b[31m\xff\n')
    add_smi(machine, TWO, f"{A}, 4711, 5\n")
    by_shell, _ = both()
    assert by_shell["gpus"][0]["processes"][0]["command"].startswith("abc[31m")
