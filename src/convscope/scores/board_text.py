"""A view of the board in each format."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from convscope.scores.plain_table import PlainTable, View


def terminal_table(plain: PlainTable) -> Table:
    """A table for the terminal, without its title."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.caption, table.caption_justify = plain.note or None, "left"
    for column in plain.columns:
        heading = column.heading
        if column.folds:
            table.add_column(heading, overflow="fold", min_width=11)
        elif column.right:
            table.add_column(heading, justify="right", no_wrap=True)
        else:
            table.add_column(heading, no_wrap=True, overflow="ignore")
    for row in plain.rows:
        table.add_row(*row)
    return table


def as_csv(view: View) -> str:
    """A line for each record; an interval is two columns, what is not there an empty field."""
    names = [each for name in view.fields for each in _flat_names(name)]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for record in view.records:
        ends = record.get("interval") or (None, None)
        values = {**record, "interval_low": ends[0], "interval_high": ends[1]}
        writer.writerow({name: values.get(name) for name in names})
    return text.getvalue()


def as_json(view: View) -> str:
    """The records on one line, beside the summary where there is one."""
    records = list(view.records)
    value: Any = records if view.summary is None else {"rows": records, "summary": view.summary}
    return json.dumps(value, allow_nan=False) + "\n"


def as_markdown(view: View) -> str:
    """The tables for a README or a wiki."""
    return "\n".join(map(_markdown_table, view.tables))


def as_latex(view: View) -> str:
    r"""The tables for a paper; they need `\usepackage{booktabs}`."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(map(_latex_table, view.tables))


TEXTS: dict[str, Callable[[View], str]] = {
    "csv": as_csv,
    "md": as_markdown,
    "latex": as_latex,
    "json": as_json,
}
"""The formats that are plain text."""


def _flat_names(name: str) -> tuple[str, ...]:
    return ("interval_low", "interval_high") if name == "interval" else (name,)


def _markdown_table(table: PlainTable) -> str:
    def line(cells: list[str]) -> str:
        return f"| {' | '.join(cells)} |"

    rules = ["---:" if column.right else "---" for column in table.columns]
    lines = [line([_in_markdown(column.heading) for column in table.columns]), line(rules)]
    lines += [line([_in_markdown(cell) for cell in row]) for row in table.rows]
    before = [f"**{_in_markdown(table.title)}**", ""] if table.title else []
    after = ["", _in_markdown(table.note)] if table.note else []
    return "\n".join([*before, *lines, *after]) + "\n"


def _latex_table(table: PlainTable) -> str:
    def line(cells: list[str]) -> str:
        return f"{' & '.join(cells)} \\\\"

    about = ". ".join(text for text in (table.title, table.note) if text)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            *([rf"\caption{{{in_latex(about)}}}"] if about else []),
            rf"\begin{{tabular}}{{{''.join('r' if c.right else 'l' for c in table.columns)}}}",
            r"\toprule",
            line([in_latex(column.heading) for column in table.columns]),
            r"\midrule",
            *(line([in_latex(cell) for cell in row]) for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _in_markdown(text: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", text.replace("\n", " "))


_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "–": "--",
    "−": "$-$",
    "·": r"$\cdot$",
    "…": r"\dots{}",
    "’": "'",
    "\n": " ",
}


def in_latex(text: str) -> str:
    """Text as LaTeX sets it; a character that pdflatex's usual fonts lack by its number."""
    # a bracket after \\ or at a row's start would be read as a length
    return "".join(map(_sign_in_latex, text)).replace("[", "{[}")


def _sign_in_latex(sign: str) -> str:
    if sign in _LATEX:
        return _LATEX[sign]
    return sign if ord(sign) < 0x7F or 0xBF <= ord(sign) < 0x100 else f"(U+{ord(sign):04X})"
