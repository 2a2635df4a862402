"""A run folder's files are whole or not there, and the manifest vouches for them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from convscope.errors import UserError
from convscope.run import (
    MANIFEST,
    RESULTS,
    SOURCE,
    STATE,
    Run,
    write_atomically,
)
from convscope.run_text import LARGEST_TEXT


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
    with pytest.raises(UserError, match=rf"was changed after its end: {name} differs: bring back"):
        done.verify()


def test_all_files_that_differ_are_named_in_one_line(done: Run) -> None:
    done.path("scores.json").unlink()
    done.path("epochs.csv").write_text("changed")
    done.write(SOURCE, "added")
    done.write("model.onnx", "what convscope export writes there is no change")
    with pytest.raises(UserError) as caught:
        done.verify()
    assert str(caught.value) == (
        f"{done.folder} was changed after its end: epochs.csv differs, scores.json is missing, "
        "net.py was added: bring back what it was finished with, from where the run was copied, "
        "or delete the folder and train it again"
    )


def test_the_source_of_a_network_of_ones_own_is_vouched_for(done: Run) -> None:
    done.write(SOURCE, "def make_net(): ...")
    done.finish()
    done.verify()
    done.path(SOURCE).write_text("evil")
    with pytest.raises(UserError, match=r"changed after its end: net\.py differs"):
        done.verify()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"heads.npz": "0" * 64}, r"names heads\.npz: the run was made by another version of"),
        (
            {"scores.json": None},
            r"lacks scores\.json: .* \(9\.0; this is .*: read it with that",
        ),
    ],
)
def test_the_manifest_of_another_version_is_told_from_a_change(
    done: Run, change: dict[str, Any], words: str
) -> None:
    done.write_json("environment.json", {"packages": {"convscope": "9.0"}})
    done.finish()
    _change_manifest(done, change)
    with pytest.raises(UserError, match=words):
        done.verify()


@pytest.mark.parametrize("name", ["../scores.json", "/etc/passwd", "look/../../x", "..", ""])
def test_a_manifest_that_names_what_is_not_in_the_folder_is_refused(done: Run, name: str) -> None:
    (done.folder.parent / "scores.json").write_text("content of another")
    _change_manifest(done, {name: "0" * 64})
    with pytest.raises(UserError, match=r"names '.*', which is not in the run's folder: convscope"):
        done.verify()


def _change_manifest(run: Run, change: dict[str, Any]) -> None:
    hashes = {**json.loads(run.path(MANIFEST).read_text())["sha256"], **change}
    kept = {name: value for name, value in hashes.items() if value is not None}
    run.write_json(MANIFEST, {"sha256": kept})


READERS: dict[str, Callable[[Run], object]] = {
    "config.yaml": lambda run: run.config,
    "environment.json": lambda run: run.environment,
    "epochs.csv": lambda run: run.epochs,
    "scores.json": lambda run: run.scores,
    "manifest.json": Run.verify,
    "model.safetensors": Run.verify,
    "predictions.npz": Run.verify,
    "net.py": Run.verify,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("is_relative", [True, False])
def test_no_link_leads_out_of_a_run(done: Run, name: str, is_relative: bool) -> None:
    outside = done.folder.parent / "outside"
    outside.write_text("secret")
    done.path(name).unlink(missing_ok=True)
    (done.folder / name).symlink_to("../outside" if is_relative else outside)
    with pytest.raises(UserError, match=rf"{name} is a link that leads out of .*, to .*outside:"):
        READERS[name](done)


def test_a_link_that_is_the_run_and_a_link_within_it_are_fine(done: Run, tmp_path: Path) -> None:
    done.path("scores.json").rename(done.folder / "first.json")
    (done.folder / "scores.json").symlink_to("first.json")
    (tmp_path / "link").symlink_to(done.folder)
    Run(tmp_path / "link").verify()


def test_a_pipe_in_a_run_is_not_waited_for(done: Run) -> None:
    done.path("scores.json").unlink()
    os.mkfifo(done.folder / "scores.json")
    assert done.scores == {}
    with pytest.raises(UserError, match=r"scores\.json is missing"):
        done.verify()


def test_a_text_larger_than_any_run_has_is_not_read(done: Run) -> None:
    with done.path("scores.json").open("wb") as file:
        file.truncate(LARGEST_TEXT + 1)
    with pytest.raises(UserError, match=r"scores\.json is damaged"):
        _ = done.scores


@pytest.mark.parametrize(
    "content",
    [
        "data: !!python/object/apply:os.system ['touch {marker}']",
        "data: !!python/name:os.system {{}}",
        "data: " + "[" * 1_000_000,
        "data: " + "- " * 1_000_000,
        "data: {{a: &a [x, x]}}\nmodel: {{b: *a}}",
    ],
)
def test_yaml_that_wants_more_than_keys_and_values_is_refused(
    done: Run, tmp_path: Path, content: str
) -> None:
    done.write("config.yaml", content.format(marker=tmp_path / "marker"))
    with pytest.raises(UserError, match=r"config\.yaml is damaged: expected what convscope wrote"):
        _ = done.config
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("content", ["epoch,loss\n1,x\n", "epoch,loss\n1\n", "epoch\n1,2\n"])
def test_a_damaged_table_of_epochs_is_named(done: Run, content: str) -> None:
    done.write("epochs.csv", content)
    with pytest.raises(UserError, match=r"epochs\.csv is damaged"):
        _ = done.epochs


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
    with pytest.raises(
        UserError, match=r"manifest\.json is damaged: expected what convscope wrote"
    ):
        done.verify()
