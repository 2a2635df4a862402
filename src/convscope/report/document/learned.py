"""What the best net learned: from the results that `convscope look` left in its folder."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from convscope.names import visible
from convscope.report.document.blocks import Block, Command, Picture, Sentence, Sound
from convscope.report.document.catalogue import Catalogue
from convscope.run import Run, within

FOLDER = "look"
LARGEST_PICTURE = 600_000
MOST_PICTURES = 2
"""Of each part."""

SHOWN = ("response", "filters", "top", "cam", "dead", "maximise")
"""Parts whose pictures a report shows, in this order."""

MOST_SOUNDS = 4


def learned(say: Catalogue, run: Run, number: int) -> list[Block]:
    """Sentences, pictures and sounds of a look inside; the command that makes one where none is."""
    parts = _parts(run)
    if not parts:
        command = f"convscope look {run.folder}"
        return [Command(say.say("next.look"), command)]
    files = [name for part in SHOWN for name in parts.get(part, ())]
    blocks: list[Block] = list(_filter_sentences(say, run, files))
    blocks += _dead_sentences(say, run, files)
    for part in SHOWN:
        blocks += _pictures(say, run, part, parts.get(part, ()), number)
    return [*blocks, *_sounds(say, run, parts.get("top", ()), number)]


def _parts(run: Run) -> dict[str, tuple[str, ...]]:
    """The files of each part that was made; none where the index is not there or damaged."""
    try:
        index = json.loads(_path(run, "look.json").read_text())
        return {each["part"]: tuple(map(str, each["files"])) for each in index["parts"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _filter_sentences(say: Catalogue, run: Run, files: list[str]) -> Iterator[Sentence]:
    for name in files:
        if not (name.startswith("response_") and name.endswith("_filters.json")):
            continue
        values = [row.get("centre_hz") for row in _rows(run, name)]
        centres = [each for each in values if isinstance(each, int | float)]
        if centres:
            yield Sentence(
                say.say(
                    "sentence.filters",
                    layer=name.removeprefix("response_").removesuffix("_filters.json"),
                    n=len(centres),
                    low=f"{min(centres):.0f}",
                    high=f"{max(centres):.0f}",
                    median=f"{median(centres):.0f}",
                )
            )
            return


def _dead_sentences(say: Catalogue, run: Run, files: list[str]) -> list[Sentence]:
    rows = _rows(run, "dead_layers.json") if "dead_layers.json" in files else []
    n_units = sum(int(row.get("units", 0)) for row in rows)
    n_dead = sum(int(row.get("dead", 0)) for row in rows)
    if not n_units:
        return []
    name = "sentence.dead" if n_dead else "sentence.none_dead"
    return [Sentence(say.say(name, n_dead=n_dead, n_units=n_units))]


def _pictures(
    say: Catalogue, run: Run, part: str, files: tuple[str, ...], number: int
) -> list[Picture]:
    found: list[Picture] = []
    for name in (each for each in files if each.endswith(".png")):
        path = _path(run, name)
        if len(found) < MOST_PICTURES and path.is_file():
            content = path.read_bytes()
            if len(content) <= LARGEST_PICTURE:
                shown = {"part": part, "name": visible(name.removesuffix(".png"))}
                found.append(
                    Picture(
                        name=f"look_{number}_{part}_{len(found) + 1}",
                        caption=say.say("caption.looked", net=run.name, **shown),
                        alt=say.say("alt.looked", **shown),
                        content=content,
                    )
                )
    return found


def _sounds(say: Catalogue, run: Run, files: tuple[str, ...], number: int) -> list[Sound]:
    names = [name for name in files if name.endswith(".wav") and _path(run, name).is_file()]
    return [
        Sound(
            f"look_{number}_sound_{k}",
            say.say("caption.sound", name=visible(name.removesuffix(".wav"))),
            _path(run, name).read_bytes(),
        )
        for k, name in enumerate(names[:MOST_SOUNDS], start=1)
    ]


def _rows(run: Run, name: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(_path(run, name).read_text())
    except (OSError, ValueError):
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _path(run: Run, name: str) -> Path:
    """A file of the look, which lies in its folder."""
    return within(run.folder, f"{FOLDER}/{Path(name).name}")
