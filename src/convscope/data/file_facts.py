"""What one file is: readable, silent, clipped, and the hash of its contents."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from convscope.data.files import Unreadable
from convscope.data.sound_files import FULL_SCALE, why_unreadable

_BLOCK = 2**18  # frames at a time: an hour's recording needs no more memory than a word


@dataclass(frozen=True)
class FileFacts:
    """What one file is; only sounds have a rate and a length.

    Attributes:
        reason: why it cannot be read; empty if it can.
        empty: whether it has 0 bytes or no samples.
        sha256: of its contents.
        rate_hz: as it is stored.
        seconds: its length.
        peak: the greatest absolute sample, full scale being 1.
        clipped_share: of all samples, those at the full scale of 16 bits.
    """

    reason: str = ""
    empty: bool = False
    sha256: str = ""
    rate_hz: int | None = None
    seconds: float | None = None
    peak: float = 1.0
    clipped_share: float = 0.0

    @property
    def usable(self) -> bool:
        return not self.reason and not self.empty


def examine(path: Path, is_image: bool) -> FileFacts:
    """Read the whole of one file."""
    try:
        if path.stat().st_size == 0:
            return FileFacts(empty=True)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        facts = _examine_image(path) if is_image else _examine_sound(path)
    except OSError as error:
        return FileFacts(reason=f"cannot be read ({error.strerror})")
    except Unreadable as error:
        return FileFacts(reason=str(error))
    return replace(facts, sha256=digest)


def _examine_image(path: Path) -> FileFacts:
    from convscope.data.images import ImageDecoder

    ImageDecoder(size=8)(path)
    return FileFacts()


def _examine_sound(path: Path) -> FileFacts:
    n_frames, n_clipped, peak = 0, 0, 0.0
    try:
        with soundfile.SoundFile(path) as file:
            rate_hz, n_channels = file.samplerate, file.channels
            while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
                size = np.abs(block)
                if not np.isfinite(size).all():
                    raise Unreadable("holds samples that are NaN or infinite")
                n_frames += len(block)
                n_clipped += int(np.count_nonzero(size >= 1 - 1 / FULL_SCALE))
                peak = max(peak, float(size.max()))
    except soundfile.SoundFileError as error:
        raise Unreadable(why_unreadable(path, error)) from None
    if n_frames == 0:
        return FileFacts(empty=True)
    share = n_clipped / (n_frames * n_channels)
    return FileFacts(rate_hz=rate_hz, seconds=n_frames / rate_hz, peak=peak, clipped_share=share)
