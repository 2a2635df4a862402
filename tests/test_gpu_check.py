"""The list for a GPU: an item that fails or hangs costs itself alone, and the whole of it runs."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.test_benchmarks import ROOT, Script, script

__all__ = ["script"]  # a fixture

PRINTS = "print('first'); print('last')"
FAILS = "import sys; print('before'); 1 / 0"
CHILD_HANGS = (
    "import subprocess, sys, os; r, _ = os.pipe()\n"
    "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=r)\n"
    "print(child.pid, flush=True); child.wait()"
)


@pytest.fixture
def gpu_check(script: Script) -> ModuleType:
    return script("gpu_check")


def item(gpu_check: ModuleType, name: str, code: str, seconds: float = 60.0) -> Any:
    return gpu_check.Item(name, f"does {name}", seconds / 60, lambda *_: ["-c", code])


def place(gpu_check: ModuleType, folder: Path) -> Any:
    scratch = folder / "scratch"
    scratch.mkdir()
    return gpu_check.Place(folder, scratch, folder, cpu=True)


def test_an_item_that_fails_or_hangs_costs_itself_alone(
    gpu_check: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [
        item(gpu_check, "fails", FAILS),
        item(gpu_check, "hangs", CHILD_HANGS, seconds=5),
        item(gpu_check, "prints", PRINTS),
    ]
    outcomes = gpu_check.checked(items, place(gpu_check, tmp_path), 600)
    assert [each.outcome for each in outcomes] == ["failed", "stopped", "ran"]
    assert [each.said for each in outcomes] == [
        "ZeroDivisionError: division by zero",
        "over its 5 s",
        "",
    ]
    written = json.loads((tmp_path / gpu_check.RESULTS).read_text())["items"]
    assert [each["name"] for each in written] == ["fails", "hangs", "prints"]
    assert written[2]["result"] == ["first", "last"]
    log = (tmp_path / gpu_check.LOG).read_text()
    assert "Traceback (most recent call last)" in log
    assert "before" in log
    assert is_gone(int(written[1]["result"][0]))
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("fails: failed, ")
    assert told[0].endswith("ZeroDivisionError: division by zero")


def test_the_results_are_written_after_each_item(gpu_check: ModuleType, tmp_path: Path) -> None:
    reads = f"import json; print(len(json.load(open('{tmp_path}/gpu_check.json'))['items']))"
    items = [item(gpu_check, "first", PRINTS), item(gpu_check, "second", reads)]
    outcomes = gpu_check.checked(items, place(gpu_check, tmp_path), 600)
    assert outcomes[1].result == ["1"]


def test_no_item_begins_without_time(gpu_check: ModuleType, tmp_path: Path) -> None:
    [only] = gpu_check.checked([item(gpu_check, "late", FAILS)], place(gpu_check, tmp_path), 1)
    assert (only.outcome, only.said) == ("left out", "no time was left")


def test_items_are_one_word_each_and_in_order_of_worth(gpu_check: ModuleType) -> None:
    names = [each.name for each in gpu_check.ITEMS]
    assert len(set(names)) == len(names)
    assert names[:2] == ["works", "tests"]
    assert names[-1] == "finals"


def test_an_unknown_item_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--only", "speed")
    assert done.returncode == 2
    assert "no item speed" in done.stderr


def test_the_rehearsal_runs_every_item_on_a_cpu(gpu_check: ModuleType, tmp_path: Path) -> None:
    done = run(tmp_path, "--cpu")
    assert done.returncode == 0, (tmp_path / gpu_check.LOG).read_text()
    items = json.loads((tmp_path / gpu_check.RESULTS).read_text())["items"]
    assert [each["name"] for each in items] == [each.name for each in gpu_check.ITEMS]
    assert {each["outcome"] for each in items} == {"ran"}
    results = {each["name"]: each["result"] for each in items}
    assert all(row["holds"] for row in results["works"]["rows"])
    assert [row["execution"] for row in results["steps"]["rows"]] == ["fp32", "ours"]
    assert {row["ended"] for row in results["memory"]["rows"]} == {"done"}
    assert "by NVML" in json.loads(results["sensor"][-1])
    assert (tmp_path / "runs.tar").exists()


def is_gone(pid: int) -> bool:
    """Ended, whether or not its parent has asked how."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def run(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks/gpu_check.py"), str(out), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)
