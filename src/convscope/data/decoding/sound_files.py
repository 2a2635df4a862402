"""One sound file in, one clip of stated rate and length out."""

from functools import partial
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from convscope.data.config import SoundConfig
from convscope.data.decoding.library_warnings import caught
from convscope.data.decoding.sound_open import missing_end, open_sound, sample_blocks
from convscope.data.listing.files import Decoder, Unreadable
from convscope.data.listing.notes import DecodedClip, Note, notes_of
from convscope.types import Waveform

SILENT_PEAK = 10 ** (-60 / 20)
"""A sound whose peak lies below -60 dB of full scale is silent."""

FULL_SCALE = 2**15  # a waveform of ±1 fills int16

_MARGIN_S = 0.1  # read beyond a crop, so that the resampler does not see an end there


def sound_decoder(config: SoundConfig) -> Decoder:
    """What turns files into the clips that `config` asks for."""
    return Decoder(
        name=f"sound of {config.n_times} samples at {config.rate_hz} Hz",
        shape=(1, config.n_times),
        dtype=np.int16,
        decode=partial(decode_sound, rate_hz=config.rate_hz, n_times=config.n_times),
    )


def decode_sound(path: Path, rate_hz: int, n_times: int) -> DecodedClip:
    """A file as one clip: mixed, resampled, and of exactly the asked-for length.

    A shorter sound gets zeros at its end, a longer one loses its end: a word's beginning stays
    where it was. Samples beyond full scale are clipped.

    Args:
        path: WAV, FLAC, Ogg (Vorbis or Opus), MP3 or AIFF, of any rate and number of channels.
        rate_hz: of the clip.
        n_times: samples of the clip.

    Returns:
        The clip (1, n_times) int16, whether the file had that length without padding or cropping,
        and what is wrong with it.

    Raises:
        Unreadable: saying why.
    """
    sound = read_sound(path, rate_hz, n_times)
    clip = np.zeros((1, n_times), np.int16)
    kept = sound.waveform[:n_times]
    clip[0, : len(kept)] = to_int16(kept)
    return DecodedClip(clip, sound.n_whole == n_times, sound.notes)


class Sound(NamedTuple):
    """What is read of a file.

    Attributes:
        waveform: (n_times,) mono, full scale 1.
        n_whole: samples of the whole file at the waveform's rate.
        notes: what is wrong with it.
    """

    waveform: Waveform
    n_whole: int
    notes: tuple[Note, ...]


def read_sound(path: Path, rate_hz: int, n_times: int | None = None) -> Sound:
    """A file as a mono waveform.

    Args:
        path: the file.
        rate_hz: of the waveform; other rates are resampled (soxr, high quality).
        n_times: how much of the beginning is wanted; a little more may come. None: everything.

    Raises:
        Unreadable: no known sound, damaged, without samples, with NaN or infinite ones, or with a
            header that claims what no recording has.
    """
    with caught() as said, open_sound(path) as file:
        file_rate_hz = file.samplerate
        n_wanted = _frames_for(n_times, file_rate_hz / rate_hz, file_rate_hz, file.frames)
        mix, channels_peak = _mixed(file, n_wanted)
        n_frames = file.frames if len(mix) == n_wanted else len(mix)
        end = missing_end(file, len(mix), n_wanted)
    waveform = mix
    if len(mix) and file_rate_hz != rate_hz:
        waveform = soxr.resample(mix, file_rate_hz, rate_hz, quality="HQ")
    refuse_nothing(n_frames, file_rate_hz, len(waveform), rate_hz)
    silence = why_silent(channels_peak, peak(mix), peak(waveform[:n_times]), rate_hz)
    notes = notes_of(truncated=[end], silent=[silence], remark=said)
    return Sound(waveform, round(n_frames * rate_hz / file_rate_hz), notes)


def peak(samples: NDArray[np.float32]) -> float:
    """The greatest absolute sample; 0 of none."""
    return float(np.abs(samples).max(initial=0))


def refuse_nothing(n_frames: int, file_rate_hz: int, n_times: int, rate_hz: int) -> None:
    """Raise `Unreadable` where a file has no samples, or none is left of them at the new rate."""
    if n_frames == 0:
        raise Unreadable("holds no samples")
    if n_times == 0:
        raise Unreadable(
            f"is too short: of {n_frames} samples at {file_rate_hz:,} Hz none is left at "
            f"{rate_hz:,} Hz"
        )


def why_silent(channels: float, mix: float, kept: float, rate_hz: int) -> str | None:
    """What to say of a sound of which nothing is heard; None of any other.

    Args:
        channels: peak of the file's own channels, full scale 1.
        mix: peak of their mean.
        kept: peak of what is left of that at `rate_hz`, cut to its length.
        rate_hz: of the clip.
    """
    if kept >= SILENT_PEAK:
        return None
    if mix >= SILENT_PEAK:
        return f"is silent at {rate_hz:,} Hz, cut to its length: what it holds lies outside"
    if channels >= SILENT_PEAK:
        return "is silent once it is mono: its channels cancel each other"
    return "is silent: its peak lies below -60 dB of full scale"


def to_int16(waveform: Waveform) -> NDArray[np.int16]:
    """Round to int16, full scale 1 → 32768; what is beyond full scale is clipped."""
    scaled = np.rint(waveform * FULL_SCALE)
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _mixed(file: soundfile.SoundFile, n_frames: int) -> tuple[Waveform, float]:
    """The mean of the channels of the first frames, and the channels' peak."""
    means, peaks = [np.zeros(0, np.float32)], [0.0]
    for block in sample_blocks(file, n_frames):
        means.append(block.mean(axis=1))
        peaks.append(peak(block))
    return np.concatenate(means), max(peaks)


def _frames_for(n_times: int | None, ratio: float, file_rate_hz: int, n_frames: int) -> int:
    """Frames of the file that `n_times` samples after resampling need, no more than there are."""
    if n_times is None:
        return n_frames
    return min(n_frames, ceil(n_times * ratio) + ceil(_MARGIN_S * file_rate_hz))
