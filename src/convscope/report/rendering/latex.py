"""A report as LaTeX: one file that compiles, its tables by booktabs, its figures as PDF."""

import io
import re

from matplotlib.figure import Figure

from convscope.figures import style
from convscope.report.document.blocks import (
    Block,
    Command,
    Document,
    Picture,
    Sentence,
    Sound,
    Table,
)
from convscope.scores.board_text import in_latex

FILE = "report.tex"

HEAD = r"""\documentclass[a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\usepackage[margin=20mm]{geometry}
\usepackage{booktabs}
\usepackage{longtable}
\usepackage{graphicx}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
\sloppy
"""


def as_latex(document: Document) -> dict[str, bytes]:
    """`report.tex` and its figures, by their paths; `pdflatex report.tex`, twice, makes the PDF."""
    body = [HEAD, rf"\title{{{in_latex(document.title)}}}", r"\author{}"]
    body += [rf"\date{{{in_latex(document.byline)}}}", r"\begin{document}", r"\maketitle"]
    for section in document.sections:
        body.append(rf"\section*{{{in_latex(section.title)}}}")
        body += map(_block, section.blocks)
    body.append(r"\end{document}")
    files = {FILE: ("\n".join(filter(None, body)) + "\n").encode()}
    for picture in document.blocks(Picture):
        files[_figure_path(picture)] = _figure_file(picture)
    return files


def _block(block: Block) -> str:
    if isinstance(block, Sentence):
        return in_latex(block.text) + "\n"
    if isinstance(block, Command):
        return rf"{in_latex(block.why)}\\ {{\small\ttfamily {_breakable(block.command)}}}" + "\n"
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Picture):
        return _picture(block)
    assert isinstance(block, Sound)
    return ""  # a page has no sound


def _table(table: Table) -> str:
    """A table that may run over pages, set smaller the more columns it has."""
    n_left = min(table.left, len(table.headings))
    form = "l" * n_left + "r" * (len(table.headings) - n_left)
    size = r"\footnotesize" if len(table.headings) > 4 or table.left > 2 else r"\small"
    note = [rf"{{\footnotesize {in_latex(table.note)}}}", ""] if table.note else []
    return "\n".join(
        [
            rf"{{{size}\setlength{{\tabcolsep}}{{4pt}}\textbf{{{in_latex(table.caption)}}}\nopagebreak",
            rf"\begin{{longtable}}[l]{{@{{}}{_narrowed(table, form)}@{{}}}}",
            r"\toprule",
            _row([in_latex(heading) for heading in table.headings]),
            r"\midrule",
            r"\endhead",
            *(
                _row([_bold(cell.text) if cell.is_best else in_latex(cell.text) for cell in row])
                for row in table.rows
            ),
            r"\bottomrule",
            r"\end{longtable}}",
            *note,
            "",
        ]
    )


def _narrowed(table: Table, form: str) -> str:
    """Columns of long words are folded, so that the table fits the page."""
    longest = [max((len(row[k].text) for row in table.rows), default=0) for k in range(len(form))]
    if sum(longest) < 100:
        return form
    return "".join(
        rf"p{{{max(0.06, 0.8 * n / sum(longest)):.2f}\linewidth}}" if n > 14 else kind
        for kind, n in zip(form, longest, strict=True)
    )


def _row(cells: list[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _bold(text: str) -> str:
    return rf"\textbf{{{in_latex(text)}}}"


def _picture(picture: Picture) -> str:
    return "\n".join(
        [
            r"\begin{center}",
            rf"\includegraphics[width=\linewidth,height=0.7\textheight,keepaspectratio]"
            rf"{{{_figure_path(picture)}}}\\",
            rf"{{\small {in_latex(picture.caption)}}}",
            r"\end{center}",
            "",
        ]
    )


def _breakable(command: str) -> str:
    """A command that may be broken behind a slash or before an equals sign, and nowhere else."""
    return re.sub(r"([/=])", r"\1\\allowbreak{}", in_latex(command).replace("--", "-{}-"))


def _figure_path(picture: Picture) -> str:
    if isinstance(picture.content, Figure):
        return f"figures/{picture.name}.pdf"
    is_png = picture.content.startswith(b"\x89PNG")
    return f"figures/{picture.name}.{'png' if is_png else 'jpg'}"


def _figure_file(picture: Picture) -> bytes:
    return _pdf(picture.content) if isinstance(picture.content, Figure) else picture.content


@style()
def _pdf(figure: Figure) -> bytes:
    """The same figure gives the same bytes."""
    file = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))
    figure.savefig(file, format="pdf", metadata=nothing)
    return file.getvalue()
