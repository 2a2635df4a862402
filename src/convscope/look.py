"""A look inside a net: the parts that are asked for, one after the other, each to its own files."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convscope.errors import UserError
from convscope.inside.layers import layer_named
from convscope.inside.looks import PARTS
from convscope.inside.parts import NotApplicable
from convscope.inside.shelf import Shelf
from convscope.inside.subject import Choice, Subject
from convscope.inside.units import read_unit
from convscope.settings import suggest

INDEX = "look.json"
"""Which part made which files, or why it was skipped."""


@dataclass(frozen=True)
class Look:
    """What became of one part.

    Attributes:
        part: its name.
        files: that it made, by their names in the folder.
        skipped: why it was not made; None where it was.
    """

    part: str
    files: tuple[str, ...]
    skipped: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def chosen_parts(what: Sequence[str]) -> tuple[str, ...]:
    """The parts to make: those that are asked for, else the default ones.

    Raises:
        UserError: for a part that there is not.
    """
    for name in what:
        if name not in PARTS:
            raise UserError(f"--what {name} is no part{suggest(name, list(PARTS))}")
    return tuple(what) or tuple(name for name, part in PARTS.items() if part.is_default)


def check_choice(subject: Subject, choice: Choice) -> None:
    """Refuse a layer or unit that the net does not have.

    Raises:
        UserError: naming those that there are.
    """
    if choice.layer is not None:
        layer_named(subject.layers, choice.layer)
    if choice.unit is not None:
        read_unit(choice.unit, subject.layers, subject.classes)


def look(
    subject: Subject,
    what: Sequence[str],
    choice: Choice,
    out: Path,
    tell: Callable[[str, int, int], None],
) -> list[Look]:
    """Make the parts, and an index of what was made.

    Args:
        subject: what is looked at.
        what: names of parts; none: the default ones. A default part that makes no sense for this
            net is skipped; one that is asked for by name is refused.
        choice: of layers, units and numbers.
        out: the folder of the results.
        tell: called before each part with its name, how many are done, and of how many.

    Raises:
        UserError: for a part, layer or unit that there is not, or a part that makes no sense here.
    """
    parts = chosen_parts(what)
    check_choice(subject, choice)
    looks = []
    for done, name in enumerate(parts):
        tell(name, done, len(parts))
        looks.append(_make(name, subject, choice, out, may_skip=not what))
    tell("", len(parts), len(parts))
    Shelf(out).text(INDEX, json.dumps(_index(subject, looks), indent=1) + "\n")
    return looks


def _make(name: str, subject: Subject, choice: Choice, out: Path, may_skip: bool) -> Look:
    shelf = Shelf(out)
    try:
        PARTS[name].make(subject, choice, shelf)
    except NotApplicable as error:
        if not may_skip:
            raise UserError(f"--what {name}: {error}") from None
        return Look(name, (), str(error))
    return Look(name, tuple(path.name for path in shelf.made))


def _index(subject: Subject, looks: Sequence[Look]) -> dict[str, Any]:
    return {"of": subject.name, "parts": [each.to_dict() for each in looks]}
