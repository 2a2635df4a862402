"""A name that a person typed finds the one on a disk that reads alike."""

from pathlib import Path

import pytest

from convscope.names import find_name, find_path, normalised

TYPED, ON_DISK = "caf\u00e9", "cafe\u0301"


def test_names_that_read_alike_are_equal_once_normalised() -> None:
    assert TYPED != ON_DISK
    assert normalised(TYPED) == normalised(ON_DISK)


def test_a_name_is_found_as_it_is_spelled_where_it_stands() -> None:
    assert find_name(TYPED, ["tea", ON_DISK]) == ON_DISK
    assert find_name(ON_DISK, [TYPED]) == TYPED
    assert find_name("coffee", [TYPED]) is None


def test_the_exact_spelling_goes_before_one_that_reads_alike() -> None:
    assert find_name(ON_DISK, [TYPED, ON_DISK]) == ON_DISK


@pytest.mark.parametrize("below", ["", "file.wav", f"{ON_DISK}.wav"])
def test_a_path_is_found_through_folders_that_read_alike(tmp_path: Path, below: str) -> None:
    there = tmp_path / ON_DISK / below
    there.parent.mkdir(exist_ok=True)
    there.touch() if below else there.mkdir()
    assert find_path(tmp_path / TYPED / normalised(below)) == there


def test_a_path_of_nothing_stays_as_it_was_typed(tmp_path: Path) -> None:
    wanted = tmp_path / "none" / TYPED
    assert find_path(wanted) == wanted
