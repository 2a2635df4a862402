"""A look inside a net: the parts that are asked for, one after the other, each to its own files."""

import json
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from convscope.errors import UserError
from convscope.inside.layers import layer_named
from convscope.inside.looks import PARTS
from convscope.inside.parts import NotApplicable
from convscope.inside.shelf import Shelf
from convscope.inside.subject import Choice, Subject, chosen_unit
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
    """Refuse a layer or unit that the net does not have, and a unit of another layer.

    A class may stand beside a layer: CAM shows where it is found by that layer.

    Raises:
        UserError: naming those that there are.
    """
    if choice.layer is not None:
        layer_named(subject.layers, choice.layer)
    unit = chosen_unit(subject, choice)
    if unit is None or unit.layer == "logits":
        return
    if choice.layer not in (None, unit.layer):
        raise UserError(
            f"--unit {choice.unit} is no unit of --layer {choice.layer}: give one of the two"
        )


def check_weights(subject: Subject) -> None:
    """Refuse a net with a weight that is no number, as after a training that diverged.

    Raises:
        UserError: naming the first.
    """
    for name, weights in subject.net.named_parameters():
        if not weights.isfinite().all():
            raise UserError(
                f"{subject.name}: expected finite weights, {name} holds NaN or infinity: look at a "
                "net whose training did not diverge"
            )


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

    The files come to `out` together when all parts are made: a call that is refused, fails or is
    interrupted leaves none. Only what is trained for a look stays, so that it is not trained twice.

    Raises:
        UserError: for a part, layer or unit that there is not, a part that makes no sense here, a
            weight that is not finite, or a user's own module that fails.
    """
    parts = chosen_parts(what)
    check_choice(subject, choice)
    check_weights(subject)
    looks = []
    with _together(out) as aside, _explained(subject):
        for done, name in enumerate(parts):
            tell(name, done, len(parts))
            looks.append(_make(name, subject, choice, Shelf(out, aside), may_skip=not what))
        index = _index(subject, looks, out / INDEX)
        Shelf(out, aside).text(INDEX, json.dumps(index, indent=1) + "\n")
    tell("", len(parts), len(parts))
    return looks


def _make(name: str, subject: Subject, choice: Choice, shelf: Shelf, may_skip: bool) -> Look:
    try:
        PARTS[name].make(subject, choice, shelf)
    except NotApplicable as error:
        if not may_skip:
            raise UserError(f"--what {name}: {error}") from None
        return Look(name, (), str(error))
    return Look(name, tuple(path.name for path in shelf.made))


@contextmanager
def _together(out: Path) -> Iterator[Path]:
    """A folder on the disk of `out`; its files come to `out` at the end, unless the body raises."""
    there = next(each for each in (out, *out.absolute().parents) if each.exists())
    if not there.is_dir():
        raise UserError(f"--out {out}: {there} is a file, expected a folder: name another one")
    with TemporaryDirectory(dir=there, prefix=".look.") as folder:
        yield Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        for path in sorted(Path(folder).iterdir(), key=lambda path: path.name == INDEX):
            os.replace(path, out / path.name)


@contextmanager
def _explained(subject: Subject) -> Iterator[None]:
    """Within, a user's own module that fails in its forward pass is the user's mistake."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not subject.is_own or not _is_of(subject.net, error):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{subject.name}: its forward pass failed with {reason}") from error


def _is_of(net: nn.Module, error: Exception) -> bool:
    """Whether an error was raised within a call of the net."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_locals.get("self") is net for frame, _ in frames)


def _index(subject: Subject, looks: Sequence[Look], path: Path) -> dict[str, Any]:
    """What this call made, beside what earlier ones made of the same net."""
    parts = {each.part: each for each in _earlier(subject, path)}
    for each in looks:
        before = parts[each.part].files if each.part in parts else ()
        parts[each.part] = replace(each, files=tuple(dict.fromkeys([*before, *each.files])))
    return {"of": subject.name, "parts": [each.to_dict() for each in parts.values()]}


def _earlier(subject: Subject, path: Path) -> list[Look]:
    """The parts of the index that is there, if it is of the same net; none of a damaged one."""
    try:
        index = json.loads(path.read_text())
        return [Look(**each) for each in index["parts"]] if index["of"] == subject.name else []
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return []
