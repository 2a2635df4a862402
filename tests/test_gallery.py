"""Every script of the gallery runs, in its smallest form."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GALLERY = Path(__file__).parents[1] / "gallery"
SMALLEST = {
    "imagenet_maximisation.py": ["--steps", "1"],
    "shuffled_volumes.py": ["--seeds", "1"],
    "sound_of_words.py": ["--clips", "160", "--epochs", "1", "--steps", "2"],
}
DATA = {"imagenet_maximisation.py": "squeezenet1_0"}
"""What a script needs of the folder of real data."""

MODULES = {"squeezenet.py"}  # a net for other scripts: it makes nothing itself


def run(script: str, out: Path, data: Path) -> list[str]:
    """Run a script as a user does; the lines that it prints."""
    command = [sys.executable, str(GALLERY / script), "--out", str(out), *SMALLEST[script]]
    settings = {
        "CONVSCOPE_CACHE": str(out / "cache"),
        "CONVSCOPE_TEST_DATA": str(data),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    return lines


def test_every_script_has_a_smallest_form() -> None:
    assert {path.name for path in GALLERY.glob("*.py")} == SMALLEST.keys() | MODULES


@pytest.mark.parametrize("script", sorted(SMALLEST))
def test_a_script_makes_the_files_that_it_names(
    script: str, tmp_path: Path, real_data: Callable[[str], Path]
) -> None:
    if script == "sound_of_words.py":
        pytest.importorskip("espeakng_loader")
    data = real_data(DATA[script]).parent if script in DATA else tmp_path
    made = [Path(line) for line in run(script, tmp_path / "out", data)]
    assert any(path.suffix == ".png" for path in made)
    assert all(path.stat().st_size > 0 for path in made)


def test_words_without_their_extra_are_skipped_with_a_line(tmp_path: Path) -> None:
    """As where espeak-ng is not installed: its package cannot be found."""
    hide = "import sys\nsys.modules['espeakng_loader'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hide)
    done = subprocess.run(
        [sys.executable, str(GALLERY / "sound_of_words.py"), "--out", str(tmp_path / "out")],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("skipped: ")
    assert "pip install 'convscope[words]'" in done.stdout
    assert done.returncode == 1
