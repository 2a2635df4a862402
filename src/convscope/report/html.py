"""Pages made of templates: one file each, which asks nothing of any other."""

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from convscope.errors import UserError
from convscope.figures import to_svg
from convscope.run import write_atomically

TEMPLATES = Path(__file__).parent / "templates"

FONTS = "'DejaVu Sans', Verdana, sans-serif"
"""The figures' font, and one as wide for machines that lack it."""

DASH = "–"
"""Stands where a value is undefined or not there yet."""


def render(template: str, values: Mapping[str, Any]) -> str:
    """A page's text; whatever comes from outside is escaped."""
    return _environment().get_template(template).render(values)


def write_page(path: Path, text: str) -> Path:
    """Put a page in place whole.

    Raises:
        UserError: it cannot be written there.
    """
    try:
        write_atomically(path, lambda file: file.write(text.encode()))
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}): name a place that you may write to"
        ) from None
    return path


def data_uri(content: bytes, media_type: str) -> str:
    """A file's content as an address of its own (RFC 2397)."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def picture(figure: Figure) -> str:
    """A figure as the address of an image.

    As an image, and not as elements of the page, its ids cannot meet those of another figure.
    """
    svg = to_svg(figure).replace("'DejaVu Sans'", FONTS)
    return data_uri(svg.encode(), "image/svg+xml")


def share(value: float | None, digits: int = 3) -> str:
    """A score between 0 and 1."""
    return DASH if value is None else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """A whole number with its thousands apart."""
    return DASH if value is None else f"{value:,}"


def sizes(values: tuple[int, ...] | None) -> str:
    """A shape, such as 64×5333."""
    return DASH if values is None else "×".join(map(str, values))


def or_dash(value: object) -> str:
    """The value itself, if there is one."""
    return DASH if value is None or value == "" else str(value)


def cell(value: object) -> str:
    """A value in a table: three digits of a fraction, a dash where there is none."""
    return share(value) if isinstance(value, float) else or_dash(value)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "cell": cell,
        "share": share,
        "count": count,
        "sizes": sizes,
        "or_dash": or_dash,
    }
    environment.globals["style"] = Markup((TEMPLATES / "page.css").read_text())
    return environment
