"""Fixtures that several tests share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch

from convscope.data.config import WordsConfig
from convscope.data.dataset import Dataset

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

# Where there is no GPU, Triton's interpreter runs the kernels: decided when Triton is imported.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

DEFAULT_TEST_DATA = Path(__file__).parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """`real_data("words")`: a folder of real data; skips, saying so, where it is absent."""

    def folder(name: str) -> Path:
        path = Path(os.environ.get("CONVSCOPE_TEST_DATA", DEFAULT_TEST_DATA)).resolve() / name
        if not path.exists():
            pytest.skip(f"needs real data: set CONVSCOPE_TEST_DATA to a folder that holds {name}")
        return path

    return folder


@pytest.fixture
def tones() -> Callable[..., Dataset]:
    """`tones(seed=0, ...)`: three classes of noisy sines, split 140 / 30 / 30."""

    def make(seed: int = 0, n_times: int = 400, **config: Any) -> Dataset:
        rng = np.random.default_rng(seed)
        labels = np.arange(200) % 3
        times = np.arange(n_times) / n_times
        phases = rng.random((200, 1))
        waves = np.sin(2 * np.pi * ((20 + 40 * labels[:, None]) * times + phases))
        clips = (8000 * waves + rng.normal(0, 500, waves.shape)).astype(np.int16)
        return Dataset(
            config=WordsConfig(
                folder="tones", words=("low", "middle", "high"), rate_hz=n_times, **config
            ),
            classes=("low", "middle", "high"),
            clips=clips[:, np.newaxis],
            labels=labels,
            splits=np.repeat([0, 1, 2], [140, 30, 30]).astype(np.int8),
            ids=np.array([f"clip{i}.wav" for i in range(200)]),
            exact=np.ones(200, dtype=bool),
            fingerprint=f"tones-{seed}-{n_times}",
        )

    return make
