"""Frozen, validated settings, and messages a person can act on when they are wrong."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from convscope.errors import UserError


class Settings(BaseModel):
    """A group of settings: frozen, unknown keys refused, every field with its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    not_in_name: ClassVar[frozenset[str]] = frozenset()
    """Fields that say where or how, not what: they do not decide the result of a training."""

    def identity(self) -> dict[str, Any]:
        """The settings that decide a result, as plain data: what a cell's name is made from."""
        return {
            key: value.identity() if isinstance(value, Settings) else _plain(value)
            for key, value in self
            if key not in self.not_in_name
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


SettingsT = TypeVar("SettingsT", bound=Settings)


def validated(kind: type[SettingsT], values: Mapping[str, Any], where: str) -> SettingsT:
    """`kind` made from `values`; a UserError names the key `where.…`, what came and what to do."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError("; ".join(_explain(kind, e, where) for e in error.errors())) from None


def _explain(kind: type[Settings], error: ErrorDetails, where: str) -> str:
    path = [str(part) for part in error["loc"]]
    key = ".".join([where, *path])
    if error["type"] == "extra_forbidden":
        return f"{key} is not a known key{suggest(path[-1], _known_keys(kind, path[:-1]))}"
    if error["type"] == "missing":
        return f"{key} is missing: give it in the recipe or as {key}=VALUE"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}" if path else f"{where}: {error['ctx']['error']}"
    message = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    hint = ""
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        hint = suggest(error["input"], error["ctx"]["expected"].replace("'", "").split(", "))
        hint = hint.split(";")[0]
    return f"{key}: expected {message}, got {error['input']!r}{hint}"


def _known_keys(kind: type[Settings], path: list[str]) -> list[str]:
    """The keys of the group of settings that stands at `path` below `kind`."""
    for part in path:
        annotation = kind.model_fields[part].annotation
        groups = [
            a
            for a in (annotation, *get_args(annotation))
            if isinstance(a, type) and issubclass(a, Settings)
        ]
        if not groups:
            return []
        kind = groups[0]
    return list(kind.model_fields)


def suggest(word: str, known: Sequence[str]) -> str:
    """What to write instead of `word`: the closest of the known words, and all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    meant = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{meant}; known: {', '.join(known)}" if known else meant
