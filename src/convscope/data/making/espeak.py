"""Speech from espeak-ng: the library of the wheel `espeakng_loader`, called through ctypes.

espeak-ng keeps state: the second of two equal utterances in one process differs from the first,
and its breath noise is seeded by the clock. So one process starts the library once, and every
utterance is spoken by a forked child that seeds it afresh: equal utterances give equal samples.
"""

import ctypes
import os
import signal
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

ACCENTS = {
    "en-us": 10,
    "en-us-nyc": 2,
    "en": 2,
    "en-gb-x-rp": 2,
    "en-gb-scotland": 2,
    "en-gb-x-gbclan": 1,
    "en-gb-x-gbcwmd": 1,
    "en-029": 2,
    "hi": 2,
    "ta": 1,
    "uk": 1,
    "ko": 1,
    "el": 1,
    "am": 1,
}
"""Voices and how often they speak. Those of a script other than Latin read English words by the
English dictionary, in the rhythm and melody of their own language. (`en-gb`, the name of the
British voice, takes no variant; `en`, its file, does.)"""

WOMEN = (
    "f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie", "anika", "aunty", "belinda",
    "grandma", "linda", "shelby", "steph",
)  # fmt: skip
MEN = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "adam", "Alex", "Andy", "announcer", "boris",
    "croak", "david", "Denis", "ed", "edward", "Gene", "Gene2", "grandpa", "gustave", "Hugo", "ian",
    "klatt", "klatt2", "klatt4", "klatt5", "Lee", "marcelo", "Mario", "max", "Michael", "michel",
    "miguel", "mike2", "norbert", "Nguyen", "pablo", "quincy", "Reed", "rob", "sandro", "travis",
    "victor", "whisper",
)  # fmt: skip
"""Variants: each changes the formants, the pitch and the timbre of any voice. Left out are those
that a classifier of real recordings understands least, effects, and doubles of others."""

_SYNCHRONOUS = 2
_NEVER_EXIT = 0x8000
_UTF8_WITH_END_PAUSE = 0x1001  # without the pause the last 10 ms are missing
_RATE, _VOLUME, _PITCH, _PITCH_RANGE = 1, 2, 3, 4
_HALF_VOLUME = 50  # at the default, 100, the louder variants clip
_PATIENCE = 60  # s; an utterance takes some ms

_ON_SAMPLES = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


@dataclass(frozen=True)
class Utterance:
    """A text and how it is spoken."""

    text: str
    voice: str
    """An accent, or accent+variant: `en-us+f3`."""
    pitch: int = 50
    """0 to 99."""
    pitch_range: int = 50
    """0 (monotone) to 99."""
    rate: int = 175
    """Words a minute, 80 to 450."""
    seed: int = 1
    """Decides the breath noise."""


class Espeak:
    """espeak-ng, started once in this process. Linux and macOS only: it forks.

    Raises:
        RuntimeError: the library does not start.
    """

    def __init__(self) -> None:
        import espeakng_loader

        data = espeakng_loader.get_data_path()
        self._chunks: list[bytes] = []
        self._keep_samples = _ON_SAMPLES(self._take)  # kept, or the garbage collector takes it
        self._library = _load(espeakng_loader.get_library_path())
        self.sample_rate: int = self._library.espeak_Initialize(
            _SYNCHRONOUS, 0, data.encode(), _NEVER_EXIT
        )
        """Of what `speak` returns, in Hz."""
        if self.sample_rate <= 0:
            raise RuntimeError(f"espeak-ng did not start with its data in {data}")
        self._library.espeak_SetSynthCallback(self._keep_samples)

    def speak(self, utterance: Utterance) -> NDArray[np.int16]:
        """(n_times,) samples, with silence at the end.

        Raises:
            RuntimeError: the voice does not exist, or the child died.
        """
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            self._speak_and_exit(utterance, writer)
        try:
            os.close(writer)
            with os.fdopen(reader, "rb") as pipe:
                samples = pipe.read()
        finally:
            _, status = os.waitpid(child, 0)
        if status != 0 or not samples:
            raise RuntimeError(
                f"espeak-ng ended with {os.waitstatus_to_exitcode(status)} and {len(samples)} bytes"
                f" speaking {utterance.text!r} in voice {utterance.voice!r}"
            )
        return np.frombuffer(samples, "<i2")

    def _speak_and_exit(self, utterance: Utterance, writer: int) -> NoReturn:
        """The child's whole life. It must not return into its parent's code."""
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_PATIENCE)
            if self._synthesise(utterance):
                with os.fdopen(writer, "wb") as pipe:
                    pipe.write(b"".join(self._chunks))
                status = 0
        finally:
            os._exit(status)

    def _synthesise(self, utterance: Utterance) -> bool:
        library, text = self._library, utterance.text.encode()
        if library.espeak_SetVoiceByName(utterance.voice.encode()) != 0:
            return False
        library.espeak_SetParameter(_RATE, utterance.rate, 0)
        library.espeak_SetParameter(_VOLUME, _HALF_VOLUME, 0)
        library.espeak_SetParameter(_PITCH, utterance.pitch, 0)
        library.espeak_SetParameter(_PITCH_RANGE, utterance.pitch_range, 0)
        library.espeak_ng_SetRandSeed(utterance.seed)
        ctypes.CDLL(None).srand(utterance.seed)  # it draws from the C library, too
        failed = library.espeak_Synth(
            text, len(text) + 1, 0, 1, 0, _UTF8_WITH_END_PAUSE, None, None
        )
        return not failed

    def _take(self, samples: Any, n_times: int, _events: object) -> int:
        if samples and n_times > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * n_times))
        return 0  # go on


def _load(path: str) -> ctypes.CDLL:
    library = ctypes.CDLL(path)
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint,
        ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    return library
