"""convscope report, as it is typed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.run import Run
from convscope.sweeps.driving.folder import SweepFolder
from convscope.sweeps.planning.grid import read_sweep


def report(convscope: Callable[..., Any], *arguments: object) -> Any:
    return convscope("report", *arguments, "--date", "2026-11-27")


def test_a_run_becomes_a_page_and_all_other_forms(
    convscope: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    forms = (
        "--slides",
        tmp_path / "s.pptx",
        "--latex",
        tmp_path / "tex",
        "--csv",
        tmp_path / "csv",
    )
    answer = report(convscope, trained, "--out", tmp_path / "page.html", *forms)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1] == str(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "The best is custom" in page
    assert "data:audio/wav" in page or "No clip was given a wrong class." in page
    assert (tmp_path / "tex" / "report.tex").is_file()
    assert (tmp_path / "csv" / "classes_1.csv").is_file()
    assert json.loads((tmp_path / "page.json").read_text())["date"] == "2026-11-27"


def test_the_next_report_compares_with_the_last(
    convscope: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    report(convscope, trained, "--out", tmp_path / "one.html")
    last = ("--compare", tmp_path / "one.json", "--json")
    answer = report(convscope, trained, "--out", tmp_path / "two.html", *last)
    assert json.loads(answer.out)[-1] == str(tmp_path / "two.html")
    assert "No run was finished since 2026-11-27." in (tmp_path / "two.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "expected run folders, folders of them, or --sweep DIR"),
        (("--sweep", "nothing"), "nothing is no sweep"),
        (("RUN", "--slides", "s.ppt"), "expected a name that ends in .pptx"),
        (("RUN", "--since", "2099-01-01"), "all 1 runs were finished before: go back further"),
        (("RUN", "--compare", "Monday"), "expected a day such as 2026-11-20"),
        (("RUN", "--template", "nothing"), "--template nothing is no folder"),
        (("RUN", "--csv", "RUN/config.yaml"), "is a file: name a folder that you may write to"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    convscope: Callable[..., Any],
    trained: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    given = [each.replace("RUN", str(trained)) for each in arguments]
    answer = report(convscope, *given, "--out", tmp_path / "page.html")
    assert answer.code == 2
    assert words in answer.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_runs_of_which_none_is_done_make_no_report(
    convscope: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "half"
    run.mkdir()
    (run / "config.yaml").write_text((trained / "config.yaml").read_text())
    answer = report(convscope, run, "--out", tmp_path / "page.html")
    assert answer.code == 2
    assert "none of 1 runs is done (half interrupted)" in answer.err


def test_the_cells_of_a_sweep_that_are_not_trained_come_next(
    convscope: Callable[..., Any], trained: Path, recipe: Path, tmp_path: Path
) -> None:
    folder = Run(trained).config["data"]["folder"]
    sweep = read_sweep([recipe], [f"data.folder={folder}", "train.seed=0,1"])
    kept = SweepFolder(trained.parent, sweep.name)
    kept.create(sweep.recipes, [cell.name for cell in sweep.cells], 1)
    answer = report(convscope, "--sweep", kept.path, "--out", tmp_path / "page.html")
    assert answer.code == 0, answer.err
    page = (tmp_path / "page.html").read_text()
    assert f"The sweep&#39;s cell {sweep.cells[1].name} is not trained yet: train.seed 1." in page
    assert "The best is custom" in page
