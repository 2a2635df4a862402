"""Clips that a recipe leaves out: a list of their ids in a file, or in the recipe itself."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_COMMENT = re.compile(r"(^|\s)#.*$")


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
    """The ids in a file, one a line; a # at a line's beginning or behind a space is a comment.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
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
    lines = (_COMMENT.sub("", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def said(ids: Sequence[str]) -> str:
    """A list of ids in a few letters: the same for the same list, another for another."""
    digest = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
    return f"{len(ids)} clips {digest[:6]}"
