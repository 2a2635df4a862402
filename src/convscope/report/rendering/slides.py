"""A report as slides, 16:9, one idea each, with real tables, alternative texts and notes."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from matplotlib.figure import Figure

from convscope.errors import UserError
from convscope.figures import to_png
from convscope.report.document.blocks import (
    Block,
    Command,
    Document,
    Picture,
    Section,
    Sentence,
    Sound,
    Table,
)
from convscope.report.rendering.slide_parts import MOST_ROWS, Deck, chunks

FIXED = datetime(2000, 1, 1)
MOST_TEXTS = 5
"""Sentences on a slide."""


def as_slides(document: Document) -> bytes:
    """The PowerPoint file; the same document gives the same bytes.

    A slide holds a section's sentences, or its commands, or a table of at most `MOST_ROWS` rows, or
    one picture. A slide's notes have the section's sentences, or what a picture shows.

    Raises:
        UserError: python-pptx is missing.
    """
    try:
        import pptx  # noqa: F401
    except ImportError:
        raise UserError(
            "--slides needs python-pptx: install it with pip install 'convscope[report]'"
        ) from None
    deck = Deck()
    deck.title(document.title, document.byline, document.logo)
    for section in document.sections:
        _add_section(deck, section, document.labels["continued"])
    return _with_fixed_times(deck.saved(FIXED))


def _add_section(deck: Deck, section: Section, continued: str) -> None:
    notes = "\n".join(each.text for each in section.of(Sentence)) or section.title
    numbers = count(1)

    def title() -> str:
        number = next(numbers)
        values = {"title": section.title, "number": str(number)}
        return section.title if number == 1 else continued.format_map(values)

    for group in _ideas(section.blocks):
        first = group[0]
        if isinstance(first, Table):
            for rows in chunks(first.rows, MOST_ROWS):
                deck.table(title(), first, rows, notes)
        elif isinstance(first, Picture):
            deck.picture(title(), _image(first.content), first.caption, first.alt, notes)
        elif isinstance(first, Sound):
            deck.sounds(title(), [each for each in group if isinstance(each, Sound)], notes)
        else:
            deck.texts(title(), [_text(each) for each in group], notes)


def _ideas(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """The blocks of a slide each: sentences together, commands together, all else alone."""
    together: tuple[tuple[type[Any], int], ...] = ((Sentence, MOST_TEXTS), (Command, 3), (Sound, 4))
    for kind, most in together[:1]:
        yield from chunks([each for each in blocks if isinstance(each, kind)], most)
    for each in blocks:
        if isinstance(each, Table | Picture):
            yield [each]
    for kind, most in together[1:]:
        yield from chunks([each for each in blocks if isinstance(each, kind)], most)


def _text(block: Block) -> tuple[str, str]:
    """A sentence, or why and the command below it."""
    if isinstance(block, Command):
        return block.why, block.command
    assert isinstance(block, Sentence)
    return block.text, ""


def _image(content: Figure | bytes) -> bytes:
    return to_png(content, dpi=200) if isinstance(content, Figure) else content


def _with_fixed_times(content: bytes) -> bytes:
    """The same archive with no time of its making."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return packed.getvalue()
