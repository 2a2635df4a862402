"""The parts of a report: frozen records of plain text, which each rendering escapes in its way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Sentence:
    """One thing that the results bear."""

    text: str


@dataclass(frozen=True)
class Command:
    """What could be done next: why, and the command line that does it."""

    why: str
    command: str


@dataclass(frozen=True)
class Cell:
    """A place in a table; the best of its table is set in bold."""

    text: str
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        name: of its file of numbers, unique within a report.
        caption: what it is of.
        headings: one for each column.
        rows: a cell for each column; the first names the row.
        left: how many columns hold words and not numbers.
        note: what its marks mean.
    """

    name: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left: int = 1
    note: str = ""


@dataclass(frozen=True)
class Numbers:
    """What a picture shows, as a table for machines."""

    fields: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A figure to be drawn, or a PNG or JPEG that is there already.

    Attributes:
        name: of its file, unique within a report.
        caption: what it shows.
        alt: the same for those who cannot see it.
        content: a figure, or an image file.
        numbers: behind it; None where they lie elsewhere.
    """

    name: str
    caption: str
    alt: str
    content: Figure | bytes
    numbers: Numbers | None = None


@dataclass(frozen=True)
class Sound:
    """A sound as a WAV file, beside its picture where there is one."""

    name: str
    caption: str
    wav: bytes
    picture: bytes | None = None


Block: TypeAlias = Sentence | Command | Table | Picture | Sound


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, one idea each."""

    key: str
    title: str
    blocks: tuple[Block, ...]

    def of(self, kind: type[Any]) -> list[Any]:
        """Its blocks of one kind, in their order."""
        return [block for block in self.blocks if isinstance(block, kind)]


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: its heading.
        byline: the date and what made it.
        sections: in order.
        logo: an image file; None: there is none.
        language: of its strings, such as en.
        labels: words that a rendering adds: of the contents, of a continued slide.
    """

    title: str
    byline: str
    sections: tuple[Section, ...]
    logo: bytes | None = None
    language: str = "en"
    labels: dict[str, str] = field(default_factory=dict)

    def blocks(self, kind: type[Any]) -> Iterator[Any]:
        """The blocks of one kind, in their order."""
        for section in self.sections:
            yield from section.of(kind)


def cells(texts: Sequence[object], is_best: bool = False) -> tuple[Cell, ...]:
    """A row of a table."""
    return tuple(Cell(str(text), is_best) for text in texts)
