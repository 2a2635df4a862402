"""The slides of a deck, each measured so that nothing overflows; all sizes in points."""

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
from PIL import Image, ImageFont

from convscope.names import visible
from convscope.report.document.blocks import Cell, Sound, Table

WIDTH, HEIGHT = 960.0, 540.0
MARGIN, TOP = 40.0, 96.0
INSIDE = WIDTH - 2 * MARGIN
FOOT = 30.0
MOST_ROWS = 18
FONT = "DejaVu Sans"
SIZES = (20, 18, 16, 14, 12, 11, 10, 9, 8)
LINE = 1.25
"""Height of a line, as a share of the font's size."""

Item = TypeVar("Item")


class Deck:
    """Slides in the order in which they are added."""

    def __init__(self) -> None:
        from pptx import Presentation
        from pptx.util import Pt

        self._pt = Pt
        self._deck: Any = Presentation()
        self._deck.slide_width, self._deck.slide_height = Pt(WIDTH), Pt(HEIGHT)

    def title(self, title: str, byline: str, logo: bytes | None) -> None:
        """The first slide."""
        slide = self._slide(title, byline, top=HEIGHT / 2 - 70, size=34)
        self._text(slide, [(byline, "")], (MARGIN, HEIGHT / 2 + 20, INSIDE, 40))
        if logo is not None:
            slide.shapes.add_picture(
                io.BytesIO(logo), self._pt(MARGIN), self._pt(MARGIN), height=self._pt(60)
            )

    def texts(self, title: str, texts: Sequence[tuple[str, str]], notes: str) -> None:
        """Sentences; a command stands below its sentence in letters of one width."""
        slide = self._slide(title, notes)
        self._text(slide, texts, (MARGIN, TOP, INSIDE, HEIGHT - TOP - FOOT))

    def table(self, title: str, table: Table, rows: Sequence[tuple[Cell, ...]], notes: str) -> None:
        """A real table, as large as fits."""
        slide = self._slide(title, f"{table.caption}\n{table.note}\n{notes}")
        body = [tuple(Cell(heading) for heading in table.headings), *rows]
        size, widths = table_sizes([[cell.text for cell in row] for row in body])
        height = 1.9 * size
        shape = slide.shapes.add_table(
            len(body),
            len(table.headings),
            *self._box(MARGIN, TOP + 30, sum(widths), height * len(body)),
        )
        _describe(shape, table.caption)
        for column, width in zip(shape.table.columns, widths, strict=True):
            column.width = self._pt(width)
        for i, row in enumerate(body):
            shape.table.rows[i].height = self._pt(height)
            for j, cell in enumerate(row):
                self._cell(shape.table.cell(i, j), cell, size, j >= table.left)
        self._text(slide, [(table.caption, "")], (MARGIN, TOP - 6, INSIDE, 30), most=14)

    def picture(self, title: str, image: bytes, caption: str, alt: str, notes: str) -> None:
        """One picture, as large as fits, with its caption below."""
        slide = self._slide(title, f"{caption}\n{notes}")
        room = (MARGIN, TOP, INSIDE, HEIGHT - TOP - FOOT - 36)
        self._image(slide, image, alt, room)
        self._text(slide, [(caption, "")], (MARGIN, HEIGHT - FOOT - 34, INSIDE, 34), most=14)

    def sounds(self, title: str, sounds: Sequence[Sound], notes: str) -> None:
        """Sounds that PowerPoint plays on a click on their picture."""
        slide = self._slide(title, notes)
        width = INSIDE / max(2, len(sounds))
        for k, sound in enumerate(sounds):
            left = MARGIN + k * width
            poster = sound.picture or _plain_image()
            shape = slide.shapes.add_movie(
                io.BytesIO(sound.wav),
                *self._box(left, TOP + 20, width - 16, (width - 16) / 2),
                poster_frame_image=io.BytesIO(poster),
                mime_type="audio/wav",
            )
            _describe(shape, sound.caption)
            room = (left, TOP + 30 + width / 2, width - 16, 150)
            self._text(slide, [(sound.caption, "")], room, most=14)

    def saved(self, when: datetime) -> bytes:
        """The file, as made at a time."""
        about = self._deck.core_properties
        about.created = about.modified = about.last_printed = when
        about.author = about.last_modified_by = "convscope"
        file = io.BytesIO()
        self._deck.save(file)
        return file.getvalue()

    def _slide(self, title: str, notes: str, top: float = 28, size: int = 28) -> Any:
        slide = self._deck.slides.add_slide(self._deck.slide_layouts[5])  # a title alone
        shape = slide.shapes.title
        shape.left, shape.top, shape.width, shape.height = self._box(MARGIN, top, INSIDE, 56)
        lines_size = fitting([(title, "")], INSIDE - 16, 64, size)
        self._fill(shape.text_frame, [(title, "")], lines_size, bold=True)
        slide.notes_slide.notes_text_frame.text = notes
        return slide

    def _text(
        self,
        slide: Any,
        texts: Sequence[tuple[str, str]],
        box: tuple[float, float, float, float],
        most: int = 20,
    ) -> None:
        shape = slide.shapes.add_textbox(*self._box(*box))
        self._fill(shape.text_frame, texts, fitting(texts, box[2] - 16, box[3], most))

    def _fill(
        self, frame: Any, texts: Sequence[tuple[str, str]], size: float, bold: bool = False
    ) -> None:
        from pptx.enum.text import PP_ALIGN

        frame.word_wrap = True
        lines = [(each, k == 1) for pair in texts for k, each in enumerate(pair) if each]
        for k, (text, is_command) in enumerate(lines):
            paragraph = frame.paragraphs[0] if k == 0 else frame.add_paragraph()
            paragraph.text, paragraph.alignment = text, PP_ALIGN.LEFT
            paragraph.space_after = self._pt(size / 2)
            font = paragraph.font
            font.size, font.bold = self._pt(0.8 * size if is_command else size), bold
            font.name = "DejaVu Sans Mono" if is_command else FONT

    def _cell(self, place: Any, cell: Cell, size: float, is_right: bool) -> None:
        from pptx.enum.text import PP_ALIGN

        place.margin_top = place.margin_bottom = self._pt(1)
        place.margin_left = place.margin_right = self._pt(PADDING / 2)
        paragraph = place.text_frame.paragraphs[0]
        paragraph.text = cell.text
        paragraph.font.size, paragraph.font.name = self._pt(size), FONT
        paragraph.alignment = PP_ALIGN.RIGHT if is_right else PP_ALIGN.LEFT
        if cell.is_best:
            paragraph.font.bold = True

    def _image(
        self, slide: Any, image: bytes, alt: str, room: tuple[float, float, float, float]
    ) -> None:
        left, top, width, height = room
        with Image.open(io.BytesIO(image)) as opened:
            own_width, own_height = opened.size
        scale = min(width / own_width, height / own_height)
        wide, high = own_width * scale, own_height * scale
        box = self._box(left + (width - wide) / 2, top, wide, high)
        _describe(slide.shapes.add_picture(io.BytesIO(image), *box), alt)

    def _box(self, *points: float) -> tuple[Any, ...]:
        return tuple(self._pt(round(each, 2)) for each in points)


PADDING = 10.0


def table_sizes(rows: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
    """The largest font at which a table fits the slide, and the width of each column.

    A column that would be wider than its part of the slide is folded by the program that shows it.
    """
    most = HEIGHT - TOP - 30 - FOOT
    for size in SIZES:
        widths = [
            PADDING + 4 + max(width_of(text, size, bold=True) for text in column)
            for column in zip(*rows, strict=True)
        ]
        if size <= 14 and sum(widths) <= INSIDE and 1.9 * size * len(rows) <= most:
            return size, widths
    scale = min(1.0, INSIDE / sum(widths))
    return SIZES[-1] * scale, [width * scale for width in widths]


def fitting(texts: Sequence[tuple[str, str]], width: float, height: float, most: float) -> float:
    """The largest size, at most `most`, at which texts fit a box."""
    for size in (each for each in (most, *SIZES) if each <= most):
        lines = sum(
            LINE * scale * size * n_lines(text, scale * size, width, is_mono) + size / 2
            for pair in texts
            for text, scale, is_mono in ((pair[0], 1.0, False), (pair[1], 0.8, True))
            if text
        )
        if lines <= height:
            return size
    return SIZES[-1]


def n_lines(text: str, size: float, width: float, is_mono: bool = False) -> int:
    """Lines that a text takes; a word that is wider than the box takes several."""
    lines, left = 1, width
    space = width_of(" ", size, is_mono=is_mono)
    for word in text.split():
        own = width_of(word, size, is_mono=is_mono)
        if own > left and left < width:
            lines, left = lines + 1, width
        while own > left:
            lines, own = lines + 1, own - left
            left = width
        left -= own + space
    return lines


def width_of(text: str, size: float, bold: bool = False, is_mono: bool = False) -> float:
    """Of a line of text."""
    name = "DejaVuSansMono" if is_mono else "DejaVuSans-Bold" if bold else "DejaVuSans"
    return float(_font(name).getlength(text)) * size / 100


def chunks(items: Sequence[Item], most: int) -> Iterator[list[Item]]:
    """The items in order, at most so many at a time, as evenly as can be."""
    n_parts = -(-len(items) // most)
    for k in range(n_parts):
        yield list(items[k * len(items) // n_parts : (k + 1) * len(items) // n_parts])


def _describe(shape: Any, alt: str) -> None:
    """The alternative text, for which python-pptx has no call."""
    shape._element.xpath(".//p:cNvPr")[0].set("descr", visible(alt))


@cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(
        Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", 100
    )


def _plain_image() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (320, 160), "#cfe5f3").save(file, "png")
    return file.getvalue()
