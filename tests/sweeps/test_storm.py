"""A sweep whose driver and workers are killed at random gives what an undisturbed one gives."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def test_a_sweep_that_is_killed_at_random_gives_the_same_board_to_the_bit(
    storm: ModuleType, tmp_path: Path
) -> None:
    """The short form of benchmarks/sweep_storm.py: eight cells, six kills."""
    calm, stormy = storm.survive(tmp_path, n_kills=6, seed=1, n_seeds=1, epochs=3)
    assert sum(each.kills.total() for each in stormy) == 6
    assert len(calm.manifests) == 8
    for each in [calm, *stormy]:
        assert list(each.problems(calm)) == []
        assert each.manifests.keys() == calm.manifests.keys()
        assert each.survival_seconds < storm.ORPHAN_SECONDS


def test_a_storm_would_see_what_was_lost_done_twice_or_left_behind(
    storm: ModuleType, tmp_path: Path
) -> None:
    """Run folders by hand, in which everything is wrong that can be."""
    storms = storm.make_storms(tmp_path, 1, 1)
    calm, stormy = next(storms), next(storms)
    for each in (calm, stormy):
        (each.out / "lost").mkdir(parents=True)
        (each.out / "lost" / "config.yaml").touch()
        (each.out / "lost" / "manifest.json").touch()
        each.note_manifests()
    (stormy.out / "lost" / "config.yaml").unlink()
    manifest = stormy.out / "lost" / "manifest.json"
    os.utime(manifest, ns=(0, 0))
    (stormy.out / "lost" / ".model.safetensors.x").touch()
    (stormy.out / "sweeps" / "storm").mkdir(parents=True)
    (stormy.out / "sweeps" / "storm" / "log.txt").write_text("a b lost is done: x\n" * 2)
    stormy.orphans.append(7)
    assert list(stormy.problems(calm)) == [
        "process 7 outlived its driver",
        f"{stormy.out / 'lost' / '.model.safetensors.x'} was left",
        "lost was finished twice",
        "lost was done 2 times",
        "other cells: {'lost'}",
    ]


def test_a_process_is_known_by_its_mark_until_it_is_dead(storm: ModuleType) -> None:
    mark = f"test-{os.getpid()}"
    process = subprocess.Popen(["sleep", "1000"], env={**os.environ, storm.MARK: mark})
    storm.until(lambda: storm.processes(mark) == [(process.pid, "other")], 60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert storm.processes(mark) == []
