"""A run folder's files are whole or not there, and the manifest vouches for them."""

from pathlib import Path
from typing import Any, BinaryIO

import pytest

from convscope.errors import UserError
from convscope.run import RESULTS, STATE, Run, write_atomically


@pytest.fixture
def done(tmp_path: Path) -> Run:
    run = Run(tmp_path / "run")
    for name in RESULTS:
        run.write(name, f"content of {name}")
    run.write(STATE, b"state")
    run.finish()
    return run


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(file: BinaryIO) -> Any:
        file.write(b"half")
        raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        write_atomically(path, fail)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_a_finished_run_is_done_and_without_its_state(done: Run) -> None:
    assert done.is_done
    assert not done.path(STATE).exists()
    done.verify()


@pytest.mark.parametrize("name", RESULTS)
def test_a_changed_file_is_named(done: Run, name: str) -> None:
    done.path(name).write_text("changed")
    with pytest.raises(UserError, match=f"{name} is not the file that the run was finished with"):
        done.verify()


def test_a_missing_file_is_named(done: Run) -> None:
    done.path("scores.json").unlink()
    with pytest.raises(UserError, match=r"scores\.json is not the file"):
        done.verify()


def test_a_folder_without_a_config_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is no run: expected a folder with config\.yaml"):
        Run.existing(tmp_path)


def test_files_that_are_missing_read_as_empty(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert (run.config, run.status, run.scores, run.epochs) == ({}, {}, {}, [])


def test_epochs_come_back_as_they_were_written(tmp_path: Path) -> None:
    run = Run(tmp_path)
    rows = [{"epoch": 1, "train_loss": 0.1 + 0.2}, {"epoch": 2, "train_loss": 1e-17}]
    run.write_epochs(rows)
    assert run.epochs == rows


def test_a_status_keeps_what_is_not_changed(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write_status(state="running", attempts=1)
    run.write_status(state="failed")
    assert run.status == {"state": "failed", "attempts": 1}


@pytest.mark.parametrize("content", ["{half", "[1]", "data: 3"])
def test_a_damaged_config_is_named_with_what_to_do(tmp_path: Path, content: str) -> None:
    run = Run(tmp_path)
    run.write("config.yaml", content)
    with pytest.raises(UserError, match=r"config\.yaml is damaged: .* train it again"):
        _ = run.config


def test_a_damaged_status_reads_as_none_for_it_decides_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write("status.json", "{half")
    assert run.status == {}


@pytest.mark.parametrize("content", ['{"sha256": 3}', "{}"])
def test_a_damaged_manifest_vouches_for_nothing(done: Run, content: str) -> None:
    done.write("manifest.json", content)
    with pytest.raises(UserError, match="is not the file that the run was finished with"):
        done.verify()
