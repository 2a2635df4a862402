"""A sweep that was begun before the package's files were moved goes on after it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import soundfile

from convscope.run import EPOCHS, MODEL, Run

BEFORE = Path(__file__).parents[1] / "reference/before_rooms"
DONE, INTERRUPTED = "custom-fc90b9a3fbae", "custom-cb6c7319996c"


def make_sounds(folder: Path) -> None:
    """By integer arithmetic, so that they are the same bytes everywhere: a run knows its data."""
    rng = np.random.default_rng(7)
    for k, name in enumerate(("low", "high")):
        (folder / name).mkdir(parents=True)
        for i in range(20):
            ramp = (np.arange(400) * (5 + 9 * k) + int(rng.integers(400))) % 400
            wave = 100 * np.minimum(ramp, 400 - ramp) - 10_000 + rng.integers(-900, 900, 400)
            soundfile.write(folder / name / f"{i:02d}.wav", wave.astype(np.int16), 8000)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_sounds(tmp_path / "sounds")
    shutil.copytree(BEFORE, tmp_path, dirs_exist_ok=True)
    return tmp_path / "runs"


def test_a_sweep_begun_before_goes_on_to_the_weights_that_it_was_on_its_way_to(
    begun: Path, convscope: Callable[..., Any]
) -> None:
    """To the same bytes where torch and processor are the same; elsewhere to rounding."""
    before = {path.name: path.read_bytes() for path in (begun / DONE).iterdir()}
    epochs = (begun / INTERRUPTED / EPOCHS).read_text().splitlines()
    done = convscope("sweep", "recipe.yaml", "--out", "runs", "--workers", "1")
    assert "2 cells: 2 done" in done.err
    assert {path.name: path.read_bytes() for path in (begun / DONE).iterdir()} == before
    run = Run(begun / INTERRUPTED)
    assert run.is_done
    assert run.status["attempts"] == 2
    assert (run.folder / EPOCHS).read_text().splitlines()[:3] == epochs
    assert len(run.epochs) == 4
    got = safetensors.numpy.load_file(run.folder / MODEL)
    expected = safetensors.numpy.load_file(begun.parent / "expected.safetensors")
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-6)
