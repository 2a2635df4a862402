"""What one file is: readable, clipped, what is wrong with it, and the hash of its contents."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr

from convscope.data.decoding.images import ImageDecoder
from convscope.data.decoding.library_warnings import caught
from convscope.data.decoding.sound_files import FULL_SCALE, peak, refuse_nothing, why_silent
from convscope.data.decoding.sound_open import missing_end, open_sound, sample_blocks
from convscope.data.listing.files import Unreadable
from convscope.data.listing.notes import Note, notes_of
from convscope.types import Waveform


@dataclass(frozen=True)
class FileFacts:
    """What one file is; only sounds have a rate and a length.

    Attributes:
        reason: why it cannot be read; empty if it can.
        empty: whether it has 0 bytes or no samples.
        sha256: of its contents.
        rate_hz: as it is stored.
        seconds: its length.
        clipped_share: of all samples, those at the full scale of 16 bits.
        notes: what else is wrong with it.
    """

    reason: str = ""
    empty: bool = False
    sha256: str = ""
    rate_hz: int | None = None
    seconds: float | None = None
    clipped_share: float = 0.0
    notes: tuple[Note, ...] = ()

    @property
    def usable(self) -> bool:
        return not self.reason and not self.empty


def examine(path: Path, facts_of: Callable[[Path], FileFacts]) -> FileFacts:
    """Read the whole of one file, by what its kind of file is examined with."""
    try:
        if path.stat().st_size == 0:
            return FileFacts(empty=True)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        facts = facts_of(path)
    except OSError as error:
        return FileFacts(reason=f"cannot be read ({error.strerror})")
    except Unreadable as error:
        return FileFacts(reason=str(error))
    return replace(facts, sha256=digest)


def image_facts(path: Path, white_level: int) -> FileFacts:
    """Facts of an image, whose grey levels are read as training reads them."""
    return FileFacts(notes=ImageDecoder(8, white_level)(path).notes)


def sound_facts(path: Path, rate_hz: int, n_times: int | None) -> FileFacts:
    """Facts of a sound, of which training hears the mix at `rate_hz`, cut to `n_times`.

    Args:
        path: the file; the whole of it is read, however little is heard.
        rate_hz: of the clip.
        n_times: samples of the clip; None: all.
    """
    n_frames, n_clipped, channels_peak, mix_peak = 0, 0, 0.0, 0.0
    with caught() as said, open_sound(path) as file:
        clip = _Clip(file.samplerate, rate_hz, n_times)
        for block in sample_blocks(file):
            size, mix = np.abs(block), block.mean(axis=1)
            n_frames += len(block)
            n_clipped += int(np.count_nonzero(size >= 1 - 1 / FULL_SCALE))
            channels_peak, mix_peak = max(channels_peak, peak(size)), max(mix_peak, peak(mix))
            clip.add(mix)
        end = missing_end(file, n_frames, file.frames)
        file_rate_hz, n_samples = file.samplerate, n_frames * file.channels
    if n_frames == 0:
        return FileFacts(empty=True)
    clip.finish()
    refuse_nothing(n_frames, file_rate_hz, clip.n_all, rate_hz)
    silence = why_silent(channels_peak, mix_peak, clip.peak, rate_hz)
    return FileFacts(
        rate_hz=file_rate_hz,
        seconds=n_frames / file_rate_hz,
        clipped_share=n_clipped / n_samples,
        notes=notes_of(truncated=[end], silent=[silence], remark=said),
    )


class _Clip:
    """The peak of what training hears of a file, which comes piece by piece."""

    def __init__(self, file_rate_hz: int, rate_hz: int, n_times: int | None) -> None:
        self.peak, self.n_all, self._n_times = 0.0, 0, n_times
        same = file_rate_hz == rate_hz
        self._resampler = None if same else soxr.ResampleStream(file_rate_hz, rate_hz, 1)

    def add(self, mix: Waveform) -> None:
        self._take(mix if self._resampler is None else self._resampler.resample_chunk(mix))

    def finish(self) -> None:
        if self._resampler is not None:
            self._take(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))

    def _take(self, samples: Waveform) -> None:
        kept = samples if self._n_times is None else samples[: max(0, self._n_times - self.n_all)]
        self.peak = max(self.peak, peak(kept))
        self.n_all += len(samples)
