"""The application: its pages, and what it answers where there is none."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from convscope.errors import UserError
from convscope.web.board.routes import router as board
from convscope.web.frame.assets import static
from convscope.web.frame.catalogue import Catalogue, Gone
from convscope.web.frame.pages import as_json, page
from convscope.web.frame.security import Access, Guard
from convscope.web.run.routes import router as run
from convscope.web.sweep.routes import router as sweep


@dataclass(frozen=True)
class Section:
    """A page of the explorer, or several that belong together.

    Attributes:
        title: in the navigation; none: it is reached from other pages alone.
        path: where the navigation leads.
        router: answers its addresses.
    """

    title: str
    path: str
    router: APIRouter


PAGES: tuple[Section, ...] = (
    Section("Board", "/", board),
    Section("", "/run", run),
    Section("Sweeps", "/sweeps", sweep),
)
"""All pages, as the navigation has them."""

HEADINGS = {
    404: "Not here",
    409: "Not now",
    422: "That cannot be shown",
    500: "Something broke",
}


def make_app(folders: Sequence[Path], access: Access) -> Guard:
    """The explorer of some folders, guarded.

    Args:
        folders: each a run, or a folder that holds runs.
        access: who may ask for what.
    """
    app = FastAPI(openapi_url=None, lifespan=_ends)
    app.state.catalogue = Catalogue(folders)
    app.state.nav = [(each.title, each.path) for each in PAGES if each.title]
    app.state.ending = asyncio.Event()
    app.router.routes.append(Route("/static/{digest}/{path:path}", static, methods=["GET", "HEAD"]))
    for each in PAGES:
        app.include_router(each.router)
    app.add_exception_handler(UserError, _mistake)
    app.add_exception_handler(Gone, _gone)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _broken)
    return Guard(app, access)


@asynccontextmanager
async def _ends(app: FastAPI) -> AsyncIterator[None]:
    """Read the runs while the first page is still being asked for."""
    Thread(target=app.state.catalogue.entries, daemon=True).start()
    yield


def _mistake(request: Request, error: Exception) -> Response:
    """What the user can mend."""
    return _say(request, 422, str(error))


def _gone(request: Request, error: Exception) -> Response:
    return _say(request, 404, str(error))


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    says = {
        404: f"There is no page at {request.url.path}.",
        405: "This page cannot be asked for in that way.",
    }
    return _say(request, error.status_code, says.get(error.status_code, str(error.detail)))


def _broken(request: Request, error: Exception) -> Response:
    """Our own mistake, or a folder deleted while it was read; the server goes on."""
    if isinstance(error, FileNotFoundError):
        return _say(request, 404, "Files were deleted while this page was being made.")
    what = f"{type(error).__name__}, and the terminal of convscope serve says where"
    return _say(request, 500, f"The explorer made a mistake ({what}).")


def _say(request: Request, status: int, text: str) -> Response:
    """A plain sentence, with a way back."""
    if request.query_params.get("format") == "json":
        return as_json({"error": text}, status)
    heading = HEADINGS.get(status, "That cannot be done")
    return page(request, "error.html", {"heading": heading, "text": text}, status=status)
