"""The words of a report: one file of strings, which a lab may replace by its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

from convscope.errors import UserError
from convscope.plain_yaml import NotYaml, load
from convscope.settings import suggest

STRINGS = "strings.yaml"
STYLE = "page.css"
LOGOS = ("logo.png", "logo.jpg")
OWN = Path(__file__).parents[1] / "templates" / STRINGS


@dataclass(frozen=True)
class Catalogue:
    """Strings by their names, with places for values in braces; and what else a lab brought.

    Attributes:
        strings: by dotted name, such as `section.data`.
        style: rules that come behind ours in the page's style sheet.
        logo: an image file.
    """

    strings: Mapping[str, str]
    style: str = ""
    logo: bytes | None = None

    def say(self, name: str, /, **values: object) -> str:
        """A string with its places filled; values are taken as text and never as templates."""
        return self.strings[name].format_map({key: str(value) for key, value in values.items()})


def catalogue(folder: Path | None = None) -> Catalogue:
    """Our strings, those of a lab's folder laid over them.

    Args:
        folder: holds any of `strings.yaml`, `page.css`, `logo.png` and `logo.jpg`.

    Raises:
        UserError: the folder holds another file, its strings a name that ours do not have, or a
            string a place for a value that ours does not have.

    Example:
        >>> catalogue().say("section.data")
        'The data'
    """
    own = _strings(OWN)
    if folder is None:
        return Catalogue(own)
    _check_files(folder)
    theirs = _strings(folder / STRINGS) if (folder / STRINGS).is_file() else {}
    for name, text in theirs.items():
        _check_string(folder / STRINGS, name, text, own)
    logos = [folder / name for name in LOGOS if (folder / name).is_file()]
    return Catalogue(
        strings={**own, **theirs},
        style=_text(folder / STYLE) if (folder / STYLE).is_file() else "",
        logo=logos[0].read_bytes() if logos else None,
    )


def _check_files(folder: Path) -> None:
    known = [STRINGS, STYLE, *LOGOS]
    if not folder.is_dir():
        raise UserError(
            f"--template {folder} is no folder: expected one with any of {', '.join(known)}"
        )
    for path in sorted(folder.iterdir()):
        if path.name not in known and not path.name.startswith("."):
            raise UserError(f"{path} is no part of a template{suggest(path.name, known)}")


def _strings(path: Path) -> dict[str, str]:
    try:
        values = load(_text(path))
    except NotYaml as error:
        raise UserError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected names and strings, got {values!r:.40}")
    return dict(_flat(path, values))


def _flat(path: Path, values: Mapping[str, Any], inside: str = "") -> Any:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(path, value, f"{inside}{key}.")
        elif isinstance(value, str):
            yield f"{inside}{key}", value
        else:
            raise UserError(
                f"{path}: {inside}{key}: expected a string, got {value!r:.40}: quote it"
            )


def _check_string(path: Path, name: str, text: str, own: Mapping[str, str]) -> None:
    if name not in own:
        raise UserError(f"{path}: {name} is no string of a report{suggest(name, list(own))}")
    known = _places(own[name])
    try:
        found = _places(text)
    except ValueError as error:
        raise UserError(f"{path}: {name}: {error}: write {{{{ for a brace") from None
    for place in found:
        if place not in known:
            there = ", ".join(f"{{{each}}}" for each in known) or "no places for values"
            raise UserError(f"{path}: {name}: {{{place}}} is unknown there; known: {there}")


def _places(text: str) -> list[str]:
    """The names in braces; a format behind a colon or an exclamation mark is part of the name."""
    parts = [part for part in Formatter().parse(text) if part[1] is not None]
    return [
        f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
        for _, name, form, conversion in parts
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8: save it as that") from None
