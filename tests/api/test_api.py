"""convscope from Python: the same as the command line, its mistakes in the same words."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convscope as cs
from convscope.run import MODEL, Run

SECTIONS: dict[str, dict[str, Any]] = {
    "data": {"kind": "words", "folder": "words", "words": ["zero", "one", "two"]},
    "model": {"family": "custom", "conv_layers": 3, "base_channels": 2},
    "train": {"epochs": 1, "batch_size": 16, "threads": 1},
}


def trained(*assignments: str) -> cs.OpenRun:
    cell = cs.recipe(**SECTIONS)
    return cs.train(cell, *assignments, progress=False)  # type: ignore[arg-type]


def test_importing_the_package_imports_nothing_heavy() -> None:
    import subprocess

    code = "import sys, convscope; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["torch", "numpy", "scipy", "sklearn", "matplotlib", "soundfile", "rich", "pydantic"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_name_that_the_package_gives_is_there() -> None:
    for name in cs.__all__:
        assert getattr(cs, name) is not None
    assert dir(cs) == cs.__all__
    with pytest.raises(AttributeError, match="has no attribute 'boards'"):
        cs.boards  # noqa: B018


def test_a_training_is_that_of_the_command_line(here: Path) -> None:
    from typer.testing import CliRunner

    from convscope.cli.app import app

    run = trained()
    recipe = here / "own.yaml"
    recipe.write_text(
        "data: {kind: words, folder: words, words: [zero, one, two]}\n"
        "model: {family: custom, conv_layers: 3, base_channels: 2}\n"
        "train: {epochs: 1, batch_size: 16, threads: 1}\n"
    )
    done = CliRunner().invoke(app, ["train", str(recipe), "--out", "again"])
    assert done.exit_code == 0
    twin = Run(here / "again" / run.name)
    assert twin.path(MODEL).read_bytes() == (run.folder / MODEL).read_bytes()
    assert twin.scores == run.scores


def test_a_run_gives_arrays_that_fit_together(here: Path) -> None:
    run = trained()
    logits, labels = run.predictions["logits"], run.predictions["labels"]
    assert run.confusion.sum() == run.scores["n"] == run.predictions["scored"].sum()
    assert np.trace(run.confusion) == (logits.argmax(1) == labels).sum()
    clips = run.clips("test")
    assert clips.ids.tolist() == run.predictions["ids"].tolist()
    again = run.net()(run.inputs(clips.clips)).detach().numpy()
    np.testing.assert_allclose(again, logits, rtol=1e-4, atol=1e-5)
    assert len(run.errors()) == len(labels) - np.trace(run.confusion)
    [answer] = run.predict([here / "words" / str(clips.ids[0])])
    assert answer.label == run.classes[int(logits[0].argmax())]
    assert run.describe().params == run.scores["params"]


def test_a_second_call_gives_the_same_run_at_once(here: Path) -> None:
    first = trained()
    before = (first.folder / "manifest.json").stat().st_mtime_ns
    assert trained().name == first.name
    assert (first.folder / "manifest.json").stat().st_mtime_ns == before


def test_a_sweep_gives_its_runs_and_a_board_of_them(here: Path) -> None:
    cell = cs.recipe(**SECTIONS)
    runs = cs.sweep(cell, "model.base_channels=2,3", workers=1, progress=False)
    assert [run.config["model"]["base_channels"] for run in runs] == [2, 3]
    board = cs.board(runs, sort="params")
    assert [each["params"] for each in board.records] == sorted(
        run.scores["params"] for run in runs
    )
    assert len(cs.open_runs("runs")) == 2
    assert board.to_pandas().shape == (2, len(board.records[0]))
    assert "<table>" in board._repr_html_()


def test_a_look_gives_arrays_tables_and_sounds(here: Path) -> None:
    looks = trained().look("filters", "cam", n=2, n_clips=12, progress=False)
    assert set(looks) == {"filters", "cam"}
    assert looks["filters"].array.shape == (2, 1, 5)
    assert looks["cam"].array.shape[-1] == 16_000
    sound = looks["cam"].sound(0)
    assert sound.rate_hz == 16_000
    assert sound.waveform.shape == (16_000,)
    with pytest.raises(cs.UserError, match="the part filters made no sound: look at another part"):
        looks["filters"].sound()
    with pytest.raises(cs.UserError, match="cam has no picture 'camm'"):
        looks["cam"].figure("camm")
    with pytest.raises(cs.UserError, match="'maps' was not looked at"):
        looks["maps"]


def test_what_a_notebook_shows_is_escaped(here: Path) -> None:
    from convscope.api.html import table_html

    shown = table_html(["<b>", "x"], [["<script>", "\x1b[31m"]], "a & b")
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "\x1b" not in shown
    assert "a &amp; b" in shown


def test_nothing_is_printed_where_no_progress_is_asked_for(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trained().look("filters", n=2, n_clips=12, progress=False)
    assert capfd.readouterr() == ("", "")


def test_layers_of_a_spec_need_no_data() -> None:
    table = cs.describe(cs.spec(family="mnist"), input_shape=(1, 28, 28), n_classes=10)
    assert table.to_dict()["params"] == table.params
    assert "<th>receptive field</th>" in table._repr_html_()
    with pytest.raises(cs.UserError, match=r"expected the shape of one clip of mnist"):
        cs.describe(cs.spec(family="mnist"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cs.open_run("nothing"), "nothing is no run: expected a folder with config.yaml"),
        (lambda: cs.open_runs("nothing"), "nothing"),
        (lambda: cs.recipe(modle={}), "modle is not a section of a recipe .did you mean 'model'"),
        (
            lambda: cs.recipe(
                data={"kind": "mnist", "folder": "x"}, model={"family": "mnist", "kernl": 3}
            ),
            "model.kernl",
        ),
        (lambda: cs.spec(family="custom", conv_layer=3), "model.conv_layer"),
        (lambda: cs.board([]), "board: expected runs, got none"),
        (lambda: cs.train("no.yaml"), "no.yaml: no such recipe"),
        (lambda: cs.sweep([]), "recipes: expected at least one, got none"),
    ],
)
def test_a_mistake_is_a_user_error_in_the_words_of_the_command_line(
    call: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cs.UserError, match=words):
        call()


def test_a_grid_is_for_sweep(here: Path) -> None:
    grid = cs.recipe(**SECTIONS, grid={"seeds": 2})
    with pytest.raises(cs.UserError, match="expected one cell, got a grid: give it to sweep"):
        cs.train(grid)  # type: ignore[arg-type]


def test_without_pandas_the_way_to_it_is_said(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = cs.board(trained())
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(cs.UserError, match=r"to_pandas needs pandas, .* pip install pandas"):
        board.to_pandas()


def test_a_run_that_is_not_done_has_no_look_and_no_scores(here: Path) -> None:
    run = trained()
    (run.folder / "manifest.json").unlink()
    opened = cs.open_run(run.folder)
    for ask in (lambda: opened.look("filters"), lambda: opened.scores, opened.net):
        with pytest.raises(cs.UserError, match=r"is not done .*: train it to its end first"):
            ask()
    assert opened.epochs


def test_an_unknown_option_of_a_look_is_named(here: Path) -> None:
    with pytest.raises(cs.UserError, match=r"look has no option 'layr'.*layer"):
        trained().look("filters", layr="conv1")
