"""The folder of a sweep: one driver, what people ask of it, and what a dead one left."""

import os
import re
from pathlib import Path

import pytest

from convscope.errors import UserError
from convscope.sweeps.driving.folder import SweepFolder, find_sweep, find_sweeps


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    folder = SweepFolder(tmp_path, "grid-0123")
    folder.create([{"data": {}}], ["a", "b"], threads=2)
    return folder


def test_what_was_written_first_of_a_sweep_stays(folder: SweepFolder) -> None:
    folder.create([], ["other"], threads=9)
    assert (folder.cells, folder.threads, folder.recipes) == (["a", "b"], 2, [{"data": {}}])


def test_a_second_driver_is_told_who_drives_and_since_when(folder: SweepFolder) -> None:
    with folder.held() as left:
        assert left == {}
        assert folder.is_driven
        since = folder.driver["since"]
        words = re.escape(f"is driven by process {os.getpid()} on ") + f".* since {since}: wait"
        with pytest.raises(UserError, match=words), folder.held():
            pass
        assert folder.is_driven, "the second took nothing away"
    assert not folder.is_driven
    assert folder.driver == {}


def test_what_a_dead_driver_left_is_given_to_the_next(folder: SweepFolder) -> None:
    """A dead one cannot remove its file, and holds no lock."""
    dead = '{"host": "far", "pid": 7, "since": "long ago"}'
    (folder.path / "driver.json").write_text(dead)
    (folder.path / ".driver.json.half").write_text("{")
    folder.stop()
    assert not folder.is_driven
    with folder.held() as left:
        assert left == {"host": "far", "pid": 7, "since": "long ago"}
        assert folder.driver["pid"] == os.getpid()
        assert not folder.is_to_stop
    assert not (folder.path / ".driver.json.half").exists()


def test_a_driver_that_ends_by_an_error_is_not_dead_to_the_next(folder: SweepFolder) -> None:
    with pytest.raises(KeyboardInterrupt), folder.held():
        raise KeyboardInterrupt
    with folder.held() as left:
        assert left == {}


def test_the_time_since_which_a_driver_is_there_stays_while_it_tells(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder.held():
        monkeypatch.setattr("convscope.sweeps.driving.folder._now", lambda: "later")
        since = folder.driver["since"]
        folder.tell({"standing": "all is well"})
        assert folder.driver["since"] == since != "later"
        assert folder.driver["standing"] == "all is well"


def test_cells_are_cancelled_and_asked_for_again(folder: SweepFolder) -> None:
    folder.cancel(["b"])
    folder.cancel(["a", "b"])
    assert folder.cancelled == {"a", "b"}
    folder.uncancel(["b"])
    assert folder.cancelled == {"a"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sweep.json", "{}"),
        ("sweep.json", '{"threads": "x"}'),
        ("sweep.json", '{"threads": 1, "recipes": 3, "cells": 5}'),
        ("cancelled.json", '[{"a": 1}, 3]'),
        ("driver.json", "[1]"),
        ("driver.json", "{"),
    ],
)
def test_a_file_that_holds_something_else_is_named(
    folder: SweepFolder, name: str, text: str
) -> None:
    (folder.path / name).write_text(text)
    with pytest.raises(UserError, match=f"{name} is damaged: .* no run is lost"):
        _ = (folder.threads, folder.recipes, folder.cancelled, folder.driver)


def test_a_damaged_file_is_named_with_what_to_do(folder: SweepFolder) -> None:
    (folder.path / "cancelled.json").write_text('["a"')
    with pytest.raises(UserError, match=r"cancelled.json is damaged: .* no run is lost"):
        _ = folder.cancelled


def test_a_log_that_cannot_be_written_ends_nothing(folder: SweepFolder) -> None:
    (folder.path / "log.txt").mkdir()
    folder.log("all is well")


def test_a_folder_that_cannot_be_made_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with (
        pytest.raises(UserError, match=r"runs cannot be written .* another folder with --out"),
        SweepFolder(tmp_path / "runs", "grid").held(),
    ):
        pass


def test_a_sweep_is_found_by_its_name_how_it_begins_or_its_folder(folder: SweepFolder) -> None:
    SweepFolder(folder.out, "other-99").create([], [], 1)
    assert [each.name for each in find_sweeps(folder.out)] == ["grid-0123", "other-99"]
    for name in ("grid-0123", "gr", str(folder.path)):
        assert find_sweep(folder.out, name).name == folder.name
    with pytest.raises(UserError, match=r"x: no sweep of that name in .* grid-0123, other-99"):
        find_sweep(folder.out, "x")
    SweepFolder(folder.out, "grid-01234").create([], [], 1)
    assert find_sweep(folder.out, "grid-0123").name == "grid-0123"
    with pytest.raises(UserError, match="gri: several sweeps"):
        find_sweep(folder.out, "gri")
