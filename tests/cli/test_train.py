"""convscope train and describe, as scripts and people use them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from convscope.run import Run

Convscope = Callable[..., Any]


def test_train_ends_with_one_json_object(trained: Path, convscope: Convscope) -> None:
    assert Run(trained).is_done


def test_the_same_command_again_finds_the_run_done(
    convscope: Convscope, recipe: Path, recordings: Path, trained: Path
) -> None:
    answer = convscope(
        "train", recipe, f"data.folder={recordings}", "--out", trained.parent, "--json"
    )
    assert answer.code == 0
    assert answer.json["run"] == str(trained)
    assert set(answer.json) >= {"params", "test_accuracy", "interval", "epochs", "seconds"}
    assert Run(trained).status["attempts"] == 1


def test_train_prints_the_run_folder_last_and_progress_apart(
    convscope: Convscope, recipe: Path, recordings: Path, trained: Path
) -> None:
    answer = convscope("train", recipe, f"data.folder={recordings}", "--out", trained.parent)
    assert answer.out.splitlines()[-1] == str(trained)
    assert answer.out.startswith("test accuracy")
    assert "training" not in answer.err  # nothing was trained: no bar


def test_describe_needs_no_data(convscope: Convscope, recipe: Path) -> None:
    answer = convscope("describe", recipe, "--json")
    assert answer.code == 0
    assert answer.json["params"] == sum(layer["params"] for layer in answer.json["layers"])
    assert answer.json["layers"][-1]["name"] == "logits"
    assert "conv1" in convscope("describe", recipe).out


def test_a_wrong_net_is_told_before_the_folder_is_listed(
    convscope: Convscope, recipe: Path
) -> None:
    wrong = "data.words=all", "data.folder=/nowhere", "model.conv_layers=40"
    assert "model.conv_layers=40: pool6 " in convscope("describe", recipe, *wrong).err


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_missing_device_is_told_before_the_data_are_read(
    convscope: Convscope, recipe: Path
) -> None:
    answer = convscope("train", recipe, "data.folder=/nowhere", "train.device=cuda")
    assert answer.err.startswith("convscope: train.device=cuda: torch finds no cuda device here")
    assert len(answer.err.splitlines()) == 1


def test_a_net_of_ones_own_trains_like_the_rest(
    convscope: Convscope, recipe: Path, recordings: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(recipe.read_text().replace("model: {", "model: {family: NET} #"))
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "print('I am imported')\n"
        "def make_net(shape, n_classes):\n"
        "    return nn.Sequential(nn.Conv1d(shape[0], 4, 9, 4), nn.ReLU(),\n"
        "                         nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, n_classes))\n"
    )
    family = f"model.family={tmp_path / 'net.py'}:make_net"
    arguments = (own, f"data.folder={recordings}", family, "--out", tmp_path / "runs", "--json")
    answer = convscope("train", *arguments)
    assert answer.code == 0, answer.err
    assert len(answer.out.splitlines()) == 1
    assert "I am imported" in answer.err
    assert answer.json["params"] == 4 * 9 + 4 + 4 * 2 + 2
    assert convscope("train", *arguments).json["run"] == answer.json["run"]


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["model.conv_layers=40"], "model.conv_layers=40: pool6 "),
        (["data.folder=/nowhere"], "/nowhere"),
        ([], "data.folder is missing"),
        (["train.epochs=1,2"], "is a grid"),
        (["data.folder=RECORDINGS", "data.words=[low, hihg]"], "'hihg'"),
        (["train.device=cuda"], "train.device=cuda: torch finds no cuda device here"),
        (["model.famly=custom"], "model.famly is not a known key (did you mean 'family'?)"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    convscope: Convscope,
    recipe: Path,
    recordings: Path,
    tmp_path: Path,
    assignments: list[str],
    message: str,
) -> None:
    given = [each.replace("RECORDINGS", str(recordings)) for each in assignments]
    if "cuda" in message:
        given.append(f"data.folder={recordings}")
    answer = convscope("train", recipe, *given, "--out", tmp_path / "runs")
    assert answer.code == 2
    assert answer.out == ""
    lines = [line for line in answer.err.splitlines() if line.startswith("convscope: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in answer.err


def _heed_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_last_epoch_and_the_same_command_goes_on(
    recipe: Path, recordings: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    arguments = [
        "train", str(recipe), f"data.folder={recordings}", "train.epochs=500", "train.patience=0",
        "--out", str(tmp_path),
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "convscope", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
        preexec_fn=_heed_ctrl_c,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch   3 "):
            process.send_signal(number)
            break
    with process.stderr:
        rest = process.stderr.read()
    assert process.wait() == code
    assert "interrupted; the same command goes on from here" in rest
    [folder] = tmp_path.iterdir()
    done = len(Run(folder).epochs)
    assert Run(folder).status["state"] == "interrupted"
    assert done >= 3
