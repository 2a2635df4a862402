import io
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope.data.config import WordsConfig
from convscope.report.clips import (
    POWER_HEIGHT,
    WAVEFORM_HEIGHT,
    WIDTH,
    shown_clips,
    sound_picture,
    wav,
)
from convscope.run import Run
from convscope.scores.errors import WrongClip


def tone(frequency_hz: float, rate_hz: int = 8_000) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    times = np.arange(rate_hz) / rate_hz
    return np.round(8_000 * np.sin(2 * np.pi * frequency_hz * times)).astype(np.int16)


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.int64)


def test_a_wav_file_holds_the_samples_and_the_rate() -> None:
    samples = np.array([0, 1, -1, 32_767, -32_768], dtype=np.int16)
    with wave.open(io.BytesIO(wav(samples, 16_000))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        assert np.frombuffer(file.readframes(5), "<i2").tolist() == samples.tolist()


@pytest.mark.parametrize("frequency_hz", [500, 1_000, 3_000])
def test_a_tone_is_brightest_at_its_frequency(frequency_hz: int) -> None:
    power = pixels(sound_picture(tone(frequency_hz), 8_000))[WAVEFORM_HEIGHT:]
    row = power.sum(axis=(1, 2)).argmax()
    shown_hz = (1 - (row + 0.5) / POWER_HEIGHT) * 4_000
    assert abs(shown_hz - frequency_hz) < 80


def test_a_waveform_is_drawn_where_the_sound_is() -> None:
    samples = tone(300)
    samples[:4_000] = 0
    blue = (pixels(sound_picture(samples, 8_000))[:WAVEFORM_HEIGHT] != 255).any(axis=2)
    height = blue.sum(axis=0)
    assert height[: WIDTH // 2 - 1].max() <= 2
    assert height[WIDTH // 2 + 1 :].min() > WAVEFORM_HEIGHT / 2


@pytest.mark.parametrize("n_times", [1, 100, 16_000])
def test_silence_and_short_sounds_have_a_picture(n_times: int) -> None:
    picture = pixels(sound_picture(np.zeros(n_times, np.int16), 16_000))
    assert picture.shape == (WAVEFORM_HEIGHT + POWER_HEIGHT, WIDTH, 3)


def test_no_file_is_opened_where_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert shown_clips(Run(tmp_path / "no run"), []) == []


def test_a_manifest_s_files_count_from_the_folder_of_its_csv(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text("path,label,split\n")
    (tmp_path / "bed.wav").write_bytes(wav(tone(500), 8_000))
    run = Run(tmp_path / "run")
    data = WordsConfig().model_dump(mode="json") | {"kind": "manifest", "rate_hz": 8_000}
    data |= {"folder": str(tmp_path / "clips.csv"), "classes": ["bed", "cat"]}
    del data["words"]
    run.write_config({"data": data, "model": {"family": "custom"}, "train": {}})
    (shown,) = shown_clips(run, [WrongClip("bed.wav", "bed", "cat", 0.9, 0.8)])
    assert shown.file == str(tmp_path / "bed.wav")
    assert shown.missing is None
    assert shown.sound is not None
