"""A run that somebody else has made runs no code, whatever command reads it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from convscope.models import user_file
from convscope.report.page import report_page
from convscope.run import MANIFEST, PREDICTIONS, SIGNATURE, SOURCE, Run
from convscope.sweeps.planning import size

Convscope = Callable[..., Any]

NET = """
from pathlib import Path
from torch import nn

with Path({marker!r}).open("a") as file:
    file.write("run ")

def make_net(shape, n_classes):
    return nn.Sequential(nn.Conv1d(shape[0], 4, 9, 4), nn.ReLU(),
                         nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, n_classes))
"""


class Stranger(NamedTuple):
    """A finished sweep of one cell, its run, and the file that says that its code has run."""

    out: Path
    run: Path
    marker: Path


@pytest.fixture(scope="module")
def made(
    convscope: Convscope, recordings: Path, tmp_path_factory: pytest.TempPathFactory
) -> Stranger:
    """A sweep of a user-defined network, trained by somebody whose key nobody here has."""
    folder = tmp_path_factory.mktemp("stranger")
    marker, net, recipe = folder / "marker", folder / "mine.py", folder / "own.yaml"
    net.write_text(NET.format(marker=str(marker)))
    recipe.write_text(
        f"data: {{kind: words, folder: {recordings}, words: [low, high], rate_hz: 2000, "
        f"seconds: 0.25}}\nmodel: {{family: '{net}:make_net'}}\n"
        "train: {epochs: 2, batch_size: 16, threads: 1}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_CACHE", str(folder / "cache"))
        sweep = ("sweep", recipe, "--out", folder / "runs", "--workers", 1, "--json")
        answer = convscope(*sweep)
        assert answer.code == 0, answer.err
    return Stranger(folder / "runs", Path(answer.json["runs"][0]["run"]), marker)


@pytest.fixture
def stranger(made: Stranger) -> Stranger:
    """The same, before any of its code has run here."""
    size._size.cache_clear()  # this process has trained it, and would know its size
    made.marker.unlink(missing_ok=True)
    return made


Arguments = Callable[[Stranger, Path, Path], tuple[object, ...]]

BUILDS_A_NET: dict[str, Arguments] = {
    "score": lambda s, own, tmp: ("score", s.run),
    "predict": lambda s, own, tmp: ("predict", s.run, tmp / "none.wav"),
    "export": lambda s, own, tmp: ("export", s.run, "--out", tmp / "net.onnx"),
    "look": lambda s, own, tmp: ("look", s.run, "--what", "filters", "--out", tmp),
    "look at several": lambda s, own, tmp: (
        *("look", s.run, own, "--what", "dead"),
        *("--out", tmp),
    ),
    "look at a folder of runs": lambda s, own, tmp: (
        *("look", s.out, "--what", "dead"),
        *("--out", tmp),
    ),
    "compare": lambda s, own, tmp: (
        *("look", own, "--what", "compare", "--with", s.run),
        *("--out", tmp),
    ),
    "clean by training": lambda s, own, tmp: (
        *("look", s.run, "--what", "clean-refit"),
        *("--out", tmp),
    ),
}

READS_ALONE: dict[str, Arguments] = {
    "errors": lambda s, own, tmp: ("errors", s.run, "--json"),
    "errors on a page": lambda s, own, tmp: ("errors", s.run, "--out", tmp / "page"),
    "board": lambda s, own, tmp: ("board", s.out, own),
    "board with FLOPs": lambda s, own, tmp: ("board", s.out, "--json"),
    "sweeps ls": lambda s, own, tmp: ("sweeps", "ls", "--out", s.out),
    "sweeps show": lambda s, own, tmp: ("sweeps", "show", "own", "--out", s.out),
    "sweeps retry": lambda s, own, tmp: ("sweeps", "retry", "own", "--out", s.out),
}


@pytest.mark.parametrize("name", BUILDS_A_NET)
def test_a_command_that_builds_a_strangers_net_says_what_it_would_run_and_how_to_allow_it(
    convscope: Convscope, stranger: Stranger, trained: Path, tmp_path: Path, name: str
) -> None:
    if name == "export":
        pytest.importorskip("onnxscript", reason="needs the extra export")
    answer = convscope(*BUILDS_A_NET[name](stranger, trained, tmp_path))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines()[-1] == (
        f"convscope: {stranger.run} was not trained by you on this machine, and its network is "
        f"code: make_net of {stranger.run / SOURCE} would be run with all your rights; read that "
        "file and give --trust-code (in Python trust_code=True) to allow it"
    )
    assert not stranger.marker.exists()


@pytest.mark.parametrize("name", READS_ALONE)
def test_a_command_that_builds_no_net_works_and_runs_no_code(
    convscope: Convscope, stranger: Stranger, trained: Path, tmp_path: Path, name: str
) -> None:
    answer = convscope(*READS_ALONE[name](stranger, trained, tmp_path))
    assert (answer.code, answer.err) == (0, "")
    assert not stranger.marker.exists()


def test_a_report_of_a_strangers_run_runs_no_code(stranger: Stranger, tmp_path: Path) -> None:
    page = report_page([Run(stranger.run)], tmp_path / "page.html")
    assert "not at hand or not trusted here" in page.read_text()
    assert not stranger.marker.exists()


@pytest.mark.parametrize("name", [*BUILDS_A_NET, *READS_ALONE])
def test_no_reading_command_comes_to_where_files_are_run(
    convscope: Convscope,
    stranger: Stranger,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """The same as above by another witness: the code itself may have hidden its marker."""
    ran: list[str] = []
    monkeypatch.setattr(user_file, "compile", lambda _, path, __: ran.append(path), raising=False)
    convscope(*{**BUILDS_A_NET, **READS_ALONE}[name](stranger, trained, tmp_path))
    assert ran == []


@pytest.mark.parametrize("name", BUILDS_A_NET)
def test_a_strangers_code_runs_where_it_is_trusted(
    convscope: Convscope,
    stranger: Stranger,
    trained: Path,
    recordings: Path,
    tmp_path: Path,
    name: str,
) -> None:
    if name == "export":
        pytest.importorskip("onnxscript", reason="needs the extra export")
    arguments = [
        next(recordings.glob("*/*.wav")) if each == tmp_path / "none.wav" else each
        for each in BUILDS_A_NET[name](stranger, trained, tmp_path)
    ]
    answer = convscope(*arguments, "--trust-code")
    assert answer.code == 0, answer.err
    assert stranger.marker.exists()


def test_a_run_of_ones_own_is_read_unasked_from_its_own_copy(
    convscope: Convscope, stranger: Stranger, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its maker, whose file was edited since."""
    monkeypatch.setenv("CONVSCOPE_CACHE", str(stranger.marker.with_name("cache")))
    mine = stranger.marker.with_name("mine.py")
    kept = mine.read_text()
    try:
        mine.write_text("raise SystemExit")
        answer = convscope("score", stranger.run, "--json")
        assert answer.code == 0, answer.err
        assert answer.json["confusion"] == Run(stranger.run).scores["confusion"]
        assert stranger.marker.exists()
    finally:
        mine.write_text(kept)


def test_ones_own_signature_in_a_strangers_run_allows_nothing(
    convscope: Convscope,
    stranger: Stranger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run as its maker knows it, in which somebody has put other code and a fitting manifest."""
    monkeypatch.setenv("CONVSCOPE_CACHE", str(stranger.marker.with_name("cache")))
    forged = Run(tmp_path / "run")
    shutil.copytree(stranger.run, forged.folder)
    assert forged.path(SIGNATURE).is_file()
    forged.path(SOURCE).write_text(NET.format(marker=str(stranger.marker)) + "\nevil = True\n")
    changed = convscope("score", forged.folder)
    assert (changed.code, changed.out) == (2, "")
    assert "was changed after its end: net.py differs" in changed.err
    forged.finish()
    other = convscope("score", forged.folder)
    assert other.code == 2
    assert "the file has changed since this network was described" in other.err
    _say_digest_of_source(forged)
    fitting = convscope("score", forged.folder)
    assert fitting.code == 2
    assert f"make_net of {forged.path(SOURCE)} would be run" in fitting.err
    assert not stranger.marker.exists()


def _say_digest_of_source(run: Run) -> None:
    digest = json.loads(run.path(MANIFEST).read_text())["sha256"][SOURCE]
    run.write_config({**run.config, "model": {**run.config["model"], "digest": digest}})
    run.finish()


def test_training_anew_what_a_stranger_has_trained_is_asked_by_name_and_runs(
    convscope: Convscope, stranger: Stranger
) -> None:
    recipe = stranger.marker.with_name("own.yaml")
    answer = convscope("train", recipe, "--out", stranger.out, "--json")
    assert (answer.code, Path(answer.json["run"])) == (0, stranger.run)
    assert stranger.marker.exists(), "the recipe's file is tried, as the user has named it"


@pytest.mark.parametrize("is_pickled", [True, False])
def test_predictions_that_would_be_unpickled_are_refused_in_a_line(
    convscope: Convscope, trained: Path, tmp_path: Path, is_pickled: bool
) -> None:
    run = Run(tmp_path / "run")
    shutil.copytree(trained, run.folder)
    with np.load(run.path(PREDICTIONS)) as file:
        arrays = dict(file)
    if is_pickled:
        arrays["ids"] = arrays["ids"].astype(object)
    else:
        arrays["labels"] = arrays["labels"] + 1000
    run.write_with(PREDICTIONS, lambda file: np.savez(file, **arrays))
    run.finish()
    answer = convscope("errors", run.folder)
    assert (answer.code, answer.out) == (2, "")
    assert "predictions.npz is damaged: expected what convscope wrote there" in answer.err


@pytest.mark.parametrize("name", ["look", "model.safetensors", "predictions.npz", "config.yaml"])
def test_no_command_follows_a_link_out_of_a_run(
    convscope: Convscope, trained: Path, tmp_path: Path, name: str
) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(trained, run)
    if name == "look":
        outside.mkdir()
    else:
        (run / name).rename(outside)
    (run / name).symlink_to(outside)
    answer = convscope("look", run, "--what", "filters")
    assert (answer.code, answer.out) == (2, "")
    assert f"{run / name} is a link that leads out of {run}, to {outside}" in answer.err
    assert not outside.is_dir() or not any(outside.iterdir())
