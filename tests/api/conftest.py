"""A folder to work in as the documentation says: recipes, and few synthesised words."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from convscope.data.making.synthetic_words import make_words

ROOT = Path(__file__).parents[2]
N_CLIPS = 96


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `recipes` and `words`."""
    pytest.importorskip("espeakng_loader", reason="needs espeak-ng: pip install 'convscope[words]'")
    folder = tmp_path_factory.mktemp("spoken")
    (folder / "recipes").symlink_to(ROOT / "recipes")
    make_words(folder / "words", N_CLIPS, seed=0, workers=1)
    return folder


@pytest.fixture
def here(spoken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of a test's own, which is the current one."""
    for name in ("recipes", "words"):
        (tmp_path / name).symlink_to((spoken / name).resolve())
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path / "runs", ignore_errors=True)
