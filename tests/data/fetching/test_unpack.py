"""A hostile archive does no harm."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.data.fetching.unpack import unpack
from convscope.errors import UserError

Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, data: bytes = b"sound") -> Member:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    return member, data


def special(name: str, kind: bytes, target: str = "") -> Member:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def archive(path: Path, *members: Member) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[..., Path]:
    """`unpacked(*members)`: the folder into which an archive of them was unpacked."""
    folder = tmp_path / "inner" / "folder"
    folder.mkdir(parents=True)

    def run(*members: Member, most_bytes: int = 1000, most_files: int = 10) -> Path:
        unpack(archive(tmp_path / "a.tar.gz", *members), folder, most_bytes, most_files)
        return folder

    return run


def test_files_and_folders_are_unpacked(unpacked: Callable[..., Path]) -> None:
    folder = unpacked(
        special("./bed", tarfile.DIRTYPE), file("./bed/a.wav", b"one"), file("cat/b.wav", b"two")
    )
    assert (folder / "bed" / "a.wav").read_bytes() == b"one"
    assert (folder / "cat" / "b.wav").read_bytes() == b"two"


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (file("/tmp/evil"), "'/tmp/evil', a name that leads out of its folder"),
        (file("../evil"), r"'\.\./evil', a name that leads out"),
        (file("bed/../../evil"), "a name that leads out"),
        (file("..\\evil"), "a name that leads out"),
        (special("link", tarfile.SYMTYPE, "/etc/passwd"), "'link', which is no plain file"),
        (special("link", tarfile.SYMTYPE, "bed"), "'link', which is no plain file"),
        (special("hard", tarfile.LNKTYPE, "/etc/passwd"), "'hard', which is no plain file"),
        (special("device", tarfile.CHRTYPE), "'device', which is no plain file"),
        (special("disk", tarfile.BLKTYPE), "'disk', which is no plain file"),
        (special("pipe", tarfile.FIFOTYPE), "'pipe', which is no plain file"),
    ],
)
def test_a_hostile_member_is_refused(
    tmp_path: Path, unpacked: Callable[..., Path], member: Member, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        unpacked(file("bed/a.wav"), member, file("bed/b.wav"))
    there = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if not p.is_dir()}
    assert there == {"a.tar.gz", "inner/folder/bed/a.wav"}


def test_a_flood_of_bytes_is_refused_before_it_is_written(
    unpacked: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"more than the 1,000 bytes or 10 files expected"):
        unpacked(file("bed/small.wav", b"x" * 400), file("bed/bomb.wav", bytes(700)))
    assert not list(tmp_path.rglob("bomb.wav"))


def test_a_flood_of_files_is_refused(unpacked: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="or 10 files expected"):
        unpacked(*(file(f"bed/{i}.wav") for i in range(11)))


def test_unpacked_files_cannot_run(unpacked: Callable[..., Path]) -> None:
    member, data = file("bed/a.wav")
    member.mode = 0o6777
    assert (unpacked((member, data)) / "bed/a.wav").stat().st_mode & 0o7022 == 0


@pytest.mark.parametrize("kept", [0.5, 0.05])
def test_a_cut_archive_is_refused(tmp_path: Path, kept: float) -> None:
    path = archive(tmp_path / "a.tar.gz", file("a.wav", bytes(range(256)) * 300))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(UserError, match=r"a\.tar\.gz cannot be unpacked \(.*: remove it and"):
        unpack(path, tmp_path, 10**6, 10)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(path, tmp_path, 1000, 10)


def test_progress_ends_with_the_whole_archive(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    path = archive(tmp_path / "a.tar.gz", file("a.wav"))
    unpack(path, tmp_path, 1000, 10, lambda *step: steps.append(step))
    assert steps[-1] == (path.stat().st_size, path.stat().st_size)
