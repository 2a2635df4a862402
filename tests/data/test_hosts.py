"""A folder of data for each host: which is taken, and that it decides no result."""

import json
import socket
from pathlib import Path

import pytest

from convscope.data.config import MnistConfig, WordsConfig
from convscope.data.hosts import Folder, folder_here
from convscope.data.listing.files import clip_path, require_folder
from convscope.data.load import class_names, load_dataset
from convscope.errors import UserError
from convscope.settings import validated


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "gpu7.lab.example")


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (None, None),
        ("/data", "/data"),
        ({"default": "/data", "gpu7": "/mnt"}, "/mnt"),
        ({"gpu7": "/mnt", "gpu7.lab.example": "/full", "default": "/data"}, "/full"),
        ({"default": "/data", "gpu70": "/mnt", "lab": "/x"}, "/data"),
    ],
)
def test_the_full_name_goes_before_the_short_one_and_default_comes_last(
    folder: Folder, expected: str | None
) -> None:
    assert folder_here(folder) == expected
    assert WordsConfig(folder=folder).here() == WordsConfig(folder=expected)


def test_a_host_that_is_not_named_is_told_what_to_add() -> None:
    with pytest.raises(
        UserError, match=r"no folder for this host, gpu7\.lab\.example, but for a, b"
    ):
        WordsConfig(folder={"a": "/a", "b": "/b"}).here()


def test_where_data_lie_is_in_no_name() -> None:
    named = WordsConfig(folder={"gpu7": "/mnt"})
    assert named.identity() == WordsConfig(folder="/data").identity()


def test_folders_survive_being_written_down() -> None:
    config = WordsConfig(folder={"gpu7": "/mnt", "default": "/data"})
    assert WordsConfig.model_validate(json.loads(config.model_dump_json())) == config


def test_files_are_looked_for_in_the_folder_of_this_host(tmp_path: Path) -> None:
    folder: Folder = {"gpu7": str(tmp_path), "default": "/nowhere"}
    assert require_folder(folder) == tmp_path
    assert clip_path(folder, "a/b.wav") == tmp_path / "a/b.wav"


def test_loading_takes_the_folder_of_this_host_and_says_so(tmp_path: Path) -> None:
    config = WordsConfig(folder={"gpu7": str(tmp_path)})
    for load in (load_dataset, class_names):
        with pytest.raises(UserError, match=f"data.folder: {tmp_path} is empty or holds other"):
            load(config)


def test_classes_that_the_recipe_names_need_no_folder() -> None:
    assert class_names(WordsConfig(folder={"other": "/x"}, words=("a", "b"))) == ("a", "b")


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        (3, """data.folder: expected string, got 3: quote it, data.folder='"3"'"""),
        ({}, "data.folder: expected a folder, or one for each host and for default, got none"),
        ({"gpu7": 3}, "data.folder: expected a folder for each host, got 3 for gpu7"),
        ({"gpu7": None}, "data.folder: expected a folder for each host, got None for gpu7"),
        (["/a"], r"data.folder: expected string, got \['/a'\]"),
    ],
)
def test_what_is_no_folder_is_named(folder: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        validated(MnistConfig, {"folder": folder}, "data")
