"""A folder of tiny recordings, and a run trained on it by the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from convscope.cli.app import app

RATE_HZ = 2000
WORDS = {"low": 100, "high": 400}

RECIPE = """
data: {kind: words, words: [low, high], rate_hz: 2000, seconds: 0.25}
model: {family: custom, conv_layers: 3, base_channels: 4, batch_norm: true}
train: {epochs: 6, batch_size: 16, threads: 1}
"""


class Answer(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out.splitlines()[-1])


Convscope = Callable[..., Answer]


def run_convscope(*arguments: object) -> Answer:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def convscope() -> Convscope:
    """The command line in this process: `convscope("train", recipe)`."""
    return run_convscope


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two words of 60 speakers each, 0.25 s of a noisy tone."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("recordings")
    times = np.arange(RATE_HZ // 4) / RATE_HZ
    for word, pitch_hz in WORDS.items():
        (folder / word).mkdir()
        for speaker in range(60):
            tone = 0.3 * np.sin(2 * np.pi * pitch_hz * (times + rng.random()))
            wave = tone + rng.normal(0, 0.05, len(times))
            soundfile.write(folder / word / f"{speaker:08x}_nohash_0.wav", wave, RATE_HZ)
    return folder


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tones.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Decoded clips go to a folder of the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def trained(recordings: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    out = tmp_path_factory.mktemp("runs")
    answer = run_convscope("train", recipe, f"data.folder={recordings}", "--out", out, "--json")
    assert answer.code == 0, answer.err
    return Path(answer.json["run"])
