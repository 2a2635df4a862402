"""What was made in a folder of results: `look.json`, kept in step with the files there."""

import json
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from convscope.data.disk import writing_to
from convscope.errors import UserError, in_one_line
from convscope.inside.results.progress import Tell, silent
from convscope.inside.results.writer import ResultWriter
from convscope.run import within

INDEX = "look.json"
"""Which part made which files, or why it was skipped."""

OTHERWISE = "name another with --out"


@dataclass(frozen=True)
class Look:
    """What became of one part.

    Attributes:
        part: its name.
        files: that it made, by their names in the folder.
        skipped: why it was not made; None where it was.
        failed: what went wrong; None where nothing did. Where it was no user's mistake, the file
            `failed_PART.txt` has the traceback.
    """

    part: str
    files: tuple[str, ...]
    skipped: str | None = None
    failed: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def made(
    part: str, of: str, out: Path, make: Callable[[ResultWriter], str | None], tell: Tell = silent
) -> Look:
    """Make one part: its files come to a folder together, and are listed in its index.

    Args:
        part: its name.
        of: what is looked at. What the index says of anything else is forgotten.
        out: the folder of the results.
        make: puts the results on a writer; gives the reason where it skips the part, else None.
        tell: is told by `make` how far it is.

    Raises:
        UserError: where `out` cannot be a folder, or not be written. As for whatever `make` raises,
            no file comes.
    """
    with _together(out) as aside:
        writer = ResultWriter(out, aside, tell)
        skipped = make(writer)
        look = Look(part, tuple(path.name for path in writer.made), skipped)
        writer.text(INDEX, json.dumps(_index(of, look, within(out, INDEX)), indent=1) + "\n")
    return look


def not_made(part: str, of: str, out: Path, error: Exception) -> Look:
    """Note in the index that a part failed, and why; what it made before stays.

    Args:
        part: its name.
        of: what is looked at.
        out: the folder of the results.
        error: why; the traceback of what is no user's mistake goes to a file beside.
    """
    with _together(out) as aside:
        writer = ResultWriter(out, aside, silent)
        if not isinstance(error, UserError):
            writer.text(f"failed_{part}.txt", "".join(traceback.format_exception(error)))
        why = str(error) if isinstance(error, UserError) else in_one_line(error)
        look = Look(part, tuple(path.name for path in writer.made), failed=why)
        writer.text(INDEX, json.dumps(_index(of, look, within(out, INDEX)), indent=1) + "\n")
    return look


@contextmanager
def _together(out: Path) -> Iterator[Path]:
    """A folder on the disk of `out`; its files come to `out` at the end, unless the body raises."""
    with writing_to(out, OTHERWISE):
        aside = TemporaryDirectory(dir=_nearest(out), prefix=".look.")
    with aside as folder:
        yield Path(folder)
        with writing_to(out, OTHERWISE):
            out.mkdir(parents=True, exist_ok=True)
            for path in sorted(Path(folder).iterdir(), key=lambda path: path.name == INDEX):
                os.replace(path, out / path.name)


def _nearest(out: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    there = next(each for each in (out, *out.absolute().parents) if each.exists())
    if not there.is_dir():
        raise UserError(f"--out {out}: {there} is a file, expected a folder: name another one")
    return there


def _index(of: str, look: Look, path: Path) -> dict[str, Any]:
    """The part, beside what was made before of the same."""
    parts = {each.part: each for each in _earlier(of, path)}
    before = parts[look.part].files if look.part in parts else ()
    parts[look.part] = replace(look, files=tuple(dict.fromkeys([*before, *look.files])))
    return {"of": of, "parts": [each.to_dict() for each in parts.values()]}


def _earlier(of: str, path: Path) -> list[Look]:
    """The parts of the index that is there, if it is of the same; none of a damaged one."""
    try:
        index = json.loads(path.read_text())
        return [Look(**each) for each in index["parts"]] if index["of"] == of else []
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return []
