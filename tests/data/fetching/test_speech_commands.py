"""Speech Commands is fetched, verified and unpacked, or nothing is."""

import hashlib
import io
import tarfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import convscope.data.fetching.speech_commands as speech_commands
from convscope.data.fetching.speech_commands import SPEECH_COMMANDS, Archive, get_speech_commands
from convscope.errors import UserError

DiskUsage = namedtuple("DiskUsage", "total used free")
NAME = "words.tar.gz"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small archive in the layout of the real one."""
    path = tmp_path / "source.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("README.md", "bed/a_nohash_0.wav", "bed/b_nohash_0.wav", "cat/a_nohash_0.wav"):
            data = name.encode() * 100
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def archive(source: Path) -> Archive:
    """Its description, at an address where nobody answers."""
    data = source.read_bytes()
    return Archive(
        url="http://127.0.0.1:9/words.tar.gz",
        name=NAME,
        n_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        most_bytes=100_000,
        most_files=10,
    )


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch, source: Path) -> list[str]:
    """The addresses asked for; each gives the small archive."""
    asked: list[str] = []

    def download(url: str, path: Path, n_bytes: int, progress: object) -> None:
        asked.append(url)
        path.write_bytes(source.read_bytes())

    monkeypatch.setattr(speech_commands, "download", download)
    return asked


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_real_archive_is_the_published_one() -> None:
    assert SPEECH_COMMANDS.n_bytes == 2_428_923_189
    assert SPEECH_COMMANDS.sha256.startswith("af14739ee7dc3114")
    assert SPEECH_COMMANDS.url.endswith(f"/{SPEECH_COMMANDS.name}")


def test_the_words_lie_in_the_folder_itself(
    tmp_path: Path, archive: Archive, downloads: list[str]
) -> None:
    folder = get_speech_commands(tmp_path / "words", None, archive)
    assert (folder / "bed" / "a_nohash_0.wav").read_bytes().startswith(b"bed/a")
    assert names(folder) == {"README.md", "bed", "cat", NAME, ".complete"}


def test_a_second_call_does_nothing(tmp_path: Path, archive: Archive, downloads: list[str]) -> None:
    get_speech_commands(tmp_path / "words", None, archive)
    (tmp_path / "words" / NAME).unlink()  # who needs the room may remove it
    get_speech_commands(tmp_path / "words", None, archive)
    assert downloads == [archive.url]


def test_an_archive_fetched_by_hand_is_picked_up(
    tmp_path: Path, archive: Archive, source: Path
) -> None:
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / NAME).write_bytes(source.read_bytes())
    get_speech_commands(folder, None, archive)
    assert (folder / "cat" / "a_nohash_0.wav").exists()


def test_without_network_it_says_what_to_fetch_by_hand_and_where_to_put_it(
    tmp_path: Path, archive: Archive
) -> None:
    message = r"127\.0\.0\.1:9/words\.tar\.gz .* browser, put it to .*words/words\.tar\.gz and run"
    with pytest.raises(UserError, match=message):
        get_speech_commands(tmp_path / "words", None, archive)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sha256": "0" * 64},
            r"words\.tar\.gz is damaged or not the archive: expected SHA-256 00",
        ),
        ({"n_bytes": 7}, r"words\.tar\.gz is not the archive: expected 7 bytes, got .*: remove it"),
        ({"most_files": 2}, "holds more than the 100,000 bytes or 2 files expected"),
    ],
)
def test_a_wrong_archive_gives_no_words(
    tmp_path: Path, archive: Archive, downloads: list[str], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        get_speech_commands(tmp_path / "words", None, replace(archive, **change))
    assert names(tmp_path / "words") <= {NAME, ".unpacking"}


def test_unpacking_that_was_killed_starts_over(
    tmp_path: Path, archive: Archive, downloads: list[str]
) -> None:
    folder = tmp_path / "words"
    (folder / ".unpacking" / "cat").mkdir(parents=True)
    (folder / ".unpacking" / "cat" / "half.wav").write_bytes(b"half")
    (folder / "bed").mkdir()
    (folder / "bed" / "a_nohash_0.wav").write_bytes(b"moved before")
    get_speech_commands(folder, None, archive)
    assert names(folder / "bed") == {"a_nohash_0.wav", "b_nohash_0.wav"}
    assert names(folder / "cat") == {"a_nohash_0.wav"}
    assert names(folder) == {"README.md", "bed", "cat", NAME, ".complete"}


@pytest.mark.parametrize("n_moves", range(4))
def test_killed_at_any_move_the_next_call_completes(
    tmp_path: Path,
    archive: Archive,
    downloads: list[str],
    monkeypatch: pytest.MonkeyPatch,
    n_moves: int,
) -> None:
    moves = iter(range(n_moves))
    move = Path.replace

    def move_some(path: Path, target: Path) -> Path:
        if next(moves, None) is None:
            raise KeyboardInterrupt
        return move(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", move_some)
        with pytest.raises(KeyboardInterrupt):
            get_speech_commands(tmp_path / "words", None, archive)
    assert not (tmp_path / "words" / ".complete").exists()
    folder = get_speech_commands(tmp_path / "words", None, archive)
    assert names(folder) == {"README.md", "bed", "cat", NAME, ".complete"}
    assert downloads == [archive.url]


def test_a_folder_with_other_things_in_it_is_left_alone(
    tmp_path: Path, archive: Archive, downloads: list[str]
) -> None:
    mine = tmp_path / "words" / "bed" / "mine.wav"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"my own")
    with pytest.raises(UserError, match=r"words holds bed: expected a new or empty folder"):
        get_speech_commands(tmp_path / "words", None, archive)
    assert mine.read_bytes() == b"my own"
    assert downloads == []


def test_too_little_disk_is_known_before_the_download(
    tmp_path: Path, archive: Archive, downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: DiskUsage(1, 1, 5_000))
    message = (
        rf"what it holds need {100_000 + archive.n_bytes:,} more bytes, but only 5,000 are free"
    )
    with pytest.raises(UserError, match=message):
        get_speech_commands(tmp_path / "words", None, archive)
    assert downloads == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, archive: Archive) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file/words cannot be written \(Not a directory\)"):
        get_speech_commands(tmp_path / "file" / "words", None, archive)
