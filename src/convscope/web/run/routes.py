"""A run's addresses."""

from typing import Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from convscope.errors import UserError
from convscope.run import SCORES, Run
from convscope.web.frame.catalogue import Entry
from convscope.web.frame.news import news
from convscope.web.frame.pages import as_json, catalogue_of, page
from convscope.web.run.clips import Answers, Clip, answers_of
from convscope.web.run.layers import layers_of_run
from convscope.web.run.media import (
    data_of,
    found_in,
    heard,
    map_picture,
    picture,
    read_clip,
    waveform_bars,
)
from convscope.web.run.summary import (
    Confusions,
    confusions,
    curves,
    environment_facts,
    progress,
    settings_by_section,
)

router = APIRouter(prefix="/run/{key}")

KEPT = {"Cache-Control": "private, max-age=600"}
"""A clip does not change while somebody goes to and fro."""


@router.get("")
def run_page(request: Request, key: str) -> Response:
    """All that is known of a run at once; its layers follow."""
    entry = catalogue_of(request).entry(key)
    if entry.row is None:
        return page(request, "run/unreadable.html", {"entry": entry}, {"problem": entry.problem})
    run, epochs, status = entry.run, entry.run.epochs, entry.run.status
    scores = run.scores if run.is_done else {}
    values: dict[str, Any] = {
        "entry": entry,
        "row": entry.row,
        "status": status,
        "scores": scores,
        "confusions": _confusions(run, scores),
        "progress": progress(entry.row.config, epochs),
        "settings": settings_by_section(entry.row.config),
        "facts": environment_facts(run),
    }
    data = {"run": entry.row, "status": status, "scores": scores, "epochs": curves(epochs)}
    return page(request, "run/run.html", values, data)


@router.get("/epochs.json")
def epochs(request: Request, key: str) -> Response:
    """The curves: a list for each, a value an epoch."""
    return as_json(curves(catalogue_of(request).entry(key).run.epochs))


@router.get("/news")
def run_news(request: Request, key: str) -> Response:
    """An event after each epoch of a training, and at its end."""
    catalogue = catalogue_of(request)
    catalogue.entry(key)

    def stamp() -> Any:
        entry = catalogue.entries().get(key)
        return entry and list(entry.stamp)

    return news(request, stamp)


@router.get("/layers")
def layers(request: Request, key: str) -> Response:
    """The layer table, a part of the run's page."""
    entry = catalogue_of(request).entry(key)
    try:
        found, problem = layers_of_run(entry.run), None
    except UserError as error:
        found, problem = None, str(error)
    return page(
        request, "run/_layers.html", {"layers": found, "problem": problem}, found or problem
    )


@router.get("/clips")
def clips(
    request: Request,
    key: str,
    actual: str | None = None,
    predicted: str | None = None,
    clip: int | None = None,
) -> Response:
    """The clips behind a confusion, one of them laid open."""
    entry = catalogue_of(request).entry(key)
    answers = answers_of(entry)
    found = answers.behind(actual or None, predicted or None)
    at = next((i for i, each in enumerate(found) if each.index == clip), 0)
    shown = _laid_open(entry, answers, found[at]) if found else None
    values = {
        "entry": entry,
        "clips": found,
        "at": at,
        "shown": shown,
        "actual": actual or "",
        "predicted": predicted or "",
    }
    return page(request, "run/clips.html", values, {"clips": found})


@router.get("/exclusions.txt")
def exclusions(request: Request, key: str, clip: list[int] = Query([])) -> Response:  # noqa: B008
    """Some clips as a list for `data.exclude`."""
    from convscope.data.exclude import exclusion_line

    answers = answers_of(catalogue_of(request).entry(key))
    ids = sorted({answers.clip(index).id for index in clip})
    text = "".join(
        f"{line}\n" for line in (f"# suspect labels, seen in {key!r}", *map(exclusion_line, ids))
    )
    saved = {"Content-Disposition": 'attachment; filename="exclude.txt"'}
    return Response(
        text.encode("utf-8", "backslashreplace"), media_type="text/plain", headers=saved
    )


@router.get("/clip/{index}.wav")
def sound(request: Request, key: str, index: int) -> Response:
    """A clip as it is."""
    entry, clip = _clip(request, key, index)
    return _wav(entry, read_clip(entry, clip.id)[0])


@router.get("/clip/{index}.png")
def clip_picture(request: Request, key: str, index: int) -> Response:
    """A clip to see."""
    entry, clip = _clip(request, key, index)
    rate_hz = getattr(data_of(entry), "rate_hz", None)
    return _png(picture(read_clip(entry, clip.id), rate_hz))


@router.get("/clip/{index}/found")
def found(request: Request, key: str, index: int, unit: str = "") -> Response:
    """What the net found in a clip, a part of its page."""
    entry, clip = _clip(request, key, index)
    answers = answers_of(entry)
    name = unit or clip.predicted
    values: dict[str, Any] = {"entry": entry, "clip": clip, "unit": name, "problem": None}
    values |= {"bars": [], "method": "", "is_sound": _is_sound(entry)}
    try:
        content = read_clip(entry, clip.id)
        map_ = found_in(entry, content, answers.index_of(name))
        bars = waveform_bars(content[0], map_.shares) if values["is_sound"] else []
        values |= {"bars": bars, "method": map_.method}
    except UserError as error:
        values["problem"] = str(error)
    return page(request, "run/_found.html", values)


@router.get("/clip/{index}/found.png")
def found_picture(request: Request, key: str, index: int, unit: str = "") -> Response:
    """An image with what the net found laid over it."""
    entry, clip = _clip(request, key, index)
    content = read_clip(entry, clip.id)
    map_ = found_in(entry, content, answers_of(entry).index_of(unit or clip.predicted))
    return _png(map_picture(content, map_.shares))


@router.get("/clip/{index}/heard.wav")
def heard_sound(request: Request, key: str, index: int, unit: str = "") -> Response:
    """What the net heard: the clip as its map leaves it."""
    entry, clip = _clip(request, key, index)
    content = read_clip(entry, clip.id)
    map_ = found_in(entry, content, answers_of(entry).index_of(unit or clip.predicted))
    return _wav(entry, heard(entry, content, map_))


def _confusions(run: Run, scores: dict[str, Any]) -> Confusions | None:
    try:
        return confusions(scores)
    except (LookupError, TypeError, ValueError):
        raise run.damaged(SCORES) from None


def _clip(request: Request, key: str, index: int) -> tuple[Entry, Clip]:
    entry = catalogue_of(request).entry(key)
    return entry, answers_of(entry).clip(index)


def _laid_open(entry: Entry, answers: Answers, clip: Clip) -> dict[str, Any]:
    """A clip with its probabilities and its waveform; its file may be gone."""
    values: dict[str, Any] = {
        "clip": clip,
        "ranked": answers.ranked(clip.index),
        "is_sound": False,
        "bars": [],
        "problem": None,
    }
    try:
        values["is_sound"] = _is_sound(entry)
        content = read_clip(entry, clip.id)
    except UserError as error:
        return {**values, "problem": str(error)}
    if not values["is_sound"]:
        return values
    rate_hz = getattr(data_of(entry), "rate_hz", 1)
    return {
        **values,
        "bars": waveform_bars(content[0]),
        "seconds": content.shape[-1] / rate_hz,
        "nyquist_khz": rate_hz / 2000,
    }


def _is_sound(entry: Entry) -> bool:
    from convscope.data.config import SoundConfig

    return isinstance(data_of(entry), SoundConfig)


def _wav(entry: Entry, samples: Any) -> Response:
    from convscope.report.clips import wav

    if not _is_sound(entry):
        raise UserError("This clip is an image: there is nothing to hear.")
    content = wav(samples, getattr(data_of(entry), "rate_hz", 1))
    return Response(content, media_type="audio/wav", headers=KEPT)


def _png(content: bytes) -> Response:
    return Response(content, media_type="image/png", headers=KEPT)
