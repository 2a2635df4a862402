import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from convscope import demo
from convscope.data.making.synthetic_words import REPORT_WORDS
from convscope.errors import UserError
from convscope.run import Run
from convscope.terminal import PlainConsole

pytest.importorskip("espeakng_loader")


def tour(out: Path, real: Path | None = None) -> Path:
    """The demo, as small as it can be."""
    return demo.run_demo(out, n_clips=160, channels=(2, 3), epochs=1, real=real)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo has run."""
    out = tmp_path_factory.mktemp("demo")
    tour(out)
    return out


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_tour_ends_with_its_page(toured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tour(toured)
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == str(page)
    assert page.read_text().startswith("<!DOCTYPE html>")
    for run in sorted((toured / "runs").iterdir()):
        assert f"<code>{run.name}</code>" in page.read_text()


def test_the_tour_prints_board_confusions_and_every_word(
    toured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tour(toured)
    printed = capsys.readouterr().out
    assert "accuracy" in printed
    assert " heard as " in printed
    for word in REPORT_WORDS:
        assert f"{word} " in printed


def test_the_second_tour_makes_no_words_and_trains_nothing(toured: Path) -> None:
    before = files(toured)
    tour(toured)
    changed = {path for path, time in files(toured).items() if before.get(path) != time}
    assert changed == {toured / "demo.html"}


def test_the_second_tour_makes_the_same_page(toured: Path) -> None:
    before = (toured / "demo.html").read_bytes()
    assert tour(toured).read_bytes() == before


def test_real_recordings_are_scored_beside_the_synthesised(
    toured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here the "real" recordings are the synthesised ones: all of them, not the test clips."""
    page = tour(toured, real=toured / "words")
    assert "on 160 real recordings" in capsys.readouterr().out
    assert f"on 160 real recordings in {toured / 'words'}" in page.read_text()


def test_real_recordings_that_lack_a_word_are_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "real" / "cat").mkdir(parents=True)
    with pytest.raises(UserError, match="real"):
        tour(tmp_path / "out", real=tmp_path / "real")
    assert not (tmp_path / "out").exists()


def test_the_page_says_how_far_synthesised_words_carry(toured: Path) -> None:
    assert demo.HOW_FAR in (toured / "demo.html").read_text()


def test_without_a_terminal_progress_comes_in_lines_that_only_grow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with demo.progress({"first": 3, "second": 1}) as tell:
        for stage in ("first", "second"):
            for done in range(101):
                tell(stage, done, 100)
    lines = capsys.readouterr().err.splitlines()
    percents = [int(line.split()[0]) for line in lines]
    assert percents == sorted(set(percents))
    assert percents[0] == 0
    assert percents[-1] == 100
    assert len(lines) == 21
    assert lines[12].split() == ["60", "%", "first"]
    assert lines[-1].split() == ["100", "%", "second"]


def test_a_confusion_matrix_as_text_has_its_counts_in_columns() -> None:
    lines = list(demo.confusion_lines(np.array([[12, 0], [3, 9]]), ["bed", "house"]))
    assert lines == [
        "      bed hou",
        "  bed  12   .",
        "house   3   9",
    ]


def test_the_best_of_equal_nets_is_shown(toured: Path) -> None:
    runs = [Run(folder) for folder in sorted((toured / "runs").iterdir())]
    best = max(runs, key=lambda run: (run.scores["accuracy"], -run.scores["params"]))
    console = PlainConsole(record=True, width=100, file=io.StringIO())
    for line in demo.demo_lines(demo.Demo(runs, toured / "demo.html", None)):
        console.print(line)
    assert f"confusion matrix of {best.name}" in console.export_text()
