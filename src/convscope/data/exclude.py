"""Clips that a recipe leaves out: a list of their ids in a file, or in the recipe itself.

    # a comment, on a line of its own
    a/take #3.wav
    "b/ \\"two\\nlines\\".wav"

A line is an id just as it stands, without the blanks around it. An id that this cannot say stands
in double quotes, as JSON writes a text: one that begins or ends with a blank, begins with # or ",
or holds a line end or another character that cannot be seen.
"""

import hashlib
import json
import posixpath
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from convscope.names import normalised


def excluded_ids(value: Any) -> tuple[str, ...]:
    """What `data.exclude` names, sorted, each id once: so the list counts, and not where it lies.

    Args:
        value: a file's name, a list of ids, or None.

    Raises:
        ValueError: for something else, or a file that cannot be read.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        value = read_exclusions(Path(value).expanduser())
    if not isinstance(value, list | tuple) or not all(isinstance(id, str) for id in value):
        raise ValueError(f"expected a file with a clip's id a line, or a list of ids, got {value}")
    return tuple(sorted(set(value)))


def read_exclusions(path: Path) -> list[str]:
    """The ids in a file, one a line; a line that begins with # is a comment.

    Raises:
        ValueError: it cannot be read, or a line in quotes is no JSON text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist: expected a file with a clip's id a line, as convscope look "
            "RUN --what clean makes it"
        ) from None
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}): expected a file with a clip's id a line"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8: expected a clip's id a line") from None
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return [_id(path, number, line) for number, line in lines if line and not line.startswith("#")]


def exclusion_line(id: str) -> str:
    """The line of a list that `read_exclusions` reads as this id."""
    is_plain = id.isprintable() and id == id.strip() and not id.startswith(("#", '"'))
    return id if is_plain and id else json.dumps(id)


def _id(path: Path, number: int, line: str) -> str:
    if not line.startswith('"'):
        return line
    try:
        return str(json.loads(line))
    except ValueError:
        raise ValueError(
            f"line {number} of {path}: expected an id in quotes as JSON writes it, "
            f'such as "a\\nb", got {line}'
        ) from None


def find_excluded(exclude: Iterable[str], known: Collection[str]) -> tuple[set[str], list[str]]:
    """The ids of a data set that a list names, and what in the list names none.

    An id is found as it stands, else as the same path written otherwise: `./a//1.wav` is
    `a/1.wav`, and accents may be spelled in another way.
    """
    known = set(known)
    written = {_plain(id): id for id in known}
    found = {id: id if id in known else written.get(_plain(id)) for id in exclude}
    ids = {id for id in found.values() if id is not None}
    return ids, [id for id, is_there in found.items() if is_there is None]


def _plain(id: str) -> str:
    return normalised(posixpath.normpath(id))


def said(ids: Sequence[str]) -> str:
    """A list of ids in a few letters: the same for the same list, another for another."""
    text = "\n".join(sorted(ids)).encode("utf-8", "surrogateescape")  # a name may be no UTF-8
    return f"{len(ids)} clips {hashlib.sha256(text).hexdigest()[:6]}"
