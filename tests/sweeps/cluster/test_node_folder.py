"""The folders in which a node's workers train."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from convscope.sweeps.cluster.node_folder import PREFIX, NodeFolder, remove_left


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)


def test_scratch_is_removed_with_all_that_is_in_it(temporary: Path) -> None:
    scratch = NodeFolder()
    (scratch.path / "runs" / "cell").mkdir(parents=True)
    scratch.remove()
    assert not os.listdir(temporary)


def test_scratch_of_a_living_agent_stays() -> None:
    living, other = NodeFolder(), NodeFolder()
    other.remove()
    assert living.path.is_dir()
    living.remove()


def test_what_a_dead_agent_left_is_removed(temporary: Path) -> None:
    left = temporary / f"{PREFIX}dead"
    (left / "runs" / "cell").mkdir(parents=True)
    scratch = NodeFolder()
    assert os.listdir(temporary) == [scratch.path.name]
    scratch.remove()


def test_what_a_dead_agent_left_stays_while_its_worker_lives(temporary: Path) -> None:
    cell = temporary / f"{PREFIX}dead" / "runs" / "cell"
    cell.mkdir(parents=True)
    with locked(cell):
        remove_left()
        assert cell.is_dir()
    remove_left()
    assert not os.listdir(temporary)


def test_other_folders_stay(temporary: Path) -> None:
    (temporary / "convscope-other").mkdir()
    remove_left()
    assert (temporary / "convscope-other").is_dir()
