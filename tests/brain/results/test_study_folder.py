"""Results of a study, kept step by step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.brain.results.study_folder import StudyFolder
from convscope.errors import UserError


def fill(folder: StudyFolder, value: float, log: list[str], stop_before: str = "") -> Any:
    """Two steps and a summary; `log` tells which were computed."""

    def compute_first() -> dict[str, Any]:
        log.append("first")
        return {"x": np.array([value])}

    def compute_second() -> dict[str, Any]:
        log.append("second")
        return {"y": first["x"] + 1}

    with folder.opened():
        first = folder.step("first", compute_first)
        if stop_before == "second":
            raise KeyboardInterrupt
        second = folder.step("second", compute_second)
        folder.write("summary.json", b"{}")
        folder.finish()
    return second["y"]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_was_killed_goes_on_behind_its_last_step_to_the_same_bytes(tmp_path: Path) -> None:
    log: list[str] = []
    whole, broken = StudyFolder(tmp_path / "a", {"k": 1}), tmp_path / "b"
    fill(whole, 1.0, [])
    with pytest.raises(KeyboardInterrupt):
        fill(StudyFolder(broken, {"k": 1}), 1.0, log, stop_before="second")
    assert not StudyFolder(broken, {"k": 1}).is_done
    fill(StudyFolder(broken, {"k": 1}), 1.0, log)
    assert log == ["first", "second"]
    assert bytes_of(broken) == bytes_of(tmp_path / "a")
    assert StudyFolder(broken, {"k": 1}).is_done


def test_results_of_another_key_are_removed_whole_and_computed_anew(tmp_path: Path) -> None:
    log: list[str] = []
    fill(StudyFolder(tmp_path, {"k": 1}), 1.0, log)
    assert not StudyFolder(tmp_path, {"k": 2}).is_done
    (tmp_path / "old.png").write_bytes(b"old")
    assert fill(StudyFolder(tmp_path, {"k": 2}), 5.0, log) == 6.0
    assert log == ["first", "second"] * 2
    assert not (tmp_path / "old.png").exists()


def test_a_changed_or_missing_file_is_not_done_and_a_damaged_step_is_computed_again(
    tmp_path: Path,
) -> None:
    log: list[str] = []
    folder = StudyFolder(tmp_path, {"k": 1})
    fill(folder, 1.0, log)
    (tmp_path / "summary.json").write_bytes(b"{1}")
    assert not folder.is_done
    (tmp_path / "steps" / "first.npz").write_bytes(b"PK\x03\x04 cut short")
    fill(folder, 1.0, log)
    assert log == ["first", "second", "first"]
    assert folder.is_done


def test_two_processes_do_not_write_one_folder(tmp_path: Path) -> None:
    with (
        StudyFolder(tmp_path, {"k": 1}).opened(),
        pytest.raises(UserError, match="is being written by another process: wait for its end"),
        StudyFolder(tmp_path, {"k": 1}).opened(),
    ):
        pass
