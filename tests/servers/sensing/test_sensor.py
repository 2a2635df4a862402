"""The sensor against made-up machines: a folder as /proc, scripts as nvidia-smi, objects as NVML.

What nvidia-smi prints here is made up after its documented forms.
"""

import ast
import getpass
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.servers.sensing import sensor

MIB = 2**20
A, B = "GPU-aaaa-1", "GPU-bbbb-2"
TWO = f"""0, NVIDIA TITAN RTX, {A}, 24576, 12626, 11950, 87, 71, 245.31
1, NVIDIA TITAN RTX, {B}, 24576, 3, 24573, 0, 35, 17.02
"""
FIRST = {
    "index": 0,
    "name": "NVIDIA TITAN RTX",
    "uuid": A,
    "memory_total_bytes": 24576 * MIB,
    "memory_used_bytes": 12626 * MIB,
    "memory_free_bytes": 11950 * MIB,
    "utilisation": 0.87,
    "temperature_c": 71,
    "power_w": 245.31,
    "processes": None,
}
MEMINFO = """MemTotal:       65536000 kB
MemFree:         1000000 kB
MemAvailable:   40000000 kB
"""

Smi = Callable[..., Path]


@pytest.fixture(autouse=True)
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc with one process, 4711; no nvidia-ml-py, no psutil, no programs but our own."""
    folder = tmp_path / "proc"
    (folder / "4711").mkdir(parents=True)
    (folder / "meminfo").write_text(MEMINFO)
    (folder / "uptime").write_text("86400.50 100.00\n")
    (folder / "stat").write_text("cpu 1 2 3\nbtime 1700000000\n")
    ticks = os.sysconf("SC_CLK_TCK")
    fields = ["S", *["0"] * 18, str(250 * ticks), "7"]
    (folder / "4711" / "stat").write_text(f"4711 (my (odd) name) {' '.join(fields)}\n")
    (folder / "4711" / "comm").write_text("a-long-program-\n")
    (folder / "4711" / "cmdline").write_bytes(b"/opt/a-long-program-name\0--secret=1\0")
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sensor, "PROC", folder)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for module in ("psutil", "pynvml"):
        monkeypatch.setitem(sys.modules, module, None)
    return folder


@pytest.fixture
def smi(tmp_path: Path) -> Smi:
    """`smi(gpus, apps)`: an nvidia-smi that prints these texts; `first` are commands before."""

    def install(gpus: str = "", apps: str = "", first: str = "") -> Path:
        script = tmp_path / "bin" / "nvidia-smi"
        (tmp_path / "gpus.csv").write_text(gpus)
        (tmp_path / "apps.csv").write_text(apps)
        script.write_text(
            f'#!/bin/sh\n{first}\ncase "$1" in\n'
            f"--query-gpu=*) cat {tmp_path}/gpus.csv;;\n"
            f"--query-compute-apps=*) cat {tmp_path}/apps.csv;;\nesac\n"
        )
        script.chmod(0o755)
        return script

    return install


def gpus_and_problems() -> tuple[list[dict[str, Any]], list[str]]:
    record = sensor.read_machine()
    return record["gpus"], record["problems"]


# The host ------------------------------------------------------------------------------------


def test_memory_and_uptime_are_those_of_proc() -> None:
    record = sensor.read_machine()
    assert record["memory_total_bytes"] == 65536000 * 1024
    assert record["memory_available_bytes"] == 40000000 * 1024
    assert record["memory_used_bytes"] == 25536000 * 1024
    assert record["uptime_s"] == 86400.5
    assert record["gpus"] == record["problems"] == []


def test_without_proc_its_numbers_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensor, "PROC", tmp_path / "none")
    monkeypatch.delattr(os, "getloadavg")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    record = sensor.read_machine()
    unknown = {key for key, value in record.items() if value is None}
    memory = {"memory_total_bytes", "memory_available_bytes", "memory_used_bytes"}
    assert unknown == memory | {"uptime_s", "load_1m", "load_5m", "load_15m", "logged_in"}
    assert record["problems"] == []


def test_each_person_who_is_logged_in_counts_once(tmp_path: Path) -> None:
    who = tmp_path / "bin" / "who"
    who.write_text("#!/bin/sh\necho 'bob pts/0 x\nann pts/1 x\nbob pts/2 x\n\n'\n")
    who.chmod(0o755)
    assert sensor.read_machine()["logged_in"] == ["ann", "bob"]


def test_the_disk_of_a_folder_that_is_yet_to_come(tmp_path: Path) -> None:
    stat = os.statvfs(tmp_path)
    record = sensor.read_machine(str(tmp_path / "runs" / "later"))
    assert record["disk_total_bytes"] == stat.f_blocks * stat.f_frsize
    assert 0 < record["disk_free_bytes"] <= record["disk_total_bytes"]


def test_psutil_gives_the_same_record(
    proc: Path, smi: Smi, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi(TWO, f"{A}, 4711, 12600\n")
    plain = sensor.read_machine()
    process = SimpleNamespace(
        username=getpass.getuser,
        create_time=lambda: 1700000250.2,
        name=lambda: "a-long-program-name",
    )
    fake = SimpleNamespace(
        virtual_memory=lambda: SimpleNamespace(total=65536000 * 1024, available=40000000 * 1024),
        boot_time=lambda: time.time() - 86400.5,
        users=lambda: [SimpleNamespace(name=name) for name in plain["logged_in"]],
        Process=lambda pid: process if pid == 4711 else None,
    )
    monkeypatch.setitem(sys.modules, "psutil", fake)
    for path in (proc / "meminfo", proc / "uptime", proc / "4711" / "stat"):
        path.unlink()
    same = {"time": 0, "load_1m": 0, "disk_free_bytes": 0, "uptime_s": 86400.5}
    assert {**sensor.read_machine(), **same} == {**plain, **same}


def test_a_broken_psutil_leaves_it_to_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace())
    assert sensor.read_machine()["memory_total_bytes"] == 65536000 * 1024


def test_psutil_itself_agrees_with_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor, "PROC", Path("/proc"))
    plain = {**sensor.read_machine(), **sensor._whose(os.getpid(), None)}
    monkeypatch.delitem(sys.modules, "psutil")
    psutil = pytest.importorskip("psutil", reason="needs psutil")
    with_psutil = {**sensor.read_machine(), **sensor._whose(os.getpid(), psutil)}
    for key in ("memory_total_bytes", "cores", "owner", "command"):
        assert with_psutil[key] == plain[key]
    assert with_psutil["uptime_s"] == pytest.approx(plain["uptime_s"], abs=2)
    assert with_psutil["started"] == pytest.approx(plain["started"], abs=2)


# nvidia-smi ----------------------------------------------------------------------------------


def test_each_gpu_with_its_processes(smi: Smi) -> None:
    smi(TWO, f"{A}, 4711, 12600\n{A}, 99, [N/A]\n")
    gpus, problems = gpus_and_problems()
    ours = {
        "pid": 4711,
        "owner": getpass.getuser(),
        "memory_bytes": 12600 * MIB,
        "started": 1700000250,
        "command": "a-long-program-name",
    }
    gone = {"pid": 99, "owner": None, "memory_bytes": None, "started": None, "command": None}
    assert gpus[0] == {**FIRST, "processes": [ours, gone]}
    assert (gpus[1]["uuid"], gpus[1]["processes"]) == (B, [])
    assert problems == []


@pytest.mark.parametrize(
    "word", ["[N/A]", "N/A", "[Not Supported]", "", "[Unknown Error]", "nan", "-1"]
)
def test_what_is_not_a_number_is_unknown(smi: Smi, word: str) -> None:
    """MIG tells no utilisation, unified memory tells no memory."""
    smi(f"0, NVIDIA GB10, {A}, {', '.join([word] * 6)}\n{TWO.splitlines()[1]}\n")
    gpus, problems = gpus_and_problems()
    known = {"index": 0, "name": "NVIDIA GB10", "uuid": A, "processes": []}
    assert gpus[0] == {**dict.fromkeys(FIRST), **known}
    assert gpus[1]["memory_used_bytes"] == 3 * MIB
    assert problems == (["GPU 0: Unknown Error"] if "Error" in word else [])


def test_a_broken_gpu_hides_no_other(smi: Smi) -> None:
    line = "Unable to determine the device handle for GPU0000:02:00.0: Unknown Error"
    smi(f"{line}\n{TWO}")
    gpus, problems = gpus_and_problems()
    assert [gpu["uuid"] for gpu in gpus] == [A, B]
    assert problems == [f"nvidia-smi: {line}"]


def test_where_one_gpu_stops_nvidia_smi_each_is_asked_alone(proc: Path, smi: Smi) -> None:
    for bus in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        (proc / "driver" / "nvidia" / "gpus" / bus).mkdir(parents=True)
    first, second = TWO.splitlines()
    smi(
        first=f"""case "$*" in
        *compute-apps*) ;;
        *--id=0000:01*) echo '{first}'; exit;;
        *--id=0000:03*) echo '{second}'; exit;;
        *) echo 'GPU is lost' >&2; exit 15;;
        esac"""
    )
    gpus, problems = gpus_and_problems()
    assert gpus[0] == {**FIRST, "processes": []}
    assert [gpu["index"] for gpu in gpus] == [0, 1]
    assert problems == ["GPU is lost"]


def test_no_driver_is_a_problem_only_where_there_are_gpus(proc: Path, smi: Smi) -> None:
    assert gpus_and_problems() == ([], [])
    (proc / "driver" / "nvidia" / "gpus" / "0000:01:00.0").mkdir(parents=True)
    assert gpus_and_problems() == ([], ["1 GPUs cannot be asked, by nvidia-ml-py or nvidia-smi"])


def test_a_driver_that_fails_is_told(smi: Smi) -> None:
    smi(first="echo 'NVIDIA-SMI has failed because\nit could not reach the driver'; exit 9")
    gpus, problems = gpus_and_problems()
    assert gpus == []
    assert "nvidia-smi: NVIDIA-SMI has failed because" in problems
    assert "nvidia-smi ended with exit code 9" in problems


def test_a_hanging_nvidia_smi_is_ended_with_its_children(
    tmp_path: Path, smi: Smi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensor, "PROGRAM_SECONDS", 1.5)
    smi(first=f"sleep 600 & echo $! > {tmp_path}/child; wait")
    gpus, problems = gpus_and_problems()
    assert gpus == []
    assert problems == ["nvidia-smi does not answer within 1.5 s"]
    stat = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    assert not stat.exists() or stat.read_text().split()[2] in "ZX"


@pytest.mark.parametrize(
    ("apps", "first", "second"),
    [
        ("[Not Supported]", None, None),
        (f"{A}, [N/A], [N/A]", None, []),
        ("GPU-of-somewhere-else, 1, 2", None, None),
        ("", [], []),
    ],
)
def test_processes_that_cannot_be_read_are_unknown(
    smi: Smi, apps: str, first: list[Any] | None, second: list[Any] | None
) -> None:
    smi(TWO, apps)
    gpus, _ = gpus_and_problems()
    assert [gpu["processes"] for gpu in gpus] == [first, second]


def test_numbers_of_processes_mean_nothing_in_a_container(proc: Path, smi: Smi) -> None:
    (proc / "self" / "ns").mkdir(parents=True)
    (proc / "self" / "ns" / "pid").symlink_to("pid:[4026539999]")
    smi(TWO, f"{A}, 4711, 12600\n{B}, 99, 5\n")
    gpus, problems = gpus_and_problems()
    assert gpus[0]["processes"][0]["owner"] == getpass.getuser()
    assert gpus[1]["processes"] is None
    assert problems == ["GPU 1: its processes cannot be seen from a container"]


# nvidia-ml-py --------------------------------------------------------------------------------


class NVMLError(Exception):
    """What nvidia-ml-py raises."""


class NVMLError_NotSupported(NVMLError):
    """The same, for what a GPU does not know."""


def raising(error: Exception) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise error

    return function


class FakeNvml:
    """Two GPUs, the first as in `TWO` with a process."""

    nvmlMemory_v2 = 2

    def __init__(self, **broken: Exception) -> None:
        self.open = 0
        for name, error in broken.items():
            setattr(self, name, raising(error))

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return 10 + index

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"NVIDIA TITAN RTX"

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return {10: A, 11: B}[handle]

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: int | None = None) -> Any:
        used = {10: 12626, 11: 3}[handle] if version else 13000
        total = 24576
        return SimpleNamespace(total=total * MIB, used=used * MIB, free=(total - used) * MIB)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return SimpleNamespace(gpu={10: 87, 11: 0}[handle])

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return {10: 71, 11: 35}[handle]

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return {10: 245310, 11: 17020}[handle]

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        if handle == 11:
            return []
        memories = {4711: 12600 * MIB, 99: 2**64 - 1}
        return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in memories.items()]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeNvml]:
    def install(**broken: Exception) -> FakeNvml:
        fake = FakeNvml(**broken)
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        return fake

    return install


def test_nvml_gives_the_same_record(smi: Smi, nvml: Callable[..., FakeNvml]) -> None:
    smi(TWO, f"{A}, 4711, 12600\n{A}, 99, [N/A]\n")
    by_smi = gpus_and_problems()
    smi(first="exit 1")
    fake = nvml()
    assert gpus_and_problems() == by_smi
    assert fake.open == 0


def test_an_nvml_that_does_not_reach_the_driver_leaves_it_to_nvidia_smi(
    smi: Smi, nvml: Callable[..., FakeNvml]
) -> None:
    smi(TWO)
    nvml(nvmlInit=NVMLError("Driver Not Loaded"))
    assert [gpu["uuid"] for gpu in gpus_and_problems()[0]] == [A, B]


FIELD_FUNCTIONS = {
    "nvmlDeviceGetName": ["name"],
    "nvmlDeviceGetUUID": ["uuid"],
    "nvmlDeviceGetMemoryInfo": ["memory_total_bytes", "memory_used_bytes", "memory_free_bytes"],
    "nvmlDeviceGetUtilizationRates": ["utilisation"],
    "nvmlDeviceGetTemperature": ["temperature_c"],
    "nvmlDeviceGetPowerUsage": ["power_w"],
    "nvmlDeviceGetComputeRunningProcesses": ["processes"],
}


@pytest.mark.parametrize("function", FIELD_FUNCTIONS)
def test_what_nvml_does_not_tell_is_unknown_and_nothing_else(
    nvml: Callable[..., FakeNvml], function: str
) -> None:
    nvml()
    whole, _ = gpus_and_problems()
    nvml(**{function: NVMLError_NotSupported("Not Supported")})
    unknown = dict.fromkeys(FIELD_FUNCTIONS[function])
    assert gpus_and_problems() == ([{**gpu, **unknown} for gpu in whole], [])
    nvml(**{function: NVMLError("GPU is lost")})
    assert gpus_and_problems()[1] == ["GPU 0: GPU is lost", "GPU 1: GPU is lost"]


def test_a_gpu_without_a_handle_hides_no_other(
    nvml: Callable[..., FakeNvml], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = nvml()
    handle = fake.nvmlDeviceGetHandleByIndex
    lost = raising(NVMLError("GPU is lost"))
    monkeypatch.setattr(
        fake, "nvmlDeviceGetHandleByIndex", lambda i: lost() if i == 0 else handle(i)
    )
    gpus, problems = gpus_and_problems()
    assert gpus[0] == {**dict.fromkeys(FIRST), "index": 0}
    assert gpus[1]["uuid"] == B
    assert problems == ["GPU 0: GPU is lost"]


def test_an_older_nvml_without_the_second_form_of_memory(nvml: Callable[..., FakeNvml]) -> None:
    fake = nvml()
    fake.nvmlMemory_v2 = None  # type: ignore[assignment]
    assert gpus_and_problems()[0][0]["memory_used_bytes"] == 13000 * MIB


def test_a_driver_that_hangs_hides_nothing_else(
    nvml: Callable[..., FakeNvml], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setattr(sensor, "HANG_SECONDS", 0.2)
    release, asked = threading.Event(), []

    def hang() -> None:
        asked.append(1)
        release.wait(20)

    monkeypatch.setattr(nvml(), "nvmlInit", hang)
    for _ in range(2):  # a second look starts no second thread
        record = sensor.read_machine()
        assert record["problems"] == ["the GPU driver does not answer"]
        assert record["memory_total_bytes"] == 65536000 * 1024
    assert asked == [1]
    hanging = sensor._hanging["the GPU driver"]
    release.set()
    hanging.join(20)
    monkeypatch.setattr(sensor, "HANG_SECONDS", 20)
    nvml()
    assert len(gpus_and_problems()[0]) == 2


# Anything ------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "0",
        "1",
        A,
        "24576",
        "1e400",
        "1e300",
        "9" * 400,
        "[N/A]",
        "nan",
        "",
        '"',
        "\0",
        "\r",
        "٣",
        ",",
    ]
)
GARBAGE = st.text() | st.lists(st.lists(WORDS).map(",".join)).map("\n".join)


@given(GARBAGE, GARBAGE)
def test_any_answer_of_nvidia_smi_gives_a_record(gpus_text: str, apps_text: str) -> None:
    problems: list[str] = []
    gpus = sensor.parse_gpus(gpus_text, problems)
    sensor.add_processes(gpus, apps_text)
    json.dumps(gpus, allow_nan=False)
    assert all(gpu.keys() == FIRST.keys() for gpu in gpus)


@given(st.binary(max_size=200))
def test_any_proc_gives_a_record(content: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Path,
            "read_text",
            lambda path, errors: io.TextIOWrapper(io.BytesIO(content), "utf-8", errors).read(),
        )
        sensor._memory(None)
        sensor._uptime(None)
        json.dumps(sensor._whose(4711, None), allow_nan=False)


# The file itself -----------------------------------------------------------------------------

SOURCE = Path(sensor.__file__)


def test_it_is_python_3_8_and_the_standard_library() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 8))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
    }
    assert imported <= sys.stdlib_module_names


def test_it_runs_from_standard_input_without_anything_installed() -> None:
    command = [sys.executable, "-I", "-S", "-", "--disk", "/"]
    answer = subprocess.run(command, input=SOURCE.read_bytes(), capture_output=True, check=True)
    record = json.loads(answer.stdout)
    assert record["hostname"]
    assert record["cores"] == os.cpu_count()
    assert len(answer.stdout.splitlines()) == 1


def test_its_numbers_are_those_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor, "PROC", Path("/proc"))
    record = sensor.read_machine()
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert record["memory_total_bytes"] == total
    assert 0 < record["memory_available_bytes"] <= total
    assert record["time"] == pytest.approx(time.time(), abs=60)
