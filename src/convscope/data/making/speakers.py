"""Made-up speakers: a voice of espeak-ng at a microphone in a room, and how a word sounds there."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from convscope.data.making.espeak import ACCENTS, MEN, WOMEN, Espeak, Utterance

SAMPLE_RATE = 16_000
N_TIMES = 16_000

_FFT_SIZE = 32_768  # samples: the second and its echo
_LONGEST_WORD = 15_200  # samples
_FADE = 320  # samples
_FASTEST = 450  # words a minute

_Sound: TypeAlias = NDArray[np.float64]  # (n_times,), full scale is 1


@dataclass(frozen=True)
class Speaker:
    """Who speaks, in what room, into what microphone.

    Attributes:
        voice: accent+variant of espeak-ng.
        pitch: espeak-ng's, 0 to 99.
        pitch_range: how lively the melody is, 0 to 99.
        rate: words a minute.
        size: of the vocal tract; pitch and formants fall by this factor.
        echo: of the room, dB against the voice.
        echo_time: in which the echo falls by 60 dB, s.
        tilt: of the microphone, dB an octave.
        low_cut: where the microphone has lost 3 dB, Hz.
        high_cut: likewise, at the upper end, Hz.
    """

    voice: str
    pitch: int
    pitch_range: int
    rate: int
    size: float
    echo: float
    echo_time: float
    tilt: float
    low_cut: float
    high_cut: float


def draw_speaker(rng: np.random.Generator) -> Speaker:
    """A speaker: as often a woman as a man."""
    accents, weights = list(ACCENTS), np.array(list(ACCENTS.values()))
    accent = rng.choice(accents, p=weights / weights.sum())
    variant = rng.choice(WOMEN if rng.random() < 0.5 else MEN)
    return Speaker(
        voice=f"{accent}+{variant}",
        pitch=int(rng.integers(20, 81)),
        pitch_range=int(rng.integers(20, 91)),
        rate=int(rng.integers(85, 176)),
        size=rng.uniform(0.85, 1.15),
        echo=rng.uniform(-30, -6),
        echo_time=rng.uniform(0.1, 0.6),
        tilt=rng.uniform(-3, 2),
        low_cut=_log_uniform(rng, 40, 300),
        high_cut=_log_uniform(rng, 3_500, 10_000),
    )


def speak_word(
    espeak: Espeak, speaker: Speaker, word: str, rng: np.random.Generator
) -> NDArray[np.int16]:
    """(N_TIMES,) at SAMPLE_RATE: the word somewhere in a second, with its echo and noise.

    `rng` decides what differs whenever a speaker says a word.
    """
    spoken = _say(espeak, speaker, word, rng)
    start = int(rng.integers(N_TIMES - len(spoken) + 1))
    stretch = slice(start, start + len(spoken))
    clip = np.zeros(N_TIMES)
    clip[stretch] = spoken
    clip = _transmit(clip, speaker, rng)
    signal_to_noise = rng.uniform(12, 60)  # dB
    clip += _noise(rng) * np.sqrt(np.mean(clip[stretch] ** 2)) * 10 ** (-signal_to_noise / 20)
    clip *= _log_uniform(rng, 0.08, 0.9) / np.abs(clip).max()
    return np.round(clip * 32_767).astype(np.int16)


def _say(espeak: Espeak, speaker: Speaker, word: str, rng: np.random.Generator) -> _Sound:
    """The word alone; what would not fit into the second is said faster, then cut."""
    utterance = Utterance(
        text=word + rng.choice(["", "!", "?", ","]),  # decides the melody
        voice=speaker.voice,
        pitch=int(np.clip(speaker.pitch + rng.integers(-6, 7), 0, 99)),
        pitch_range=speaker.pitch_range,
        rate=int(speaker.rate * rng.uniform(0.9, 1.1)),
        seed=int(rng.integers(2**31)),
    )
    spoken = _resampled(espeak, utterance, speaker.size)
    while len(spoken) > _LONGEST_WORD and utterance.rate < _FASTEST:
        faster = int(utterance.rate * len(spoken) / _LONGEST_WORD) + 5
        utterance = replace(utterance, rate=min(faster, _FASTEST))
        spoken = _resampled(espeak, utterance, speaker.size)
    return _cut(spoken)


def _resampled(espeak: Espeak, utterance: Utterance, size: float) -> _Sound:
    """Without what lies 50 dB below the peak at either end."""
    sound = espeak.speak(utterance) / 32_768
    loud = np.flatnonzero(np.abs(sound) > 0.003 * np.abs(sound).max())
    trimmed = sound[loud[0] : loud[-1] + 1]
    resampled: _Sound = soxr.resample(trimmed, espeak.sample_rate / size, SAMPLE_RATE)
    return resampled


def _cut(sound: _Sound) -> _Sound:
    if len(sound) <= _LONGEST_WORD:
        return sound
    kept = sound[:_LONGEST_WORD].copy()
    kept[-_FADE:] *= np.linspace(1, 0, _FADE)
    return kept


def _transmit(sound: _Sound, speaker: Speaker, rng: np.random.Generator) -> _Sound:
    """Through room and microphone, in one product of spectra."""
    times = np.arange(_FFT_SIZE - N_TIMES) / SAMPLE_RATE
    room = rng.standard_normal(len(times)) * 10 ** (-3 * times / speaker.echo_time)
    room *= 10 ** (speaker.echo / 20) / np.sqrt(np.sum(room**2))
    room[0] += 1
    transfer = np.fft.rfft(room, _FFT_SIZE) * _microphone(speaker)
    return np.fft.irfft(np.fft.rfft(sound, _FFT_SIZE) * transfer)[:N_TIMES]


def _microphone(speaker: Speaker) -> _Sound:
    """Its gain at the frequencies of the FFT: a tilt between two second-order cuts."""
    f = np.maximum(np.fft.rfftfreq(_FFT_SIZE, 1 / SAMPLE_RATE), 1)
    tilt = 10 ** (speaker.tilt * np.log2(f / 1_000) / 20)
    cuts = (1 + (speaker.low_cut / f) ** 4) * (1 + (f / speaker.high_cut) ** 4)
    gain: _Sound = tilt / np.sqrt(cuts)
    return gain


def _noise(rng: np.random.Generator) -> _Sound:
    """Nearly white to browner than brown; its root mean square is 1."""
    f = np.maximum(np.fft.rfftfreq(N_TIMES, 1 / SAMPLE_RATE), 40)
    spectrum = np.fft.rfft(rng.standard_normal(N_TIMES)) * f ** -rng.uniform(0.2, 1.3)
    noise = np.fft.irfft(spectrum)
    scaled: _Sound = noise / np.sqrt(np.mean(noise**2))
    return scaled


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
