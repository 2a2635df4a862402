"""A report as one HTML file that asks nothing of any other."""

from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from convscope.report.document.blocks import Block, Document, Picture, Sound
from convscope.report.html import TEMPLATES, data_uri, picture, render


def as_html(document: Document, style: str = "") -> bytes:
    """The page; pictures and sounds lie inside.

    Args:
        document: what it says.
        style: rules of a lab's own, behind ours.
    """
    rules = "\n".join(
        [(TEMPLATES / name).read_text() for name in ("page.css", "document.css")] + [style]
    )
    values = {
        "title": document.title,
        "byline": document.byline,
        "contents": document.labels["contents"],
        "logo": None if document.logo is None else image_uri(document.logo),
        "style": Markup(rules.replace("</", "<\\/")),
        "sections": [
            {"title": each.title, "blocks": [_shown(block) for block in each.blocks]}
            for each in document.sections
        ],
    }
    return render("document.html", values).encode()


def image_uri(content: bytes) -> str:
    """An image file as an address of its own."""
    return data_uri(content, "image/png" if content.startswith(b"\x89PNG") else "image/jpeg")


def _shown(block: Block) -> tuple[str, Any]:
    """The block's kind, and what the template needs of it."""
    if isinstance(block, Picture):
        is_figure = isinstance(block.content, Figure)
        uri = picture(block.content) if isinstance(block.content, Figure) else None
        shown = {"alt": block.alt, "caption": block.caption}
        assert is_figure or isinstance(block.content, bytes)
        return "Picture", {**shown, "uri": uri or image_uri(block.content)}  # type: ignore[arg-type]
    if isinstance(block, Sound):
        return "Sound", {
            "caption": block.caption,
            "sound": data_uri(block.wav, "audio/wav"),
            "picture": None if block.picture is None else image_uri(block.picture),
        }
    return type(block).__name__, block
