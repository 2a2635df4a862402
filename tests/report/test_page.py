from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import UserError
from convscope.report.page import report_page
from convscope.run import MANIFEST, Run

Outline = Callable[[Path], Any]
MakeRun = Callable[..., Run]


def words(text: str) -> str:
    """The text with single blanks."""
    return " ".join(text.split())


@pytest.fixture
def two_runs(sound_run: MakeRun) -> list[Run]:
    return [sound_run(base_channels=8), sound_run(base_channels=4)]


def test_the_page_holds_the_board_and_every_class(
    two_runs: list[Run], outline: Outline, tmp_path: Path
) -> None:
    page = outline(report_page(two_runs, tmp_path / "page.html", "Three words", ["A note."]))
    text = words(page.text)
    assert text.count("Three words") == 2
    assert "A note." in text
    # 8 of 12 are right; the interval is Wilson's, by hand in the tests of intervals
    assert "0.6667 0.3906 to 0.8619 400 Pareto custom 3 4 0.5 no 3 4" in text
    for name in ("bed", "bird", "cat"):
        assert f" {name} 0." in text


def test_the_best_run_is_laid_open_and_the_others_are_folded(
    two_runs: list[Run], outline: Outline, tmp_path: Path
) -> None:
    path = report_page(two_runs, tmp_path / "page.html")
    text, page = path.read_text(), outline(path)
    larger, smaller = two_runs
    assert f"The best: {smaller.name}" in page.text
    folded = text[text.index('<details class="run">') :]
    assert larger.name in folded
    assert smaller.name not in folded


def test_confusions_are_said_in_words(sound_run: MakeRun, outline: Outline, tmp_path: Path) -> None:
    text = words(outline(report_page([sound_run()], tmp_path / "page.html")).text)
    assert "bed heard as bird, 2 of 4" in text
    assert "bird heard as cat, 1 of 4" in text


def test_scores_of_a_class_are_those_of_the_run(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    # bed: 2 of 4 right, and 1 cat is taken for it: precision 2/3, recall 2/4, F1 4/7
    text = words(outline(report_page([sound_run()], tmp_path / "page.html")).text)
    assert "bed 0.667 0.500 0.571 4" in text


def test_the_layer_table_tells_lengths_of_time(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    # 5 samples at 4 kHz are 1.25 ms; 64 filters of 5 samples and 64 biases are 384 parameters
    text = words(outline(report_page([sound_run()], tmp_path / "page.html")).text)
    assert "64×4000 5 1.25 384 2,560,000" in text


def test_settings_and_command_say_how_to_train_it_again(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    run = sound_run(activation="elu")
    text = outline(report_page([run], tmp_path / "page.html")).text
    assert "convscope train recipe.yaml data.folder=DIR" in text
    assert run.path("config.yaml").read_text() in text


def test_images_are_seen_not_heard(image_run: Run, outline: Outline, tmp_path: Path) -> None:
    page = outline(report_page([image_run], tmp_path / "page.html"))
    assert "day seen as night" in words(page.text)
    assert " in ms" not in words(page.text)
    assert not page.all("audio")


def test_so_many_clips_are_shown_of_each_run(
    two_runs: list[Run], outline: Outline, tmp_path: Path
) -> None:
    page = outline(report_page(two_runs, tmp_path / "page.html", n_clips=2))
    assert len(page.all("audio")) == 4


def test_an_unfinished_run_stands_on_the_board_alone(
    two_runs: list[Run], outline: Outline, tmp_path: Path
) -> None:
    two_runs[0].path(MANIFEST).unlink()
    text = words(outline(report_page(two_runs, tmp_path / "page.html")).text)
    assert "interrupted" in text
    assert "The others" not in text


def test_without_a_finished_run_the_page_says_so(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    run = sound_run()
    run.path(MANIFEST).unlink()
    assert "No run here is finished yet" in outline(report_page([run], tmp_path / "p.html")).text


def test_hostile_names_are_text_and_nothing_more(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    classes = ["<script>alert(1)<script>", "a&amp;b", "\"'><img src=x>"]
    run = sound_run(classes)
    page = outline(report_page([run], tmp_path / "page.html", "<i>title</i>", ["<script>"]))
    for name in (*classes, "<i>title</i>"):
        assert name in page.text
    assert not page.all("i")


def test_the_same_runs_give_the_same_bytes(two_runs: list[Run], tmp_path: Path) -> None:
    first = report_page(two_runs, tmp_path / "first.html").read_bytes()
    second = report_page(two_runs[::-1], tmp_path / "second.html").read_bytes()
    assert first == second


def test_a_network_whose_file_is_gone_has_no_layer_table(
    sound_run: MakeRun, outline: Outline, tmp_path: Path
) -> None:
    run = sound_run()
    family = str(tmp_path / "gone.py") + ":make_net"
    run.write_config({**run.config, "model": {"family": family, "digest": "0" * 64}})
    run.finish()
    page = outline(report_page([run], tmp_path / "page.html"))
    assert "not at hand or not trusted here: there is no layer table" in page.text


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected at least one run, got none"):
        report_page([], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
