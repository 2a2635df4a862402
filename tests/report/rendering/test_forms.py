"""One document in all its forms: what it says is the same, and text stays text."""

import csv
import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.report.document.blocks import Document, Picture, Table
from convscope.report.document.build import document
from convscope.report.document.catalogue import catalogue
from convscope.report.making import told_of
from convscope.report.rendering.latex import as_latex
from convscope.report.rendering.numbers import as_csv
from convscope.report.rendering.page import as_html
from convscope.report.rendering.slides import as_slides
from convscope.run import Run

HOSTILE = (
    "<script>alert(1)</script>",
    r"\input{/etc/passwd} $x^2$ 50% & #1_~",
    "{title} {{7*7}} 二 \x1b[31m",
)


@pytest.fixture
def made(report_run: Callable[..., Run]) -> Document:
    runs = [report_run(30, classes=HOSTILE), report_run(12, classes=HOSTILE, conv_layers=4)]
    return document(catalogue(), told_of(runs, (), "2026-11-27", None))


def test_the_same_document_gives_the_same_bytes(report_run: Callable[..., Run]) -> None:
    runs = [report_run(30), report_run(12, conv_layers=4)]

    def forms() -> list[object]:
        made = document(catalogue(), told_of(runs, (), "2026-11-27", None))
        return [as_html(made), as_slides(made), as_latex(made), as_csv(made)]

    assert forms() == forms()


def test_hostile_names_are_text_on_the_page(
    made: Document, tmp_path: Path, outline: Callable[[Path], object]
) -> None:
    page = as_html(made).decode()
    (tmp_path / "page.html").write_text(page)
    found = outline(tmp_path / "page.html")
    assert "<script>alert(1)</script>" in found.text  # type: ignore[attr-defined]
    assert "{title} {{7*7}} 二 \\x1b[31m" in found.text  # type: ignore[attr-defined]
    assert "<script" not in page


def test_hostile_names_are_text_on_the_slides(made: Document) -> None:
    from pptx import Presentation

    deck = Presentation(io.BytesIO(as_slides(made)))
    tables = [shape.table for slide in deck.slides for shape in slide.shapes if shape.has_table]
    texts = {cell.text for table in tables for cell in table.iter_cells()}
    assert {"<script>alert(1)</script>", HOSTILE[1]} <= texts


def test_every_slide_has_notes_and_every_picture_words(made: Document) -> None:
    from pptx import Presentation

    deck = Presentation(io.BytesIO(as_slides(made)))
    width, height = deck.slide_width, deck.slide_height
    assert width
    assert height
    assert width * 9 == height * 16
    for slide in deck.slides:
        assert slide.notes_slide.notes_text_frame.text
        for shape in slide.shapes:
            if shape.shape_type == 13 or shape.has_table:  # 13: a picture
                assert shape._element.xpath(".//p:cNvPr")[0].get("descr")
            assert 0 <= shape.left <= shape.left + shape.width <= width
            assert 0 <= shape.top <= shape.top + shape.height <= height


def test_the_numbers_are_those_of_the_tables_and_figures(made: Document) -> None:
    files = as_csv(made)
    names = {each.name for each in made.blocks(Table)}
    names |= {each.name for each in made.blocks(Picture) if each.numbers is not None}
    assert set(files) == {f"{name}.csv" for name in names}
    rows = list(csv.DictReader(io.StringIO(files["pareto_1.csv"].decode())))
    assert sorted(float(row["accuracy"]) for row in rows) == [150 / 180, 168 / 180]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (texlive)")
def test_latex_compiles_with_hostile_names(made: Document, tmp_path: Path) -> None:
    for name, content in as_latex(made).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    if shutil.which("pdftotext"):
        subprocess.run(["pdftotext", "report.pdf"], cwd=tmp_path, check=True)
        text = (tmp_path / "report.txt").read_text()
        assert "alert(1)" in text
        assert "passwd" in text
        assert "U+4E8C" in text
        assert "root:" not in text


@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice (soffice)")
def test_libreoffice_shows_every_slide(made: Document, tmp_path: Path) -> None:
    content = as_slides(made)
    (tmp_path / "report.pptx").write_bytes(content)
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "report.pptx"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        n_slides = sum(name.startswith("ppt/slides/slide") for name in packed.namelist())
    assert (tmp_path / "report.pdf").read_bytes().count(b"/Type/Page/") == n_slides
