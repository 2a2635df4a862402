"""Spoken words without a data set: espeak-ng as a stand-in for Speech Commands.

A speaker is a voice at a microphone in a room and says every word once. The files lie as the real
ones do, `word/<speaker>_nohash_0.wav`, each 1 s of 16 kHz mono PCM, so that whatever reads the one
set reads the other, split rule included.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import wave
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.espeak import ACCENTS, MEN, WOMEN, Espeak, Utterance
from convscope.data.splits import official_split
from convscope.errors import UserError
from convscope.types import Split

REPORT_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "bed", "bird", "cat", "dog", "house", "tree",
)  # fmt: skip
"""The sixteen words of the lab reports."""

SAMPLE_RATE = 16_000
N_TIMES = 16_000

_MARKER = ".convscope-words.json"
_PART = ".convscope-words-{}.part"  # of worker {}; no loader takes a hidden file for a clip
_VERSION = 1  # to be raised with any change to the sound
_SPLIT_CYCLE: tuple[Split, ...] = ("train", "validation", "test", *(["train"] * 7))
_CLIPS_WORTH_A_WORKER = 50
_MOST_WORKERS = 8
_FFT_SIZE = 32_768  # 1 s and the echo after it
_LONGEST_WORD = 0.95  # s
_WORKER = (
    "import json, sys; job = json.load(sys.stdin); sys.path[:] = job['path']; "
    "from convscope.data.synthetic_words import _work; _work(job)"
)

_Sound = NDArray[np.float64]  # (n_times,), full scale is 1


@dataclass(frozen=True)
class Speaker:
    """Who speaks, where, and into what.

    Attributes:
        voice: accent+variant of espeak-ng.
        pitch: espeak-ng's, 0 to 99.
        pitch_range: how lively the melody is, 0 to 99.
        rate: words a minute.
        size: of the vocal tract: above 1, pitch and formants are lower by this factor.
        tilt: of the microphone, dB an octave.
        low_cut: where the microphone has lost 3 dB, Hz.
        high_cut: likewise at the upper end, Hz.
        echo: of the room, dB against the voice.
        echo_time: in which the echo decays by 60 dB, s.
    """

    voice: str
    pitch: int
    pitch_range: int
    rate: int
    size: float
    tilt: float
    low_cut: float
    high_cut: float
    echo: float
    echo_time: float


def draw_speaker(rng: np.random.Generator) -> Speaker:
    """A speaker: a woman or a man, as often."""
    accents, weights = zip(*ACCENTS.items(), strict=True)
    accent = rng.choice(accents, p=np.divide(weights, sum(weights)))
    variant = rng.choice(WOMEN if rng.random() < 0.5 else MEN)
    return Speaker(
        voice=f"{accent}+{variant}",
        pitch=int(rng.integers(20, 81)),
        pitch_range=int(rng.integers(20, 91)),
        rate=int(rng.integers(85, 176)),
        size=rng.uniform(0.85, 1.15),
        tilt=rng.uniform(-3, 2),
        low_cut=_log_uniform(rng, 40, 300),
        high_cut=_log_uniform(rng, 3_500, 10_000),
        echo=rng.uniform(-30, -6),
        echo_time=rng.uniform(0.1, 0.6),
    )


def speak_word(
    espeak: Espeak, speaker: Speaker, word: str, rng: np.random.Generator
) -> NDArray[np.int16]:
    """(N_TIMES,) at SAMPLE_RATE: the word somewhere in a second, in its room, with noise.

    The generator decides what differs from one time a speaker says a word to another.
    """
    spoken = _say(espeak, speaker, word, rng)
    second = np.zeros(N_TIMES)
    start = int(rng.integers(0, N_TIMES - len(spoken) + 1))
    second[start : start + len(spoken)] = spoken
    heard = _hear(second, speaker, rng)
    loud = np.sqrt(np.mean(heard[start : start + len(spoken)] ** 2))
    noise = _noise(rng) * loud * 10 ** (-rng.uniform(12, 60) / 20)
    clip = heard + noise
    clip *= _log_uniform(rng, 0.08, 0.9) / np.abs(clip).max()
    return np.round(clip * 32_767).astype(np.int16)


def _say(espeak: Espeak, speaker: Speaker, word: str, rng: np.random.Generator) -> _Sound:
    """The word alone, trimmed, and said faster where it would not fit into the second."""
    utterance = Utterance(
        text=word + rng.choice(["", "!", "?", ","]),  # the melody
        voice=speaker.voice,
        pitch=int(np.clip(speaker.pitch + rng.integers(-6, 7), 0, 99)),
        pitch_range=speaker.pitch_range,
        rate=int(speaker.rate * rng.uniform(0.9, 1.1)),
        seed=int(rng.integers(1, 2**31)),
    )
    return _fit(espeak, utterance, speaker.size)


def _fit(espeak: Espeak, utterance: Utterance, size: float) -> _Sound:
    import soxr

    longest = int(_LONGEST_WORD * SAMPLE_RATE)
    while True:
        pcm = espeak.speak(utterance) / 32_768
        spoken: _Sound = soxr.resample(_trim(pcm), espeak.sample_rate / size, SAMPLE_RATE)
        if len(spoken) <= longest or utterance.rate >= 450:
            break
        faster = min(450, int(utterance.rate * len(spoken) / longest) + 5)
        utterance = Utterance(**{**vars(utterance), "rate": faster})
    spoken = spoken[:longest]
    return spoken


def _trim(sound: _Sound) -> _Sound:
    """Without what is 50 dB below its peak at either end."""
    loud = np.flatnonzero(np.abs(sound) > 0.003 * np.abs(sound).max())
    return sound[loud[0] : loud[-1] + 1]


def _hear(sound: _Sound, speaker: Speaker, rng: np.random.Generator) -> _Sound:
    """Room and microphone: one product in the frequency domain."""
    times = np.arange(_FFT_SIZE - N_TIMES) / SAMPLE_RATE
    decay = 10 ** (-3 * times / speaker.echo_time)
    room = rng.standard_normal(len(times)) * decay
    room *= 10 ** (speaker.echo / 20) / np.sqrt(np.sum(room**2))
    room[0] += 1
    frequencies = np.fft.rfftfreq(_FFT_SIZE, 1 / SAMPLE_RATE)
    spectrum = np.fft.rfft(sound, _FFT_SIZE) * np.fft.rfft(room, _FFT_SIZE)
    spectrum *= _microphone(frequencies, speaker)
    return np.fft.irfft(spectrum)[:N_TIMES]


def _microphone(frequencies: _Sound, speaker: Speaker) -> _Sound:
    """Its gain: a tilt between two second-order cuts."""
    f = np.maximum(frequencies, 1)
    tilt = 10 ** (speaker.tilt * np.log2(f / 1_000) / 20)
    low = 1 / np.sqrt(1 + (speaker.low_cut / f) ** 4)
    high = 1 / np.sqrt(1 + (f / speaker.high_cut) ** 4)
    gain: _Sound = tilt * low * high
    return gain


def _noise(rng: np.random.Generator) -> _Sound:
    """Between white and brown, with a root mean square of 1."""
    spectrum = np.fft.rfft(rng.standard_normal(N_TIMES))
    f = np.maximum(np.fft.rfftfreq(N_TIMES, 1 / SAMPLE_RATE), 40)
    noise = np.fft.irfft(spectrum * f ** -rng.uniform(0, 1))
    scaled: _Sound = noise / np.sqrt(np.mean(noise**2))
    return scaled


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
