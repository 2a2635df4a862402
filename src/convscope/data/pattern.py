"""`{label}_{speaker}_{take}`: what the path of a file says of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

from convscope.names import normalised


@dataclass(frozen=True)
class PathPattern:
    """A path below the data folder, without its ending, with fields in braces.

    A field is a text without `/`, as short as the pattern allows; one that stands there twice has
    the same text twice. `{}` is any text, also none, also with `/`. A brace itself is doubled.

    Attributes:
        text: such as `{label}/{fold}-{take}-{}`.

    Raises:
        ValueError: it is no such pattern.

    Example:
        >>> PathPattern("{label}/{fold}-{take}-{}").fields_of("dog/1-100032-A")
        {'label': 'dog', 'fold': '1', 'take': '100032'}
    """

    text: str

    def __post_init__(self) -> None:
        previous = None
        for literal, name in self._parts:
            if name is not None and previous is not None and not literal:
                raise ValueError(
                    f"expected something between {{{previous}}} and {{{name}}}, such as _, in "
                    f"{self.text!r}"
                )
            previous = name
        if not self.fields:
            raise ValueError(f"expected a field such as {{label}}, got {self.text!r}")

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields, as they stand there."""
        return tuple(dict.fromkeys(name for _, name in self._parts if name))

    def fields_of(self, path: str) -> Mapping[str, str] | None:
        """The text of each field; None of a path that does not match.

        Args:
            path: below the data folder, without its ending.
        """
        found = self._regex.fullmatch(normalised(path))
        return found and found.groupdict()

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        seen: set[str] = set()
        text = ""
        for literal, name in self._parts:
            text += re.escape(normalised(literal))
            if name:
                text += f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)"
                seen.add(name)
            elif name is not None:
                text += ".*?"
        return re.compile(text, re.DOTALL)

    @cached_property
    def _parts(self) -> list[tuple[str, str | None]]:
        """Pieces of plain text, each with the name of the field behind it; None where none is."""
        try:
            parts = list(Formatter().parse(self.text))
        except ValueError as error:
            raise ValueError(f"{self.text!r} has a brace too much or too few: {error}") from None
        for _, name, form, conversion in parts:
            if form or conversion or (name and not (name.isidentifier() and name.isascii())):
                raise ValueError(
                    f"expected names of letters, digits and _ in braces, such as {{speaker}}, "
                    f"got {name!r}{' with : or !' if form or conversion else ''} in {self.text!r}"
                )
        return [(literal, name) for literal, name, _, _ in parts]
