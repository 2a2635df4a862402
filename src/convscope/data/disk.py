"""What is said when a disk has no room, or a folder cannot be written to."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convscope.errors import UserError


def require_space(folder: Path, n_bytes: int, what: str, otherwise: str) -> None:
    """Raise a UserError unless `n_bytes` fit on the disk of `folder`.

    Args:
        folder: where they are to lie; it is there.
        n_bytes: beyond what lies there already.
        what: needs them, in the plural.
        otherwise: what to do other than to make room.
    """
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise UserError(
            f"{folder}: {what} need {n_bytes:,} more bytes, but only {free:,} are free: "
            f"make room or {otherwise}"
        )


@contextmanager
def writing_to(folder: Path, otherwise: str) -> Iterator[None]:
    """Turn what the disk says against writing into `folder` into a UserError.

    Args:
        folder: where the body writes; nothing else that it does may raise an OSError.
        otherwise: what to do other than to make room, or to allow the writing.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{folder}: the disk became full: make room and run the same command again, or "
                f"{otherwise}"
            ) from None
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): make it a folder that you may write "
            f"to, or {otherwise}"
        ) from None
