"""What a view of the board is: tables of text for people, records of values for machines."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A heading; whether its cells are aligned to the right, and may be folded into lines."""

    heading: str
    right: bool = False
    folds: bool = False


@dataclass(frozen=True)
class PlainTable:
    """A table of text, as every format prints it in its own way.

    Attributes:
        rows: a text for each column; empty: nothing is known.
        title: what the table is of, where there are several.
        note: what its marks mean.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class View:
    """The board, looked at in one way.

    Attributes:
        tables: for people.
        records: the same for machines: full precision, units in the names (seconds), None for what
            is not there.
        fields: the names in a record, also where there is none.
        summary: of all records, if there is something to say.
    """

    tables: tuple[PlainTable, ...]
    records: tuple[dict[str, Any], ...]
    fields: tuple[str, ...]
    summary: dict[str, Any] | None = None
