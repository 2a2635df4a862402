"""One sound file in, one clip of stated rate and length out."""

from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from convscope.data.config import SoundConfig
from convscope.data.files import Decoder, Unreadable
from convscope.types import Waveform

SOUND_SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
        *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".voc"),
    }
)
"""What libsndfile reads, but for what needs settings of its own, such as .raw."""

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


def decode_sound(path: Path, rate_hz: int, n_times: int) -> tuple[NDArray[np.int16], bool]:
    """A file as one clip: mixed, resampled, and of exactly the asked-for length.

    A shorter sound gets zeros at its end, a longer one loses its end: a word's beginning stays
    where it was. Samples beyond full scale are clipped.

    Args:
        path: WAV, FLAC, Ogg (Vorbis or Opus), MP3 or AIFF, of any rate and number of channels.
        rate_hz: of the clip.
        n_times: samples of the clip.

    Returns:
        The clip (1, n_times) int16, and whether the file had that length without padding
        or cropping.

    Raises:
        Unreadable: saying why.
    """
    waveform, n_whole = read_sound(path, rate_hz, n_times)
    clip = np.zeros((1, n_times), np.int16)
    kept = waveform[:n_times]
    clip[0, : len(kept)] = to_int16(kept)
    return clip, n_whole == n_times


def read_sound(path: Path, rate_hz: int, n_times: int | None = None) -> tuple[Waveform, int]:
    """A file as a mono waveform at `rate_hz`, and the number of samples of the whole file there.

    Args:
        path: the file.
        rate_hz: other rates are resampled (soxr, high quality).
        n_times: how much of the beginning is wanted; a little more may come. None: everything.

    Raises:
        Unreadable: no known sound, damaged, without samples, or with NaN or infinite ones.
    """
    try:
        with soundfile.SoundFile(path) as file:
            wanted = _frames_for(n_times, file.samplerate / rate_hz, file.samplerate, file.frames)
            samples = file.read(wanted, dtype="float32", always_2d=True)
            n_frames = file.frames if len(samples) == wanted else len(samples)
            file_rate_hz = file.samplerate
    except (soundfile.SoundFileError, OSError, MemoryError) as error:
        raise Unreadable(why_unreadable(path, error)) from None
    if len(samples) == 0:
        raise Unreadable("holds no samples")
    if not np.isfinite(samples).all():
        raise Unreadable("holds samples that are NaN or infinite")
    waveform = samples.mean(axis=1)
    if file_rate_hz != rate_hz:
        waveform = soxr.resample(waveform, file_rate_hz, rate_hz, quality="HQ")
    return waveform, round(n_frames * rate_hz / file_rate_hz)


def to_int16(waveform: Waveform) -> NDArray[np.int16]:
    """Round to int16, full scale 1 → 32768; what is beyond full scale is clipped."""
    scaled = np.rint(waveform * FULL_SCALE)
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def why_unreadable(path: Path, error: Exception) -> str:
    """A few words that say why a sound file could not be read, without the file's path."""
    if isinstance(error, MemoryError):
        return "claims more samples than fit into memory"
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as system_error:
        return f"cannot be read ({system_error.strerror})"
    if is_empty:
        return "is empty (0 bytes)"
    reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
    return f"is no readable sound ({reason})"


def _frames_for(n_times: int | None, ratio: float, file_rate_hz: int, n_frames: int) -> int:
    """Frames of the file that `n_times` samples after resampling need, no more than there are."""
    if n_times is None:
        return n_frames
    return min(n_frames, ceil(n_times * ratio) + ceil(_MARGIN_S * file_rate_hz))
