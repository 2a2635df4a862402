"""Which rows of a board are wanted: KEY=VALUE, KEY<N and so on."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convscope.errors import UserError
from convscope.names import normalised
from convscope.scores.network import flat
from convscope.scores.rows import COLUMNS, BoardRow
from convscope.settings import suggest

_PARTS = re.compile(r"(?P<key>[^=<>!\s]+)\s*(?P<sign><=|>=|!=|=|<|>)\s*(?P<value>.*)")

_COMPARED: dict[str, Callable[[Any, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_NOT_SCALAR = ("interval",)


@dataclass(frozen=True)
class Condition:
    """One `--where`: a column of the board or a dotted key of a recipe, a sign, and a value."""

    key: str
    sign: str
    value: str

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it holds of a row's values; one that is not there is neither more nor less."""
        came = values.get(self.key)
        if self.sign == "=":
            return self._equals(came)
        if self.sign == "!=":
            return not self._equals(came)
        number = self._number()
        return _is_number(came) and _COMPARED[self.sign](came, number)

    def _equals(self, came: Any) -> bool:
        if self.value in ("", "null", "None"):
            return came is None
        if isinstance(came, bool):
            return self.value.lower() == str(came).lower()
        if _is_number(came):
            return bool(came == self._number())
        if isinstance(came, list):
            return [part.strip() for part in self.value.strip("[]").split(",")] == came
        return came is not None and normalised(str(came)) == normalised(self.value)

    def _number(self) -> float:
        try:
            return float(self.value)
        except ValueError:
            raise UserError(
                f"--where {self.key}{self.sign}{self.value}: expected a number after "
                f"{self.sign}, got {self.value!r}"
            ) from None


def parse_condition(text: str) -> Condition:
    """A condition from its text.

    Raises:
        UserError: it has no key, no sign or no value.
    """
    parts = _PARTS.fullmatch(text.strip())
    if parts is None:
        raise UserError(
            f"--where {text}: expected KEY=VALUE, KEY!=VALUE, KEY<N, KEY<=N, KEY>N or KEY>=N, in "
            "quotes for the shell, such as --where 'params<100000'"
        )
    return Condition(parts["key"], parts["sign"], parts["value"].strip())


def where(rows: Sequence[BoardRow], conditions: Iterable[Condition]) -> list[BoardRow]:
    """The rows of which all conditions hold.

    Raises:
        UserError: a key is no column and no setting of any run, or a number is expected.
    """
    conditions = list(conditions)
    several = [{**row.columns, **flat(row.config)} for row in rows] if conditions else []
    for condition in conditions if rows else ():
        _check_key(condition.key, several)
    kept = zip(rows, several, strict=True) if conditions else ((row, {}) for row in rows)
    return [row for row, values in kept if all(each.holds(values) for each in conditions)]


def _check_key(key: str, several: Sequence[Mapping[str, Any]]) -> None:
    known = dict.fromkeys(each for values in several for each in values if each not in _NOT_SCALAR)
    if key not in known:
        section = key.partition(".")[0] + "."
        below = [each for each in known if each.startswith(section)] if "." in key else []
        close = suggest(key, list(known)).partition(";")[0]
        listed = below or [each for each in COLUMNS if each not in _NOT_SCALAR]
        raise UserError(
            f"--where: {key} is neither a column of the board nor a key of these runs' settings"
            f"{close}; known: {', '.join(listed)}{'' if below else ', and keys such as train.seed'}"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
