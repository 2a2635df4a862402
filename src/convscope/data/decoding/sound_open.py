"""A sound file, opened: what its header may claim, and whether all that it promises is there."""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from convscope.data.config import LEAST_RATE_HZ, MOST_RATE_HZ
from convscope.data.decoding.library_warnings import caught_from_c
from convscope.data.listing.files import Unreadable

MOST_CHANNELS = 64

MOST_SAMPLES = 2**32
"""Of all channels: a day of one channel at 48 kHz. A header may claim billions of times as many."""

_BLOCK = 2**18  # samples at a time: an hour's recording needs no more memory than a word

_UNKNOWN_LENGTH = np.iinfo(np.int64).max

_UNKNOWN_BYTES = 0x7FFF_0000  # programs that write into a pipe claim so many or more

_TOO_FEW_BYTES = re.compile(r"^ *(?:data|SSND|riff) *: (\d+) \(should be \d+\)", re.MULTILINE)
"""What libsndfile's log says where a WAV or AIFF promises more bytes of samples than there are;
of a W64, whose `riff` counts all of it."""

_CUT_OFF = ("lacks an end-of-stream bit", "does not match value from 'ds64' chunk")
"""The same for Ogg, and for RF64."""


@contextmanager
def open_sound(path: Path) -> Iterator[soundfile.SoundFile]:
    """The open file, of any name: libsndfile takes bytes, and a name need not be UTF-8.

    Raises:
        Unreadable: no known sound, damaged as far as it is read in the block, or its header claims
            what no recording has.
    """
    try:
        with _listening(path), soundfile.SoundFile(os.fsencode(path)) as file:
            _refuse_claims(file)
            yield file
    except (soundfile.SoundFileError, OSError, MemoryError) as error:
        raise Unreadable(_why_unreadable(path, error)) from None


def sample_blocks(
    file: soundfile.SoundFile, n_frames: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """The first frames of a file, or all, as arrays (n_some_frames, n_channels).

    Raises:
        Unreadable: the file breaks off, or holds samples that are NaN or infinite.
    """
    left = file.frames if n_frames is None else min(n_frames, file.frames)
    at_once = max(1, _BLOCK // file.channels)
    while left and len(block := _read(file, min(left, at_once))):
        if not np.isfinite(block).all():
            raise Unreadable("holds samples that are NaN or infinite")
        left -= len(block)
        yield block


def missing_end(file: soundfile.SoundFile, n_read: int, n_wanted: int) -> str | None:
    """What to say where a file holds less than its header promises; None where it does not.

    Args:
        file: of which `n_read` frames were there when `n_wanted` were asked for.
        n_read: frames.
        n_wanted: frames, no more than the header promises.
    """
    if n_read < n_wanted:
        return f"ends after {n_read:,} of the {file.frames:,} samples that its header promises"
    log = file.extra_info
    stated = _TOO_FEW_BYTES.search(log)
    if (stated and int(stated[1]) < _UNKNOWN_BYTES) or any(words in log for words in _CUT_OFF):
        return f"ends after {file.frames:,} samples, where its header promises more"
    return None


def _listening(path: Path) -> AbstractContextManager[None]:
    """What mpg123, in libsndfile, writes to the terminal itself; other decoders are silent."""
    return caught_from_c() if _is_mpeg(path) else nullcontext()


def _is_mpeg(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(3)
    return head == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


def _refuse_claims(file: soundfile.SoundFile) -> None:
    """Before anything is allocated for what the header claims."""
    if not LEAST_RATE_HZ <= file.samplerate <= MOST_RATE_HZ:
        raise Unreadable(
            f"claims a rate of {file.samplerate:,} Hz, expected {LEAST_RATE_HZ} to "
            f"{MOST_RATE_HZ:,} Hz"
        )
    if file.channels > MOST_CHANNELS:
        raise Unreadable(f"claims {file.channels} channels, expected at most {MOST_CHANNELS}")
    if file.frames == _UNKNOWN_LENGTH:
        raise Unreadable("does not say how long it is, as a stream: save it anew")
    if file.frames * file.channels > MOST_SAMPLES:
        raise Unreadable(
            f"claims {file.frames:,} samples in {file.channels} channels, expected at most "
            f"{MOST_SAMPLES:,} in all"
        )


def _read(file: soundfile.SoundFile, n_frames: int) -> NDArray[np.float32]:
    try:
        block: NDArray[np.float32] = file.read(n_frames, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise Unreadable(
            f"is no readable sound: it breaks off or is damaged within its {file.frames:,} samples"
            f"{_in_brackets(error)}"
        ) from None
    return block


def _why_unreadable(path: Path, error: Exception) -> str:
    """A few words that say why a sound file could not be read, without the file's path."""
    if isinstance(error, MemoryError):
        return "takes more memory than there is"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    if path.stat().st_size == 0:
        return "is empty (0 bytes)"
    return f"is no readable sound{_in_brackets(error)}"


def _in_brackets(error: Exception) -> str:
    reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
    return f" ({reason})" if reason else ""
