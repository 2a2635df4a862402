"""Pages learn of changes by themselves: server-sent events.

One event says that something is new, and the page asks for the part that shows it: so an event
holds nothing that needs to be kept in step with a template.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

SECONDS_BETWEEN = 2.0

SECONDS_SILENT = 15.0
"""After so long without news a comment is sent: who has gone is noticed by that."""


def news(request: Request, state: Callable[[], Any]) -> StreamingResponse:
    """An endless answer: an event `changed` whenever `state()` is another, with it as JSON.

    Args:
        request: ends the answer when the browser has gone or the explorer ends.
        state: looks at the folders, in a thread; plain data.
    """
    return StreamingResponse(
        _events(request, state),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(request: Request, state: Callable[[], Any]) -> AsyncIterator[str]:
    ending: asyncio.Event = request.app.state.ending
    known = await run_in_threadpool(state)
    yield f"retry: 3000\n\n{event('state', known)}"
    silent = 0.0
    while not ending.is_set() and not await request.is_disconnected():
        await _wait(ending)
        silent += SECONDS_BETWEEN
        now = await run_in_threadpool(state)
        if now != known:
            known, silent = now, 0.0
            yield event("changed", now)
        elif silent >= SECONDS_SILENT:
            silent = 0.0
            yield ": nothing new\n\n"


def event(name: str, data: Any) -> str:
    """An event as it goes over the line."""
    return f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n"


async def _wait(ending: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(ending.wait(), SECONDS_BETWEEN)
    except TimeoutError:
        return
