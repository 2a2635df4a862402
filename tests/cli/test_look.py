"""convscope look, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Convscope = Callable[..., Any]

NET = """
from torch import nn

def make_net():
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), *head)

def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2))
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(NET)
    return path


def test_the_default_look_makes_arrays_pictures_and_sounds(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    answer = convscope(
        "look", trained, "--out", tmp_path / "look", "--n-clips", 16, "--n", 2, "--json"
    )
    assert answer.code == 0, answer.err
    parts = {each["part"]: each for each in answer.json["parts"]}
    default = ["filters", "response", "maps", "dead", "top", "maximise", "deconv", "cam"]
    assert list(parts) == default
    assert [name for name in default if parts[name]["skipped"]] == []
    made = {path.name for path in (tmp_path / "look").iterdir()}
    assert made == {"look.json"} | {file for each in parts.values() for file in each["files"]}
    for suffix in (".npz", ".csv", ".png", ".svg", ".wav"):
        assert any(name.endswith(suffix) for name in made)
    assert any(name.startswith("cam_grad_cam") or "grad" in name for name in made)
    assert json.loads((tmp_path / "look" / "look.json").read_text())["of"] == trained.name


def test_a_part_that_makes_no_sense_is_skipped_or_where_asked_for_refused(
    convscope: Convscope, net: Path, tmp_path: Path
) -> None:
    module = ("look", f"{net}:make_net", "--input", "3x8x8", "--out", tmp_path / "look")
    answer = convscope(*module, "--n", 1)
    assert answer.code == 0, answer.err
    assert "cam          skipped: " in answer.out
    asked = convscope(*module, "--what", "cam")
    assert asked.code == 2
    assert asked.err.splitlines()[-1].startswith("convscope: --what cam: it is shown on clips")
    assert "Traceback" not in asked.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--what", "filter"),
            "--what filter is no part (did you mean 'filters'?); known: filters",
        ),
        (("--layer", "conv9"), "conv9 is no layer of this net"),
        (("--unit", "conv1:99"), "conv1:99: conv1 has 4 units, 0 to 3"),
        (("--unit", "logits:middle"), "known: low, high"),
        (("--unit", "3"), "give --layer too"),
        (("--clips", "nowhere"), "--clips nowhere is no folder"),
        (("--what", "compare"), "--what compare: "),
    ],
)
def test_mistakes_are_told_in_one_line(
    convscope: Convscope, trained: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    answer = convscope("look", trained, "--out", tmp_path / "look", *options)
    assert answer.code == 2
    assert words in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "look").exists()


def test_mistakes_about_a_module_are_told_in_one_line(
    convscope: Convscope, net: Path, tmp_path: Path
) -> None:
    for arguments, words in (
        (("--input", "3x8"), "failed on clips of shape (1, 3, 8)"),
        ((), "a module needs its input's shape, such as 3x227x227"),
        (("--input", "3xa"), "got 3xa"),
        (("--input", "3x8x8", "--weights", "none.safetensors"), "expected a safetensors file"),
    ):
        answer = convscope("look", f"{net}:make_net", *arguments, "--out", tmp_path / "look")
        assert (answer.code, words in answer.err) == (2, True), answer.err
    answer = convscope("look", f"{net}:dense", "--input", "3x8x8", "--out", tmp_path / "look")
    assert answer.code == 2
    assert "no convolution is met in a forward pass" in answer.err


def test_a_run_that_is_not_done_is_refused(convscope: Convscope, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("{}")
    answer = convscope("look", tmp_path)
    assert answer.code == 2
    assert "is not done" in answer.err
