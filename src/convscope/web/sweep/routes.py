"""The sweeps' addresses."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from convscope.web.frame.formats import path_part
from convscope.web.frame.forms import form_of
from convscope.web.frame.news import news
from convscope.web.frame.pages import catalogue_of, page
from convscope.web.sweep.cells import Standings, sweep_of, sweeps_in

router = APIRouter()

_STANDINGS = Standings()


@router.get("/sweeps")
def sweeps(request: Request) -> Response:
    """All sweeps."""
    found = sweeps_in(catalogue_of(request).folders)
    standings = [_STANDINGS.of(key, sweep) for key, sweep in found.items()]
    return page(request, "sweep/sweeps.html", {"sweeps": standings}, standings)


@router.get("/sweep/{key}")
def sweep(request: Request, key: str, state: str = "") -> Response:
    """The cells of a sweep."""
    catalogue = catalogue_of(request)
    found = _STANDINGS.of(key, sweep_of(catalogue.folders, key))
    cells = [cell for cell in found.cells if state in ("", cell.state)]
    values = {"sweep": found, "cells": cells, "state": state, "runs": catalogue.entries().keys()}
    return page(request, "sweep/sweep.html", values, found)


@router.get("/sweep/{key}/news")
def sweep_news(request: Request, key: str) -> Response:
    """An event whenever a cell of the sweep stands otherwise."""
    folders = catalogue_of(request).folders
    sweep_of(folders, key)

    def state() -> Any:
        found = sweeps_in(folders).get(key)
        if found is None:
            return None
        now = _STANDINGS.of(key, found)
        return [[cell.name, cell.state, cell.epochs] for cell in now.cells] + [now.driver]

    return news(request, state)


@router.post("/sweep/{key}/retry")
async def retry(request: Request, key: str) -> Response:
    """As `convscope sweeps retry`: the cells named, or all that failed or were cancelled."""
    from convscope.sweeps.driving import overview

    return await _change(request, key, lambda sweep, names: overview.retry(sweep, names))


@router.post("/sweep/{key}/cancel")
async def cancel(request: Request, key: str) -> Response:
    """As `convscope sweeps cancel`: the cells named, or the sweep, which then stops."""
    from convscope.sweeps.driving import overview

    def leave_out(sweep: Any, names: Sequence[str]) -> object:
        return overview.cancel(sweep, names) if names else sweep.stop()

    return await _change(request, key, leave_out)


async def _change(
    request: Request, key: str, change: Callable[[Any, Sequence[str]], object]
) -> Response:
    names = (await form_of(request)).get("cell", [])
    sweep = sweep_of(catalogue_of(request).folders, key)
    await run_in_threadpool(change, sweep, names)
    _STANDINGS.forget()
    return RedirectResponse(f"/sweep/{path_part(key)}", 303)
