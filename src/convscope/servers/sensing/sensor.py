"""The state of one machine, as one JSON object: `python3 sensor.py [--disk FOLDER]`.

This file stands alone: the standard library of Python 3.8 is enough for it, so that it can be sent
to a server as it is. nvidia-ml-py and psutil are used where they are installed, otherwise
nvidia-smi and /proc; the record is the same. Whatever cannot be known is null, and what went wrong
is said in `problems`. No reading raises, and none that hangs holds up the others for long.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROC = Path("/proc")
PROGRAM_SECONDS = 5.0
"""The time that a program has to answer."""
HANG_SECONDS = 20.0
"""The time that a driver or a disk has to answer."""

_hanging: dict[str, threading.Thread] = {}

MIB = 2**20
INITIAL_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO in Linux, include/linux/proc_ns.h
NOT_AVAILABLE = 2**64 - 1  # what NVML gives for a memory that it does not know
GPU_FIELDS = (
    "index",
    "name",
    "uuid",
    "memory.total",
    "memory.used",
    "memory.free",
    "utilization.gpu",
    "temperature.gpu",
    "power.draw",
)


def read_machine(disk: str = "/") -> dict[str, Any]:
    """The record of this machine: memory and disk in bytes, times in s, utilisation 0 to 1.

    Args:
        disk: a file or folder on the disk to look at; it need not exist yet.
    """
    problems: list[str] = []
    psutil = _installed("psutil")
    load = [round(value, 2) for value in _asked(os, "getloadavg") or ()] or [None, None, None]
    total, available = _memory(psutil)
    disk_total, disk_free = _in_time(lambda: _disk(disk), "the disk", problems) or (None, None)
    gpus = _in_time(lambda: _gpus(psutil, problems), "the GPU driver", problems)
    return {
        "time": round(time.time(), 3),
        "hostname": socket.gethostname(),
        "uptime_s": _uptime(psutil),
        "cores": os.cpu_count(),
        "load_1m": load[0],
        "load_5m": load[1],
        "load_15m": load[2],
        "memory_total_bytes": total,
        "memory_available_bytes": available,
        "memory_used_bytes": None if total is None or available is None else total - available,
        "disk_total_bytes": disk_total,
        "disk_free_bytes": disk_free,
        "logged_in": _logged_in(psutil),
        "gpus": gpus or [],
        "problems": list(dict.fromkeys(map(one_line, problems))),
    }


def one_line(text: Any) -> str:
    """A text without line breaks and not longer than a screen is wide."""
    return " ".join(str(text).split())[:200]


def _installed(module: str) -> Any:
    """The module where it is installed and works, otherwise None."""
    return _attempt(importlib.import_module, module)


def _attempt(read: Callable[..., Any], *args: Any) -> Any:
    """What `read` returns, None where it raises: a thing that cannot be read is unknown."""
    try:
        return read(*args)
    except Exception:
        return None


def _asked(whom: Any, function: str, *args: Any) -> Any:
    """What a function of a module or an object returns; None where it is missing or raises."""
    return _attempt(lambda: getattr(whom, function)(*args))


def _in_time(read: Callable[[], Any], name: str, problems: list[str]) -> Any:
    """What `read` returns; None and a problem where it raises or does not answer in time.

    A hung driver or network disk cannot be interrupted, so the reading is left to a thread of its
    own; as long as that hangs, no second one is started.
    """
    if name in _hanging and _hanging[name].is_alive():
        problems.append(f"{name} does not answer")
        return None
    answer: list[Any] = []

    def work() -> None:
        try:
            answer.append(read())
        except Exception as error:
            answer.append(None)
            problems.append(f"{name}: {error}")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(HANG_SECONDS)
    if not answer:
        _hanging[name] = thread
        problems.append(f"{name} does not answer")
    return answer[0] if answer else None


# The host ------------------------------------------------------------------------------------


def _memory(psutil: Any) -> tuple[int | None, int | None]:
    """Total and available host memory, bytes."""
    memory = _asked(psutil, "virtual_memory")
    if memory:
        return memory.total, memory.available
    text = _read(PROC / "meminfo")
    return _kib("MemTotal", text), _kib("MemAvailable", text)


def _kib(key: str, meminfo: str) -> int | None:
    found = re.search(rf"^{key}:\s*([0-9]+) kB", meminfo, re.MULTILINE)
    return int(found[1][:18]) * 1024 if found else None


def _uptime(psutil: Any) -> float | None:
    words = _read(PROC / "uptime").split()  # first: it does not depend on the clock being right
    if words:
        return number(words[0])
    booted = _asked(psutil, "boot_time")
    return round(max(time.time() - float(booted), 0.0), 1) if booted else None


def _disk(path: str) -> tuple[int, int]:
    """Total and free bytes of the disk on which `path` lies, or will lie."""
    folder = Path(path).absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(str(folder))
    return usage.total, usage.free


def _logged_in(psutil: Any) -> list[str] | None:
    """The login names of those who are logged in, each once."""
    users = _asked(psutil, "users")
    if users is not None:
        return sorted({user.name for user in users})
    answer, _ = _ask(["who"])
    return None if answer is None else sorted({row.split()[0] for row in answer.split("\n") if row})


def _read(path: Path) -> str:
    """A file of /proc, "" where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def number(text: str, scale: float = 1) -> float | None:
    """A number that a program printed, times `scale`; None for [N/A] and anything else."""
    try:
        value = float(text) * scale
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _ask(command: list[str]) -> tuple[str | None, str]:
    """What a program prints, None where it is missing or hangs; and what went wrong, or "".

    A program that hangs in its driver outlives even SIGKILL, so it is not waited for.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
            universal_newlines=True,
            errors="replace",
        )
    except OSError:
        return None, ""
    try:
        answer, errors = process.communicate(timeout=PROGRAM_SECONDS)
    except subprocess.TimeoutExpired:
        _end(process)
        return None, f"{command[0]} does not answer within {PROGRAM_SECONDS:g} s"
    if process.returncode:
        return answer, errors.strip() or f"{command[0]} ended with exit code {process.returncode}"
    return answer, errors.strip()


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a program and its children, and let go of what they hold."""
    _attempt(os.killpg, process.pid, signal.SIGKILL)
    _attempt(process.wait, 0.5)
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


# The GPUs ------------------------------------------------------------------------------------


def _gpus(psutil: Any, problems: list[str]) -> list[dict[str, Any]]:
    nvml = _installed("pynvml")
    gpus = _gpus_by_nvml(nvml, problems) if nvml else None
    if gpus is None:
        gpus = _gpus_by_smi(problems)
    for gpu in gpus:
        for process in gpu["processes"] or []:
            process.update(_whose(process["pid"], psutil))
    if _in_container():
        _forget_unseen(gpus, problems)
    return gpus


def _in_container() -> bool:
    """Whether processes have other numbers here than on the machine itself."""
    namespace = _attempt(os.readlink, PROC / "self" / "ns" / "pid")
    return namespace not in (None, INITIAL_NAMESPACE)


def _forget_unseen(gpus: list[dict[str, Any]], problems: list[str]) -> None:
    """A driver may tell a container the machine's numbers, which could mean any process.

    Our own would then look like a stranger's, so the processes of such a GPU are unknown.
    """
    for gpu in gpus:
        if any(process["owner"] is None for process in gpu["processes"] or []):
            gpu["processes"] = None
            problems.append(f"GPU {gpu['index']}: its processes cannot be seen from a container")


def _gpu(index: int | None, **known: Any) -> dict[str, Any]:
    """The record of one GPU: what is not `known` is null."""
    unknown = {
        "index": index,
        "name": None,
        "uuid": None,
        "memory_total_bytes": None,
        "memory_used_bytes": None,
        "memory_free_bytes": None,
        "utilisation": None,
        "temperature_c": None,
        "power_w": None,
        "processes": None,
    }
    return {**unknown, **known}


def _gpus_by_nvml(nvml: Any, problems: list[str]) -> list[dict[str, Any]] | None:
    """The GPUs by nvidia-ml-py; None where it does not reach the driver."""
    try:
        nvml.nvmlInit()
    except Exception:
        return None
    try:
        return [_gpu_by_nvml(nvml, i, problems) for i in range(nvml.nvmlDeviceGetCount())]
    except Exception as error:
        problems.append(f"NVML: {error}")
        return None
    finally:
        _asked(nvml, "nvmlShutdown")


def _gpu_by_nvml(nvml: Any, index: int, problems: list[str]) -> dict[str, Any]:
    def ask(function: str, *args: Any) -> Any:
        try:
            return getattr(nvml, function)(*args)
        except Exception as error:
            if "NotSupported" not in type(error).__name__:
                problems.append(f"GPU {index}: {error}")
            return None

    handle = ask("nvmlDeviceGetHandleByIndex", index)
    if handle is None:
        return _gpu(index)
    memory = _asked(nvml, "nvmlDeviceGetMemoryInfo", handle, getattr(nvml, "nvmlMemory_v2", None))
    memory = memory or ask("nvmlDeviceGetMemoryInfo", handle)
    busy = ask("nvmlDeviceGetUtilizationRates", handle)
    power = ask("nvmlDeviceGetPowerUsage", handle)
    processes = ask("nvmlDeviceGetComputeRunningProcesses", handle)
    return _gpu(
        index,
        name=_decoded(ask("nvmlDeviceGetName", handle)),
        uuid=_decoded(ask("nvmlDeviceGetUUID", handle)),
        memory_total_bytes=memory and memory.total,
        memory_used_bytes=memory and memory.used,
        memory_free_bytes=memory and memory.free,
        utilisation=None if busy is None else busy.gpu / 100,
        temperature_c=ask("nvmlDeviceGetTemperature", handle, 0),
        power_w=None if power is None else power / 1000,
        processes=None if processes is None else [_by_nvml(process) for process in processes],
    )


def _by_nvml(process: Any) -> dict[str, Any]:
    memory = process.usedGpuMemory
    return {"pid": process.pid, "memory_bytes": None if memory == NOT_AVAILABLE else memory}


def _decoded(name: Any) -> str | None:
    return name.decode(errors="replace") if isinstance(name, bytes) else name


def _gpus_by_smi(problems: list[str]) -> list[dict[str, Any]]:
    """The GPUs by nvidia-smi; where one hides the others, each is asked for by its bus."""
    asked = f"--query-gpu={','.join(GPU_FIELDS)}"
    buses = sorted(path.name for path in (PROC / "driver" / "nvidia" / "gpus").glob("*"))
    answer = _smi([asked], problems)
    if answer is None:
        if buses:
            problems.append(f"{len(buses)} GPUs cannot be asked, by nvidia-ml-py or nvidia-smi")
        return []
    gpus = parse_gpus(answer, problems)
    if len(gpus) < len(buses):
        answers = [_smi([asked, f"--id={bus}"], problems) for bus in buses]
        alone = parse_gpus("\n".join(filter(None, answers)), problems)
        gpus = list({gpu["index"]: gpu for gpu in gpus + alone}.values())
    apps = _smi(["--query-compute-apps=gpu_uuid,pid,used_memory"], problems)
    if apps is not None:
        add_processes(gpus, apps)
    return gpus


def _smi(query: list[str], problems: list[str]) -> str | None:
    answer, problem = _ask(["nvidia-smi", *query, "--format=csv,noheader,nounits"])
    if problem:
        problems.append(problem)
    return answer


def _rows(text: str) -> list[list[str]]:
    """The rows of a CSV text: what stands between the commas, without blanks around it."""
    lines = [line for line in text.splitlines() if line.strip()]
    return [[word.strip() for word in row] for row in csv.reader(lines, quoting=csv.QUOTE_NONE)]


def parse_gpus(text: str, problems: list[str]) -> list[dict[str, Any]]:
    """The GPUs in what nvidia-smi answers to a query of `GPU_FIELDS`, without processes.

    A line that is no GPU goes to `problems`, and so does a field that says more than that it is
    unknown.
    """
    gpus = []
    for row in _rows(text):
        index = _whole(number(row[0]))
        if len(row) != len(GPU_FIELDS) or index is None:
            problems.append(f"nvidia-smi: {', '.join(row)}")
            continue
        wrong = [word for word in row if re.search("error|reset|lost", word, re.IGNORECASE)]
        problems.extend(f"GPU {index}: {word.strip('[]')}" for word in wrong)
        gpus.append(_gpu_by_smi(index, row))
    return gpus


def _gpu_by_smi(index: int, row: list[str]) -> dict[str, Any]:
    _, name, uuid, *numbers = row
    total, used, free = (_whole(number(word, MIB)) for word in numbers[:3])
    return _gpu(
        index,
        name=_named(name),
        uuid=_named(uuid),
        memory_total_bytes=total,
        memory_used_bytes=used,
        memory_free_bytes=free,
        utilisation=number(numbers[3], 0.01),
        temperature_c=_whole(number(numbers[4])),
        power_w=number(numbers[5]),
    )


def _named(word: str) -> str | None:
    return None if word in ("", "N/A") or word.startswith("[") else word


def add_processes(gpus: list[dict[str, Any]], text: str) -> None:
    """Give each GPU the processes in what nvidia-smi says of compute-apps.

    Those of a GPU stay null where its rows cannot be read; a row that names no GPU of these may be
    of any, so it makes all of them null.
    """
    by_gpu: dict[Any, list[dict[str, Any]] | None] = {gpu["uuid"]: [] for gpu in gpus}
    for uuid, *rest in _rows(text):
        pid = _whole(number(rest[0])) if len(rest) == 2 else None
        found = by_gpu.get(uuid)
        if uuid not in by_gpu:
            by_gpu = dict.fromkeys(by_gpu)
        elif pid is None:
            by_gpu[uuid] = None
        elif found is not None:
            found.append({"pid": pid, "memory_bytes": _whole(number(rest[1], MIB))})
    for gpu in gpus:
        gpu["processes"] = None if gpu["uuid"] is None else by_gpu[gpu["uuid"]]


# The processes -------------------------------------------------------------------------------


def _whose(pid: int, psutil: Any) -> dict[str, Any]:
    """Owner, start (unix time, s) and program of a process; null where it cannot be seen."""
    process = _asked(psutil, "Process", pid)
    if process:
        return {
            "owner": _asked(process, "username"),
            "started": _whole(_asked(process, "create_time")),
            "command": _asked(process, "name"),
        }
    folder = PROC / str(pid)
    return {
        "owner": _attempt(_owner, folder),
        "started": _started(folder),
        "command": _command(folder),
    }


def _owner(folder: Path) -> str:
    import pwd

    uid = folder.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _started(folder: Path) -> int | None:
    booted = re.search(r"^btime ([0-9]{1,18})$", _read(PROC / "stat"), re.MULTILINE)
    fields = _read(folder / "stat").rpartition(")")[2].split()  # the program's name may hold blanks
    ticks = number(fields[19]) if len(fields) > 19 else None
    if not booted or ticks is None:
        return None
    return round(int(booted[1]) + ticks / os.sysconf("SC_CLK_TCK"))


def _command(folder: Path) -> str | None:
    """The program's name, which the kernel cuts after 15 characters, in full where it is known."""
    name = _read(folder / "comm").rstrip("\n")
    full = os.path.basename(_read(folder / "cmdline").partition("\0")[0])
    return (full if len(name) >= 15 and full.startswith(name) else name) or None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the state of this machine as JSON.")
    parser.add_argument("--disk", default="/", metavar="FOLDER", help="the disk to look at")
    print(json.dumps(read_machine(parser.parse_args().disk)), flush=True)
