"""Whatever a name holds, a terminal shows it and does not obey it."""

import io

import pytest
from rich.progress import Progress
from rich.table import Table

from convscope.names import visible
from convscope.terminal import PlainConsole, WhatIsDone

NAMES = ["[laughter]", "[/]", "odd[/x].wav", "[bold red]", "a\\[b]", ":dog:", "[link=http://x]y"]
CONTROLS = [("\x1b[31mred", "\\x1b[31mred"), ("a\rb", "a\\rb"), ("\x9b2J", "\\x9b2J")]
CONTROLS += [
    ("a\u202egnp", "a\\u202egnp"),
    ("caf\udce9", "caf\\udce9"),
    ("\a\b\0", "\\x07\\x08\\x00"),
]


def shown(table: Table) -> str:
    text = io.StringIO()
    PlainConsole(width=80, file=text, force_terminal=True, color_system=None).print(table)
    return text.getvalue()


@pytest.mark.parametrize(("name", "seen"), [*((name, name) for name in NAMES), *CONTROLS])
def test_any_part_of_a_table_shows_a_name_as_it_is_spelled(name: str, seen: str) -> None:
    table = Table(title=name, caption=name, show_footer=True)
    table.add_column(name, name)
    table.add_row(name)
    text = shown(table)
    assert text.count(seen) == 5
    assert "".join(text.split()).isprintable()


@pytest.mark.parametrize(("name", "seen"), [*((name, name) for name in NAMES), *CONTROLS])
def test_a_bar_shows_a_name_as_it_is_spelled(name: str, seen: str) -> None:
    text = io.StringIO()
    with Progress(WhatIsDone(), console=PlainConsole(file=text, width=80)) as bar:
        bar.add_task(name)
    assert seen in text.getvalue()


def test_a_cell_may_have_several_lines() -> None:
    table = Table.grid()
    table.add_row("one\ntwo")
    assert [line.strip() for line in shown(table).splitlines()] == ["one", "two"]


def test_what_can_be_read_is_left_as_it_is() -> None:
    assert visible("Ärger, 日本 [x] it's €5") == "Ärger, 日本 [x] it's €5"
    assert visible("a\nb\tc") == "a\\nb\\tc"
