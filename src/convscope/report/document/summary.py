"""The sections that look at all runs at once: the week, and the boards with their records."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convscope.errors import first_few
from convscope.report.document import tables
from convscope.report.document.blocks import Block, Sentence, Table
from convscope.report.document.catalogue import Catalogue
from convscope.report.document.groups import Group
from convscope.report.document.news import GroupState, Record, State
from convscope.report.document.next_steps import next_steps
from convscope.report.document.sentences import (
    accuracy_text,
    best_sentence,
    count_text,
    lead_sentence,
    record_sentence,
    smallest_as_good,
    smallest_sentence,
)

if TYPE_CHECKING:
    from convscope.report.document.build import Told

MOST_NEXT = 3


def week(say: Catalogue, told: "Told") -> list[Block]:
    """What was run, what came of it, what is new, and the first of what to try next."""
    found: list[str] = []
    if len(told.groups) > 1:
        names = ", ".join(group.name for group in told.groups)
        found.append(say.say("sentence.several_data", n=len(told.groups), names=names))
    for group in told.groups:
        found += _of_group(say, group)
        found += [] if told.before is None else _news(say, group, told.before)
    if told.left_out:
        names = first_few(told.left_out)
        found.append(say.say("sentence.no_result", n=len(told.left_out), names=names))
    steps = [step for group in told.groups for step in next_steps(say, group)[:MOST_NEXT]]
    return [*map(Sentence, found), *steps[:MOST_NEXT]]


def boards(say: Catalogue, group: Group, before: State | None, number: int) -> list[Block]:
    """The board, and the records of the two boards, of accuracy and of size, then and now."""
    state = None if before is None else before.of(group)
    known = frozenset(state.done if state else ())
    blocks: list[Block] = [Sentence(lead_sentence(say, group.nets))]
    if len(group.nets) > 1:
        blocks.append(Sentence(smallest_sentence(say, group.nets)))
    blocks.append(tables.size_board(say, group, known, number))
    if state is not None:
        blocks.append(_records(say, group, state, number))
        blocks += [Sentence(text) for text in _record(say, group, state)]
    return blocks


def _of_group(say: Catalogue, group: Group) -> Iterator[str]:
    n_done = len(group.done)
    yield say.say(
        "sentence.runs",
        data=group.name,
        n_runs=len(group.rows),
        n_nets=len(group.nets),
        n_done=n_done,
        n_left=len(group.rows) - n_done,
    )
    yield best_sentence(say, group.nets[0], group.nets)
    yield lead_sentence(say, group.nets)
    if len(group.nets) > 1:
        yield say.say("sentence.chosen", n=len(group.nets))
    n_chance = sum(row.chance for row in group.done)
    if n_chance:
        yield say.say("sentence.chance", n=n_chance, n_done=n_done)


def _news(say: Catalogue, group: Group, before: State) -> Iterator[str]:
    state = before.of(group)
    if state is None:
        yield say.say("sentence.new_data", date=before.date)
        return
    added = {row.run for row in group.done} - set(state.done)
    name = "sentence.added" if added else "sentence.nothing_new"
    yield say.say(name, n=len(added), date=before.date)
    failed = {row.run for row in group.rows if row.state == "failed"} - set(state.failed)
    if failed:
        names = first_few(sorted(failed))
        yield say.say("sentence.failed_since", n=len(failed), date=before.date, names=names)
    yield from _record(say, group, state)


def _record(say: Catalogue, group: Group, state: GroupState) -> Iterator[str]:
    best, past = group.nets[0], state.accuracy
    assert best.accuracy is not None
    assert best.interval is not None
    yield record_sentence(say, best.accuracy, best.interval, past.accuracy, past.interval)


def _records(say: Catalogue, group: Group, state: GroupState, number: int) -> Table:
    now = {"accuracy": group.nets[0], "size": smallest_as_good(group.nets)}
    then = {"accuracy": state.accuracy, "size": state.size}
    return tables.record_table(
        say,
        [
            (say.say(f"board.{key}"), _told(then[key]), tables.record_text(now[key], group.nets))
            for key in now
        ],
        number,
    )


def _told(record: Record) -> str:
    return f"{accuracy_text(record.accuracy)}, {count_text(record.params)}: {record.net}"
