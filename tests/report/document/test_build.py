"""Whole reports: which sections stand there, and what each is made from."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convscope.errors import UserError
from convscope.figures import to_png
from convscope.models.describe import describe
from convscope.report.document.blocks import Command, Document, Picture, Sentence, Table
from convscope.report.document.build import document
from convscope.report.document.catalogue import catalogue
from convscope.report.document.figures import boxes, two_confusions_figure
from convscope.report.making import Wanted, make_report, told_of
from convscope.run import MANIFEST, Run
from convscope.training.cell import cell_of

SAY = catalogue()


def made_of(*runs: Run) -> Document:
    return document(SAY, told_of(runs, (), "2026-11-27", None))


def texts(made: Document) -> str:
    return " ".join(each.text for each in made.blocks(Sentence))


def test_a_single_run_has_no_section_that_needs_two(report_run: Callable[..., Run]) -> None:
    keys = [section.key for section in made_of(report_run()).sections]
    assert keys == [
        "week",
        "data",
        "net",
        "boards",
        "confusions",
        "classes",
        "clips",
        "learned",
        "next",
    ]


def test_runs_on_other_data_stand_apart_and_are_said_to(report_run: Callable[..., Run]) -> None:
    made = made_of(report_run(), report_run(conv_layers=4), report_run(classes=("up", "down")))
    titles = [section.title for section in made.sections]
    assert "The data · words 3" in titles
    assert "The data · words 2" in titles
    assert "The runs are on 2 different data" in texts(made)


def test_a_grid_has_its_best_in_bold_parameters_and_an_x_where_no_run_is(
    report_run: Callable[..., Run],
) -> None:
    made = made_of(report_run(20), report_run(10, conv_layers=4), report_run(30, dropout=0.5))
    (table,) = [each for each in made.blocks(Table) if each.name.startswith("grid")]
    assert table.headings == ("convolutions", "none", "DO 0.5")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["3", "0.8889 · 800", "0.8333 · 800"],
        ["4", "0.9444 · 800", "X"],
    ]
    assert [cell.text for row in table.rows for cell in row if cell.is_best] == ["0.9444 · 800"]


def test_nets_at_chance_have_no_front(report_run: Callable[..., Run]) -> None:
    runs = [report_run(), report_run(conv_layers=4)]
    for run in runs:
        run.write_status(chance=True)
    made = made_of(*runs)
    assert "2 of 2 finished runs cannot be told from guessing." in texts(made)
    assert not [
        each for each in made.blocks(Table) if each.name.startswith("front") or not each.rows
    ]


def test_a_failed_run_stands_with_its_reason(report_run: Callable[..., Run]) -> None:
    done, failed = report_run(), report_run(conv_layers=4)
    (failed.folder / MANIFEST).unlink()
    failed.write_status(state="failed", reason="loss is nan\x1b")
    (table,) = [each for each in made_of(done, failed).blocks(Table) if each.name == "unfinished_1"]
    assert [cell.text for cell in table.rows[0]][2:] == ["failed", "loss is nan\\x1b"]


def test_what_a_look_left_is_shown_and_else_asked_for(report_run: Callable[..., Run]) -> None:
    run = report_run()
    commands = [each.command for each in made_of(run).blocks(Command)]
    assert f"convscope look {run.folder}" in commands
    _leave_look(run)
    made = made_of(run)
    assert "the centre frequencies of 2 filters go from 200 to 400 Hz" in texts(made)
    assert "3 of 20 units are dead" in texts(made)
    assert [each.name for each in made.blocks(Picture) if "look" in each.name] == [
        "look_1_response_1"
    ]


def _leave_look(run: Run) -> None:
    png = io.BytesIO()
    Image.new("RGB", (8, 8)).save(png, "png")
    files = {
        "response_conv1.png": png.getvalue(),
        "response_conv1_filters.json": json.dumps(
            [{"centre_hz": 200}, {"centre_hz": 400}]
        ).encode(),
        "dead_layers.json": json.dumps([{"units": 20, "dead": 3}]).encode(),
    }
    parts = [
        {"part": "response", "files": [*files][:2]},
        {"part": "dead", "files": ["dead_layers.json"]},
    ]
    files["look.json"] = json.dumps({"of": run.name, "parts": parts}).encode()
    for name, content in files.items():
        run.write(f"look/{name}", content)


def test_a_study_that_a_run_was_held_against_has_its_sentence(
    report_run: Callable[..., Run],
) -> None:
    run = report_run()
    score = {"study": "music", "hash": "h", "score": 0.5, "layer": "conv2", "untrained": 0.3}
    score |= {"control": "spectral", "control_score": 0.4, "ceiling": None, "interval": [0.45, 0.6]}
    run.write("brain/music/summary.json", json.dumps(score))
    assert "music: " + run.name + " predicts the responses best, r 0.500" in texts(made_of(run))


def test_boxes_hold_all_parameters_and_the_last_shape(report_run: Callable[..., Run]) -> None:
    cell = cell_of(report_run(batch_norm=True))
    layers = describe(cell.model, cell.data.shape, 3)
    drawn = boxes(layers, cell.data.shape)
    assert sum(box.params for box in drawn) == sum(row.params for row in layers)
    assert (drawn[0].shape, drawn[-1].shape) == ("1×4000", "3")


def test_confusions_of_many_classes_can_be_drawn() -> None:
    matrix = np.eye(35, dtype=np.int64) * 400
    names = [f"a rather long class {k}" for k in range(35)]
    assert to_png(two_confusions_figure([matrix, matrix], ["one", "two"], names))[:4] == b"\x89PNG"


def test_no_finished_run_is_a_mistake(report_run: Callable[..., Run]) -> None:
    run = report_run()
    (run.folder / MANIFEST).unlink()
    with pytest.raises(UserError, match="none of 1 runs is done"):
        made_of(run)


def test_images_have_a_report_of_their_own(
    image_run: Run, tmp_path: Path, outline: Callable[[Path], Any]
) -> None:
    told = told_of([image_run], (), "2026-11-27", None)
    make_report(told, SAY, Wanted(tmp_path / "page.html"))
    found = outline(tmp_path / "page.html")
    assert "3×32×32" in found.text
    assert not found.all("audio")


def test_sounds_can_be_heard_on_the_page(
    sound_run: Callable[..., Run], tmp_path: Path, outline: Callable[[Path], Any]
) -> None:
    told = told_of([sound_run()], (), "2026-11-27", None)
    make_report(told, SAY, Wanted(tmp_path / "page.html"))
    assert len(outline(tmp_path / "page.html").all("audio")) == 4
