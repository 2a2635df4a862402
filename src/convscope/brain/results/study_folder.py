"""What a study says of a run, kept as RUN/brain/STUDY: steps as they are done, the manifest last.

A call that was killed goes on behind the last step that is there; results of other settings, of
another net or of other data are put aside whole before the first step is written.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from convscope.data.disk import writing_to
from convscope.errors import UserError
from convscope.folder_lock import locked
from convscope.run import write_atomically
from convscope.run_text import keys_and_values, text_of

KEY = "key.json"
STEPS = "steps"
MANIFEST = "manifest.json"

Arrays = Mapping[str, NDArray[Any]]


class StudyFolder:
    """A folder of results that belongs to one key.

    Args:
        folder: such as RUN/brain/STUDY.
        key: all that decides the results, as plain data: hashes of the study, the net, settings.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any]) -> None:
        self.folder = folder
        self.key = json.loads(json.dumps(key, sort_keys=True))

    @property
    def is_done(self) -> bool:
        """Whether all results of this key are there, unchanged."""
        return self._key() == self.key and self._holds(self._manifest())

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the folder while results are written; those of another key are removed first.

        Raises:
            UserError: where another process writes there, or it cannot be written.
        """
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with locked(self.folder):
                self._begin()
                yield
        except BlockingIOError:
            raise UserError(
                f"{self.folder} is being written by another process: wait for its end"
            ) from None

    def step(self, name: str, compute: Callable[[], Arrays]) -> dict[str, NDArray[Any]]:
        """The arrays of a step: as they were kept, else computed now and kept."""
        path = self.folder / STEPS / f"{name}.npz"
        kept = _read(path)
        if kept is not None:
            return kept
        arrays = {key: np.asarray(values) for key, values in compute().items()}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # its stubs: a flag
        self.write(f"{STEPS}/{name}.npz", buffer.getvalue())
        return arrays

    def write(self, name: str, content: bytes) -> Path:
        """Put a file in place whole."""
        path = self.folder / name
        with self._writing():
            write_atomically(path, lambda file: file.write(content))
        return path

    def finish(self) -> None:
        """Write the manifest: from here on the results are done."""
        names = sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file() and path.name != MANIFEST and not path.name.startswith(".")
        )
        hashes = {name: _sha256(self.folder / name) for name in names}
        self.write(MANIFEST, _as_json({"sha256": hashes}))

    def _begin(self) -> None:
        with self._writing():
            (self.folder / MANIFEST).unlink(missing_ok=True)
            if self._key() != self.key:
                self._clear()
                self.write(KEY, _as_json(self.key))

    def _writing(self) -> AbstractContextManager[None]:
        return writing_to(self.folder, "name another place with --out")

    def _clear(self) -> None:
        (self.folder / KEY).unlink(missing_ok=True)  # first: what is half removed has no key
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def _key(self) -> dict[str, Any] | None:
        return _json(self.folder / KEY)

    def _manifest(self) -> dict[str, str]:
        hashes = (_json(self.folder / MANIFEST) or {}).get("sha256")
        return hashes if isinstance(hashes, dict) else {}

    def _holds(self, hashes: Mapping[str, str]) -> bool:
        paths = {name: self.folder / name for name in hashes}
        return bool(hashes) and all(
            path.is_file() and _sha256(path) == hashes[name] for name, path in paths.items()
        )


def _read(path: Path) -> dict[str, NDArray[Any]] | None:
    """Kept arrays; None where there are none, or what is there is no such file."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):
        return None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return keys_and_values(json.loads(text_of(path)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
