"""From values to a page: as HTML for people, the same as JSON for machines."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from convscope.names import visible
from convscope.web.frame.assets import assets
from convscope.web.frame.formats import FORMATS

if TYPE_CHECKING:
    from convscope.web.frame.catalogue import Catalogue

TEMPLATES = Path(__file__).parents[1] / "templates"

HTMX = {
    "includeIndicatorStyles": False,
    "allowEval": False,
    "allowScriptTags": False,
    "selfRequestsOnly": True,
    "scrollIntoViewOnBoost": False,
    "historyCacheSize": 0,
    "refreshOnHistoryMiss": True,
}
"""What htmx may do under the Content-Security-Policy: back asks anew."""


def page(
    request: Request,
    template: str,
    values: Mapping[str, Any],
    data: Any = None,
    status: int = 200,
) -> Response:
    """A page as it was asked for.

    Args:
        request: `?format=json` asks for the data.
        template: that extends `base.html`, or is a part of a page.
        values: for the template; all text in them is escaped there.
        data: what the page shows as plain data or records; none: it has no JSON.
        status: of HTTP.
    """
    if request.query_params.get("format") == "json" and data is not None:
        return as_json(data, status)
    return HTMLResponse(render(request, template, values), status, {"Cache-Control": "no-cache"})


def render(request: Request, template: str, values: Mapping[str, Any]) -> str:
    """The text of a template."""
    state = request.app.state
    common = {
        "nav": state.nav,
        "here": request.url.path,
        "may_change": getattr(request.state, "may_change", False),
    }
    return environment().get_template(template).render({**common, **values})


def as_json(data: Any, status: int = 200) -> Response:
    """Plain data or records as JSON."""
    text = json.dumps(data, default=_plain, allow_nan=False)
    return Response(text, status, {"Cache-Control": "no-cache"}, "application/json")


def catalogue_of(request: Request) -> "Catalogue":
    """The runs of the explorer that answers."""
    return cast("Catalogue", request.app.state.catalogue)


@cache
def environment() -> Environment:
    """The templates, with all that they may call."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.filters |= FORMATS
    made.globals |= {"asset": assets().url, "htmx_config": json.dumps(HTMX)}
    return made


def _visible(value: Any) -> Any:
    """Text with control characters seen; what a template itself says stays."""
    return visible(value) if type(value) is str and not value.isprintable() else value


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)
