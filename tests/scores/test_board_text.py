"""The formats of a board, read back by readers of their own."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from convscope.scores.board import board_rows
from convscope.scores.board_table import board_view
from convscope.scores.board_text import TEXTS, terminal_table
from convscope.scores.plain_table import Column, PlainTable, View
from convscope.terminal import PlainConsole

AWKWARD = PlainTable(
    columns=(Column("a_b", folds=True), Column("95 %", right=True)),
    rows=((r"x|y & z_1 #2 {$} \ ~ ^ [1pt] *b* <i>", "0.9 ± 0.1 – 3×5"), ("", "1")),
    title="50 % & more",
    note="* the best_one",
)
VIEW = View((AWKWARD,), ({"a_b": 0.1 + 0.2, "interval": [0.25, 1 / 3]},), ("a_b", "interval"))


def test_csv_keeps_every_digit_and_splits_intervals() -> None:
    [row] = csv.DictReader(io.StringIO(TEXTS["csv"](VIEW)))
    assert row == {"a_b": repr(0.1 + 0.2), "interval_low": "0.25", "interval_high": repr(1 / 3)}


def test_csv_leaves_empty_what_is_not_there() -> None:
    view = View((), ({"a": None, "interval": None},), ("a", "interval"))
    assert TEXTS["csv"](view) == "a,interval_low,interval_high\n,,\n"
    assert TEXTS["csv"](View((), (), ("a",))) == "a\n"


def test_json_is_the_records_beside_a_summary_if_there_is_one() -> None:
    assert json.loads(TEXTS["json"](VIEW)) == list(VIEW.records)
    summed = View((), VIEW.records, VIEW.fields, {"n": 1})
    assert json.loads(TEXTS["json"](summed)) == {"rows": list(VIEW.records), "summary": {"n": 1}}


def test_markdown_has_as_many_cells_in_every_line() -> None:
    lines = TEXTS["md"](VIEW).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    for line in table:
        assert len(re.split(r"(?<!\\)\|", line)) == 4  # before, two cells, behind
    assert table[1] == "| --- | ---: |"
    assert r"x\|y" in table[2]
    assert r"\*b\*" in table[2]


def test_latex_is_balanced_and_escaped() -> None:
    text = TEXTS["latex"](VIEW)
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 1
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(f"\\{rule}") == 1
    bare = re.sub(r"\\[\\&%$#_{}]", "", text.split("\n", 1)[1])  # without what is escaped
    assert bare.count("{") == bare.count("}")
    assert not re.search("[%#_~^×±–]", bare.replace(r"\textasciicircum", ""))
    assert bare.count("$") % 2 == 0
    rows = re.findall(r"^(.*)\\\\$", text, re.MULTILINE)
    assert [len(re.split(r"(?<!\\)&", row)) for row in rows] == [2, 2, 2]
    assert r"\caption{50 \% \& more. * the best\_one}" in text
    assert r"\begin{tabular}{lr}" in text


def test_the_terminal_shows_brackets_as_they_are() -> None:
    console = PlainConsole(width=100, record=True, file=io.StringIO())
    console.print(terminal_table(AWKWARD))
    assert "[1pt] *b* <i>" in console.export_text()


@pytest.mark.parametrize("form", list(TEXTS))
def test_every_format_takes_a_board(form: str, make_run: Callable[..., Any]) -> None:
    rows = board_rows([make_run(0.9), make_run(None, model__dropout=0.25)])
    assert rows[0].run in TEXTS[form](board_view(rows))
    assert TEXTS[form](board_view([]))
