"""Sounds for the tests of the data, and a cache of their own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache that only this test sees."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CONVSCOPE_CACHE", str(folder))
    return folder


@pytest.fixture
def write_sound() -> Callable[..., Path]:
    """`write_sound(path, samples, rate_hz=16_000, subtype="PCM_16")`, its folders made."""

    def write(
        path: Path, samples: NDArray[np.generic], rate_hz: int = 16_000, subtype: str = "PCM_16"
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate_hz, subtype=subtype)
        return path

    return write


@pytest.fixture
def make_words(write_sound: Callable[..., Path]) -> Callable[..., Path]:
    """`make_words(root, ("bed", "cat"), n_speakers=40)`: short noise, every speaker says all."""

    def make(root: Path, words: tuple[str, ...], n_speakers: int = 40) -> Path:
        rng = np.random.default_rng(len(words))
        for word in words:
            for speaker in range(n_speakers):
                path = root / word / f"{speaker:08x}_nohash_0.wav"
                write_sound(path, rng.integers(-9000, 9000, 1600).astype(np.int16))
        return root

    return make
