"""Sound files to measure on: those of a folder, or made where none is given."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile

N_WORDS = 4
RATE_HZ = 16_000


@contextmanager
def words_folder(given: Path | None, n_clips: int = 2_000) -> Iterator[tuple[Path, str]]:
    """A folder of words, and what it is: given, in $CONVSCOPE_TEST_DATA/words, or made of noise."""
    known = os.environ.get("CONVSCOPE_TEST_DATA")
    folder = given or (Path(known) / "words" if known else None)
    if folder and folder.is_dir():
        yield folder, f"recordings in {folder.name}"
        return
    with TemporaryDirectory() as made:
        make_recordings(Path(made), n_clips)
        yield Path(made), f"{n_clips:,} recordings of noise (no folder is given)"


def make_recordings(folder: Path, n_clips: int) -> None:
    """Noise of 1 s in the layout of Speech Commands, a speaker to every clip."""
    rng = np.random.default_rng(0)
    for i in range(n_clips):
        path = folder / f"word{i % N_WORDS}" / f"{i:08x}_nohash_0.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, rng.normal(0, 0.1, RATE_HZ).clip(-1, 1), RATE_HZ)
