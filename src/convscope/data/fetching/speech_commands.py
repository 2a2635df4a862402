"""Speech Commands v0.02: fetched from its public address, verified and unpacked.

Source: P. Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition (2018),
CC BY 4.0.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from convscope.data.disk import require_space, writing_to
from convscope.data.fetching.download import download
from convscope.data.fetching.unpack import unpack
from convscope.data.listing.files import Progress
from convscope.errors import UserError

_UNPACKING = ".unpacking"  # holds what is not unpacked to the end
_DONE = ".complete"  # holds the SHA-256 of the archive that was unpacked


@dataclass(frozen=True)
class Archive:
    """A .tar.gz at a public address.

    Attributes:
        url: where it is.
        name: the file's name, here as there.
        n_bytes: its size.
        sha256: of its contents.
        most_bytes: it does not hold more than this when unpacked.
        most_files: nor more files than this.
    """

    url: str
    name: str
    n_bytes: int
    sha256: str
    most_bytes: int
    most_files: int


SPEECH_COMMANDS = Archive(
    url="http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
    name="speech_commands_v0.02.tar.gz",
    n_bytes=2_428_923_189,
    sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    most_bytes=4_000_000_000,
    most_files=150_000,
)


def get_speech_commands(
    folder: Path, progress: Progress | None = None, archive: Archive = SPEECH_COMMANDS
) -> Path:
    """Make `folder` hold the words of Speech Commands; what is done already is not done again.

    The archive goes to `folder` under its own name, where one that was fetched by hand is found
    as well, and stays there: it may be removed afterwards. A download that was cut goes on where
    it stopped; unpacking that was cut starts over.

    Args:
        folder: new, empty, or left by an earlier call.
        progress: called with bytes fetched and in all, then with archive bytes unpacked and in all.
        archive: what to fetch.

    Returns:
        `folder`, the data folder.

    Raises:
        UserError: no network, a full disk, a folder with other things in it, or an archive that is
            not the one expected or that is hostile.
    """
    done = folder / _DONE
    if done.is_file() and done.read_text() == archive.sha256:
        return folder
    total = archive.n_bytes + archive.most_bytes
    with writing_to(folder, f"name another with {total:,} bytes free"):
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_other_things(folder, archive)
        path = folder / archive.name
        _require_space(folder, archive)
        if not path.exists():
            download(archive.url, path, archive.n_bytes, progress)
        _verify(path, archive)
        _unpack_into(folder, path, archive, progress)
    return folder


def _refuse_other_things(folder: Path, archive: Archive) -> None:
    """Unpacking replaces what an earlier, killed call left: so there must be nothing else."""
    ours = {archive.name, f"{archive.name}.part", _UNPACKING, _DONE}
    others = sorted({path.name for path in folder.iterdir()} - ours)
    if others and not (folder / _UNPACKING).exists():
        raise UserError(
            f"{folder} holds {others[0]}: expected a new or empty folder, or one with only "
            f"{archive.name} in it: name another folder"
        )


def _require_space(folder: Path, archive: Archive) -> None:
    part = folder / f"{archive.name}.part"
    have = sum(path.stat().st_size for path in (part, folder / archive.name) if path.exists())
    needed = archive.most_bytes + max(0, archive.n_bytes - have)
    what = f"{archive.name} and what it holds"
    require_space(folder, needed, what, "name a folder on another disk")


def _verify(path: Path, archive: Archive) -> None:
    n_bytes = path.stat().st_size
    if n_bytes != archive.n_bytes:
        raise UserError(
            f"{path} is not the archive: expected {archive.n_bytes:,} bytes, got {n_bytes:,}: "
            f"remove it and run the same command again"
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != archive.sha256:
        raise UserError(
            f"{path} is damaged or not the archive: expected SHA-256 {archive.sha256}, got "
            f"{digest}: remove it and run the same command again"
        )


def _unpack_into(folder: Path, path: Path, archive: Archive, progress: Progress | None) -> None:
    """Unpack beside, then move into place: a word's folder is there as a whole or not at all."""
    unpacking = folder / _UNPACKING
    shutil.rmtree(unpacking, ignore_errors=True)
    unpacking.mkdir()
    unpack(path, unpacking, archive.most_bytes, archive.most_files, progress)
    for source in sorted(unpacking.glob("[!.]*")):
        target = folder / source.name
        if target.is_dir():  # moved by an earlier call that was killed before the end
            shutil.rmtree(target)
        source.replace(target)
    done = unpacking / _DONE
    done.write_text(archive.sha256)
    done.replace(folder / _DONE)
    shutil.rmtree(unpacking)
