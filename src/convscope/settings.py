"""Frozen, validated settings, and messages a person can act on when they are wrong."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from convscope.errors import UserError


class Settings(BaseModel):
    """A group of settings: frozen, unknown keys refused, every field with its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    not_in_name: ClassVar[frozenset[str]] = frozenset()
    """Fields that say where or how, not what: they do not decide the result of a training."""

    before: ClassVar[Mapping[str, Any]] = {}
    """Fields that came later, and what was so before: at that value names stay as they were."""

    @field_validator("*", mode="before")
    @classmethod
    def _number_is_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and "5" for a number, as which pydantic would take them."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        kinds = {annotation, *get_args(annotation)}
        if isinstance(value, bool | str) and kinds & {int, float} and type(value) not in kinds:
            wanted = "number" if float in kinds else "integer"
            raise ValueError(f"expected {wanted}, got {value!r:.80}")
        return value

    def identity(self) -> dict[str, Any]:
        """The settings that decide a result, as plain data: what a cell's name is made from."""
        return {
            key: value.identity() if isinstance(value, Settings) else _plain(value)
            for key, value in self
            if key not in self.not_in_name and (key not in self.before or self.before[key] != value)
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


SettingsT = TypeVar("SettingsT", bound=Settings)


def validated(kind: type[SettingsT], values: Mapping[str, Any], where: str) -> SettingsT:
    """`kind` made from `values`; a UserError names the key `where.…`, what came and what to do.

    Of several mistakes the first is told, and how many more there are.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first, *others = error.errors()
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(_explain(kind, first, where) + more) from None


def _explain(kind: type[Settings], error: ErrorDetails, where: str) -> str:
    path = [str(part) for part in error["loc"]]
    key = ".".join([where, *path])
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            return f"{key} is not a known key{suggest(path[-1], _known_keys(kind, path[:-1]))}"
        case "missing":
            return f"{key} is missing: give it in the recipe or as {key}=VALUE"
        case "value_error":
            message = str(error["ctx"]["error"])
            return message if message.startswith(f"{where}.") else f"{key}: {message}"
    return f"{key}: expected {_expected(error)}, got {error['input']!r:.80}{_remedy(key, error)}"


def _expected(error: ErrorDetails) -> str:
    """What pydantic wants, without words of its own such as dictionary or instance."""
    if error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "keys and values"
    if error["type"] == "tuple_type":
        return "a list"
    wanted = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    wanted = wanted.removeprefix("String should have ")
    is_type = error["type"].endswith(("_parsing", "_from_float"))  # these go on about the input
    return wanted.split(",")[0] if is_type else wanted


def _remedy(key: str, error: ErrorDetails) -> str:
    value = error["input"]
    if error["type"] == "string_type" and isinstance(value, bool | int | float):
        # 1e3 comes as 1000.0 and true as True: only a whole number is sure to be as it was typed
        typed = value if type(value) is int else "TEXT"
        return f": quote it, {key}='\"{typed}\"'"
    if error["type"] == "literal_error" and isinstance(value, str):
        known = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return suggest(value, known).split(";")[0]
    return ""


def _known_keys(kind: type[Settings], path: list[str]) -> list[str]:
    """The keys of the group of settings that stands at `path` below `kind`."""
    for part in path:
        if part not in kind.model_fields:  # a name, of a server for one
            continue
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
