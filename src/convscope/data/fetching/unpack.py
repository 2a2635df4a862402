"""Unpacking a .tar.gz from elsewhere: nothing outside its folder, nothing but files, no flood."""

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path

from convscope.data.listing.files import Progress
from convscope.errors import UserError


def unpack(
    path: Path, folder: Path, most_bytes: int, most_files: int, progress: Progress | None = None
) -> None:
    """Unpack the files and folders of an archive into `folder`.

    Args:
        path: the .tar.gz.
        folder: where to; it is there.
        most_bytes: what its files may hold together.
        most_files: how many files and folders it may have.
        progress: called with bytes of the archive read and in all.

    Raises:
        UserError: the archive is damaged, holds too much, or holds a link, a device or a name
            that leads out of `folder`; what was unpacked until then stays.
    """
    n_bytes, n_files = 0, 0
    size = path.stat().st_size
    try:
        with path.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:gz") as archive:
            for member in archive:
                _refuse_hostile(path, member)
                n_bytes, n_files = n_bytes + member.size, n_files + 1
                if n_bytes > most_bytes or n_files > most_files:
                    raise UserError(
                        f"{path} holds more than the {most_bytes:,} bytes or {most_files:,} files "
                        f"expected: it was not unpacked; fetch it again from its source"
                    )
                _extract(archive, member, folder)
                if progress:
                    progress(raw.tell(), size)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"{path} cannot be unpacked ({error}): remove it and fetch it again"
        ) from None


def _refuse_hostile(path: Path, member: tarfile.TarInfo) -> None:
    """Refuse, rather than mend, as tarfile's filters would with some: none such is expected."""
    parts = Path(member.name).parts
    if member.name.startswith("/") or ".." in parts or "\\" in member.name:
        raise UserError(
            f"{path} holds {member.name!r}, a name that leads out of its folder: "
            f"it was not unpacked; fetch it again from its source"
        )
    if not (member.isfile() or member.isdir()) or member.size < 0:
        raise UserError(
            f"{path} holds {member.name!r}, which is no plain file or folder: "
            f"it was not unpacked; fetch it again from its source"
        )


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a plain file or folder, without mode and owner: Python 3.11.2 has no filter for it."""
    target = folder / member.name
    source = archive.extractfile(member)
    if source is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as out:
        shutil.copyfileobj(source, out)
