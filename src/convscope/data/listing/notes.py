"""What is wrong with a file that can be read nevertheless, told where it is decoded."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from numpy.typing import NDArray

NoteKind: TypeAlias = Literal["truncated", "silent", "levels", "remark"]

NOTES: dict[NoteKind, str] = {
    "truncated": "lack their end",
    "silent": "are silent",
    "levels": "are nearly black or cut off",
    "remark": "made another library warn",
}
"""Every kind, the worst first, and what it says of its files."""


class Note(NamedTuple):
    """What is wrong with a file that can be used nevertheless.

    Attributes:
        kind: of what is wrong.
        text: what it is, to follow the file's name.
    """

    kind: NoteKind
    text: str


def notes_of(**texts: Iterable[str | None]) -> tuple[Note, ...]:
    """Notes by their kind: `notes_of(silent=[None], remark=["Corrupt"])`; None is no note."""
    return tuple(
        Note(cast(NoteKind, kind), text) for kind, some in texts.items() for text in some if text
    )


class DecodedClip(NamedTuple):
    """What a decoder makes of a file.

    Attributes:
        clip: channels first.
        exact: whether the file had exactly the asked-for length.
        notes: what is wrong with it nevertheless.
    """

    clip: NDArray[Any]
    exact: bool
    notes: tuple[Note, ...] = ()
