"""A whole report from groups of runs: its sections in order, each of what the results bear."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from convscope.report.document import confusions, sections, summary
from convscope.report.document.blocks import Block, Document, Section
from convscope.report.document.catalogue import Catalogue
from convscope.report.document.groups import Group
from convscope.report.document.news import State
from convscope.version import __version__


@dataclass(frozen=True)
class Told:
    """What a report is of.

    Attributes:
        groups: runs on the same data together; at least one.
        date: of the report.
        before: what was there last time; None: nothing to compare with.
        left_out: names of runs on data of which none is done.
    """

    groups: tuple[Group, ...]
    date: str
    before: State | None = None
    left_out: tuple[str, ...] = ()


PARTS: tuple[tuple[str, Callable[[Catalogue, Group, int], Sequence[Block]]], ...] = (
    ("data", sections.data),
    ("net", sections.net),
    ("tables", sections.grids),
    ("pareto", sections.pareto),
    ("confusions", confusions.confusions),
    ("classes", sections.classes),
    ("clips", sections.clips),
    ("learned", sections.best_learned),
    ("brain", sections.brain),
    ("unfinished", sections.unfinished),
    ("next", sections.to_try),
)
"""The sections of a group by their names, behind its boards; one without a block is left out."""


def document(say: Catalogue, told: Told, title: str | None = None) -> Document:
    """The report of some runs; the same runs and the same date give the same document."""
    several = len(told.groups) > 1
    found = [_section(say, "week", summary.week(say, told), None)]
    for number, group in enumerate(told.groups, start=1):
        found += _sections(say, told, group, number, group.name if several else None)
    return Document(
        title=title or say.say("title"),
        byline=say.say("byline", date=told.date, version=__version__),
        sections=tuple(each for each in found if each.blocks),
        logo=say.logo,
        labels={name: say.strings[name] for name in ("continued", "contents")},
    )


def _sections(
    say: Catalogue, told: Told, group: Group, number: int, data: str | None
) -> Iterator[Section]:
    for key, part in PARTS:
        yield _section(say, key, part(say, group, number), data)
        if key == "tables":
            boards = summary.boards(say, group, told.before, number)
            yield _section(say, "boards", boards, data)


def _section(say: Catalogue, key: str, blocks: Sequence[Block], data: str | None) -> Section:
    title = say.say(f"section.{key}")
    return Section(key, say.say("group", title=title, data=data) if data else title, tuple(blocks))
