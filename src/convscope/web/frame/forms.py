"""What a form sends."""

from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

MOST_BYTES = 2**20
"""A page that takes files has a limit of its own."""


async def form_of(request: Request) -> dict[str, list[str]]:
    """The fields of a form, each with its values.

    Raises:
        HTTPException: 413 for one that is too large, 422 for one that is no text.
    """
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise HTTPException(413, "The form is too large.")
    try:
        return parse_qs(content.decode(), max_num_fields=10_000)
    except ValueError:
        raise HTTPException(422, "The form cannot be read.") from None
