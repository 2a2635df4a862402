"""What a notebook shows: tables, sounds and pictures as HTML that stands alone. All is escaped."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

from convscope.names import visible


def table_html(headings: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> str:
    """A table of texts; numbers stand as they are given.

    Args:
        headings: of the columns.
        rows: a value for each column.
        note: a line below.
    """
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    below = f"<p>{_text(note)}</p>" if note else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


def audio_html(wav: bytes, caption: str = "") -> str:
    """A player for a WAV file, with the sound in it."""
    data = base64.b64encode(wav).decode()
    return (
        f"<figure><figcaption>{_text(caption)}</figcaption>"
        f'<audio controls preload="none" src="data:audio/wav;base64,{data}"></audio></figure>'
    )


def image_html(png: bytes, caption: str = "") -> str:
    """A PNG picture, with the picture in it."""
    data = base64.b64encode(png).decode()
    return (
        f"<figure><figcaption>{_text(caption)}</figcaption>"
        f'<img alt="{_text(caption)}" style="max-width: 100%" src="data:image/png;base64,{data}">'
        "</figure>"
    )


def _text(value: object) -> str:
    return escape(visible("" if value is None else str(value)), quote=True)
