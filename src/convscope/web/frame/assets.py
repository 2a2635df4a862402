"""Styles, scripts and what was vendored: read once, named by what is in them, kept by browsers."""

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parents[1] / "static"

SERVED = (".css", ".js", ".svg", ".txt")


@dataclass(frozen=True)
class Assets:
    """All files below `static`.

    Attributes:
        digest: of all of them: another one is another address, so that nothing stale is shown.
        files: content by path below `static`.
    """

    digest: str
    files: dict[str, bytes]

    def url(self, path: str) -> str:
        """The address of a file; a KeyError for one that is not there."""
        self.files[path]
        return f"/static/{self.digest}/{path}"


@cache
def assets() -> Assets:
    """The package's own."""
    paths = sorted(path for path in STATIC.rglob("*") if path.suffix in SERVED)
    files = {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in paths}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    return Assets(digest.hexdigest()[:12], files)


def static(request: Request) -> Response:
    """A file by its name in a dictionary: no path is ever opened for a request."""
    content = assets().files.get(request.path_params["path"])
    if content is None:
        return Response(status_code=404)
    kind = mimetypes.guess_type(request.path_params["path"])[0] or "text/plain"
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type=kind, headers=kept)
