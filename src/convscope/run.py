"""A run folder: the only hand-over between training and all that reads its result.

Every file is written whole or not at all, and the manifest comes last: it says that the run is
done, and what its files must hash to.
"""

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import yaml

from convscope.errors import UserError
from convscope.names import find_path
from convscope.run_text import keys_and_values, rows_of_numbers, sections, text_of
from convscope.version import __version__

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
EPOCHS = "epochs.csv"
STATE = "state.pt"
SOURCE = "net.py"
SIGNATURE = "signature"
MODEL = "model.safetensors"
PREDICTIONS = "predictions.npz"
SCORES = "scores.json"
STATUS = "status.json"
MANIFEST = "manifest.json"

RESULTS = (CONFIG, ENVIRONMENT, EPOCHS, MODEL, PREDICTIONS, SCORES)
"""What the manifest vouches for; and for `SOURCE`, where the network is a user's own."""

WRITTEN = (*RESULTS, SOURCE, SIGNATURE, STATE, STATUS, MANIFEST)

_SPARED = (STATUS, EPOCHS)
"""What need not survive a power failure before the run is done: it is written anew by what goes on.

To wait for the disk takes longer than a small epoch.
"""

BEFORE: dict[str, dict[str, Any]] = {
    "model": {
        "batch_norm_momentum": 0.1,
        "batch_norm_epsilon": 1e-5,
        "pool_padding": "behind",
        "rate_hz": 16_000,
    },
    "train": {"adam_epsilon": 1e-8, "average": 0.0},
}
"""What a run was made with whose config does not say: settings that came later."""

Parsed = TypeVar("Parsed")


def cell_name(identity: Mapping[str, Any]) -> str:
    """A name for what decides a result: the family, and a hash of all settings in it."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    family = Path(str(identity["model"]["family"]).split(":")[0]).stem
    return f"{family}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class Run:
    """A folder with one training, finished or not.

    Reading never changes it, runs no code, and stays within it. A file that is missing reads as
    None or as empty.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    @classmethod
    def existing(cls, folder: Path | str) -> "Run":
        """The run at `folder`; a UserError where there is none."""
        run = cls(find_path(Path(folder)))
        if not run.path(CONFIG).is_file():
            raise UserError(
                f"{run.folder} is no run: expected a folder with {CONFIG}, as convscope train "
                "makes it and prints as its last line"
            )
        return run

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def config(self) -> dict[str, Any]:
        """The whole cell: data, model, train, defaults filled in; each is keys and values."""
        return with_what_was_before(self._mapping(CONFIG, sections))

    @property
    def status(self) -> dict[str, Any]:
        """state (running, done, failed, interrupted), chance, reason, attempts, host.

        It decides no result, so that a damaged one reads as none.
        """
        try:
            return self._mapping(STATUS, json.loads)
        except UserError:
            return {}

    @property
    def environment(self) -> dict[str, Any]:
        return self._mapping(ENVIRONMENT, json.loads)

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of the logits.

        Raises:
            UserError: where the run does not say them.
        """
        classes = self.environment.get("classes")
        if not isinstance(classes, list) or not all(isinstance(each, str) for each in classes):
            raise self.damaged(ENVIRONMENT)
        return tuple(classes)

    @property
    def version(self) -> str | None:
        """Of convscope, that began the run; None where it is not said."""
        try:
            packages = self.environment.get("packages")
        except UserError:
            return None
        return str(packages.get("convscope")) if isinstance(packages, dict) else None

    @property
    def scores(self) -> dict[str, Any]:
        return self._mapping(SCORES, json.loads)

    @property
    def epochs(self) -> list[dict[str, float]]:
        """One row an epoch, the first is epoch 1."""
        return self._parsed(EPOCHS, rows_of_numbers, [])

    @property
    def is_done(self) -> bool:
        return (self.folder / MANIFEST).is_file()

    def path(self, name: str) -> Path:
        """Where a file or folder of the run lies, or would lie.

        Raises:
            UserError: where it is a link that leads out of the run.
        """
        return within(self.folder, name)

    def write(self, name: str, content: str | bytes) -> None:
        """Put a file in place whole; what stood there stays until then."""
        data = content.encode() if isinstance(content, str) else content
        self.write_with(name, lambda file: file.write(data))

    def write_with(self, name: str, writer: Callable[[BinaryIO], Any]) -> None:
        """As `write`, for a writer that takes an open file."""
        write_atomically(self.folder / name, writer, to_last=name not in _SPARED)

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, json.dumps(value, indent=1, allow_nan=False) + "\n")

    def write_config(self, config: Mapping[str, Any]) -> None:
        self.write(CONFIG, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))

    def write_epochs(self, rows: Sequence[Mapping[str, float]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write(EPOCHS, text.getvalue())

    def write_status(self, **changes: Any) -> None:
        """Change some keys of the status, keep the others."""
        self.write_json(STATUS, {**self.status, **changes})

    def finish(self) -> None:
        """Write the manifest: from here on the run is done."""
        names = (*RESULTS, SOURCE) if self._has(SOURCE) else RESULTS
        files = {name: _sha256(self.path(name)) for name in names}
        _sync(self.path(EPOCHS))
        self.write_json(MANIFEST, {"sha256": files})
        self.tidy()

    def tidy(self) -> None:
        """Remove what a killed process left: half-written files, and a done run's state."""
        left = [path for name in WRITTEN for path in self.folder.glob(f".{name}.*")]
        if self.is_done:
            left.append(self.folder / STATE)
        for path in left:
            path.unlink(missing_ok=True)

    def verify(self) -> None:
        """Check the files against the manifest.

        Raises:
            UserError: naming all files that differ; or where the manifest is not ours.
        """
        hashes = self._hashes()
        wrong = [said for name in hashes if (said := self._difference(name, hashes[name]))]
        if SOURCE not in hashes and self._has(SOURCE):
            wrong.append(f"{SOURCE} was added")
        if wrong:
            raise UserError(
                f"{self.folder} was changed after its end: {', '.join(wrong)}: bring back what it "
                "was finished with, from where the run was copied, or delete the folder and train "
                "it again"
            )

    def _hashes(self) -> dict[str, str]:
        """The manifest: SHA-256 by file."""
        hashes = self._mapping(MANIFEST, json.loads).get("sha256")
        if not isinstance(hashes, dict):
            raise self.damaged(MANIFEST)
        for name in hashes:
            if "/" in name or not name.strip("."):
                raise UserError(
                    f"{self.folder / MANIFEST} names {name!r}, which is not in the run's folder: "
                    "convscope writes no such thing; ask whom you have the run from"
                )
        others = [f"lacks {name}" for name in RESULTS if name not in hashes]
        others += [f"names {name}" for name in hashes if name not in (*RESULTS, SOURCE)]
        if others:
            raise UserError(
                f"{self.folder / MANIFEST} {', '.join(others)}: the run was made by another "
                f"version of convscope ({self.version or 'it does not say which'}; this is "
                f"{__version__}): read it with that one, or train it again"
            )
        return hashes

    def _difference(self, name: str, known: str) -> str | None:
        """How a file differs from what the manifest says; None where it does not."""
        if not self._has(name):
            return f"{name} is missing"
        return None if _sha256(self.path(name)) == known else f"{name} differs"

    def damaged(self, name: str) -> UserError:
        """What is to be raised where a file says what convscope never writes."""
        return UserError(
            f"{self.folder / name} is damaged: expected what convscope wrote there; bring it back "
            f"from where the run was copied, or delete the folder {self.folder} and train it again"
        )

    def _has(self, name: str) -> bool:
        return self.path(name).is_file()

    def _mapping(self, name: str, parse: Callable[[str], Any]) -> dict[str, Any]:
        """Keys and values; none where there is no such file."""
        return self._parsed(name, lambda text: keys_and_values(parse(text)), {})

    def _parsed(self, name: str, parse: Callable[[str], Parsed], missing: Parsed) -> Parsed:
        path = self.path(name)
        try:
            if not path.is_file():  # a pipe would never end
                return missing
            return parse(text_of(path))
        except FileNotFoundError:
            return missing
        except (ValueError, TypeError, yaml.YAMLError, RecursionError):
            raise self.damaged(name) from None


def within(folder: Path, name: str) -> Path:
    """`folder / name`, which need not be there; the folder itself may be a link.

    Raises:
        UserError: where it is a link that leads out of the folder.
    """
    path = folder / name
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{path} is a link that leads out of {folder}, to {path.resolve()}: nothing outside of "
            "a folder is taken for its own; put a copy of the file there if you trust it"
        )
    return path


def with_what_was_before(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, and behind them those that came later; a net of the user's own has no such."""
    before = {} if "digest" in config.get("model", {}) else BEFORE
    return {
        section: {**values, **before.get(section, {}), **values}
        for section, values in config.items()
    }


def write_atomically(path: Path, writer: Callable[[BinaryIO], Any], to_last: bool = True) -> None:
    """Write `path` through a temporary file beside it: a reader sees the old file or the new.

    With `to_last` it is on the disk before it takes its place, so that it survives a power failure.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            writer(file)
            file.flush()
            if to_last:
                os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
