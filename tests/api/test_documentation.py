"""Every Python block of README and docs, and the notebook, run as they stand."""

import contextlib
import doctest
import io
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_BLOCKS = [path for path in PAGES if BLOCK.search(path.read_text())]


def run_in_order(blocks: list[str], where: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for i, block in enumerate(blocks):
            exec(compile(block, f"{where}, block {i + 1}", "exec"), names)
    return names


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda path: path.name)
def test_the_python_blocks_of_a_page_run_one_after_the_other(page: Path, here: Path) -> None:
    run_in_order(BLOCK.findall(page.read_text()), page.name)


def test_the_page_on_python_is_run_and_names_all_that_the_package_gives(here: Path) -> None:
    import convscope

    page = ROOT / "docs/python.md"
    assert page in WITH_BLOCKS
    text = page.read_text()
    functions = [name for name in convscope.__all__ if name.islower() and not name.startswith("_")]
    assert [name for name in functions if f"cs.{name}" not in text] == []


def test_the_notebook_runs_and_shows_itself(here: Path) -> None:
    notebook = json.loads((ROOT / "docs/tour.ipynb").read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    names = run_in_order(cells, "tour.ipynb")
    looks = names["looks"]
    html = looks["cam"]._repr_html_()
    assert "data:image/png;base64," in html
    assert "data:audio/wav;base64," in html
    assert looks["response"].figure()._repr_png_().startswith(b"\x89PNG")
    assert "test accuracy" in names["run"]._repr_html_()


MODULES = ("training", "recipes", "layers", "opened", "runs", "look")


def test_the_examples_of_the_docstrings_run(here: Path) -> None:
    for name in MODULES:
        module = import_module(f"convscope.api.{name}")
        done = doctest.testmod(module)
        assert done.attempted > 0, name
        assert done.failed == 0, name
