"""The short form of benchmarks/servers_soak.py: nothing of what a collector holds grows."""

import importlib.util
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("prometheus_client")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts file handles")

SOAK = Path(__file__).parents[2] / "benchmarks" / "servers_soak.py"


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    spec = importlib.util.spec_from_file_location(SOAK.stem, SOAK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[SOAK.stem] = module
    spec.loader.exec_module(module)
    return module


def test_memory_file_handles_and_history_are_bounded(soak: ModuleType, tmp_path: Path) -> None:
    outcome = soak.soak(tmp_path, n_ticks=192, n_servers=4, n_gpus=2)
    assert list(outcome.problems()) == []
    assert sum(outcome.told.values()) > 10
    assert outcome.counted_hours > 1
    assert any(line.startswith("the webhook fails") for line in outcome.lines)
    assert {line.split(" ", 2)[1] for line in outcome.lines} == {"webhook"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"objects": 2001}, "objects grew from 1000 to 2001"),
        ({"rss_bytes": 2**30}, "memory grew"),
        ({"file_handles": 11}, "file handles grew from 10 to 11"),
        ({"history_bytes": 10**7}, "the history grew"),
        ({"gpu_rows": 200}, "rows of GPUs grew from 100 to 200"),
    ],
)
def test_a_soak_would_see_what_grows(soak: ModuleType, changes: Any, problem: str) -> None:
    reading = soak.Reading(1, 10**6, 1000, 10, 10**6, 100)
    outcome = soak.Outcome(readings=[reading, reading, replace(reading, **changes)])
    (told,) = outcome.problems()
    assert told.startswith(problem)


def test_a_soak_would_see_what_is_told_twice_or_counted_wrong(soak: ModuleType) -> None:
    reading = soak.Reading(1, 10**6, 1000, 10, 10**6, 100)
    outcome = soak.Outcome(readings=[reading], held_hours=2.0, counted_hours=1.0)
    outcome.told = Counter({("a", True): 2})
    assert [problem.split()[0] for problem in outcome.problems()] == ["the", "usage"]
