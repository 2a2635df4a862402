"""convscope look, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from convscope.inside.looks import PARTS
from convscope.inside.results.parts import Part
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.module_subject import OwnModule, subject_of_module
from convscope.inside.subject.subject import Choice, Subject
from convscope.looking import look

Convscope = Callable[..., Any]

NET = """
import torch
from torch import nn

def make_net():
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), *head)

def enlarged():
    net = make_net()
    return nn.Sequential(*net[:2], nn.ConvTranspose2d(4, 4, 2, stride=2), nn.ReLU(), *net[2:])

def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2))

class Tired(nn.Sequential):
    n_calls = 0

    def forward(self, clips):
        self.n_calls += 1
        if self.n_calls > 3:
            raise RuntimeError("no more" + chr(10) + "for today")
        return super().forward(clips)

def tired():
    return Tired(*make_net())

class Stop(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    def backward(ctx, signal):
        raise ValueError("no way" + chr(10) + "back")

class OneWay(nn.Sequential):
    def forward(self, clips):
        return super().forward(Stop.apply(clips))

def one_way():
    return OneWay(*make_net())

def diverged():
    net = make_net()
    nn.init.constant_(net[-1].bias, torch.nan)
    return net
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


def test_what_says_how_a_module_is_read_is_refused_beside_a_run(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    answer = convscope("look", trained, "--rate-hz", 16000, "--out", tmp_path / "look")
    assert answer.code == 2
    assert answer.err == "convscope: --rate-hz has no effect beside a run: leave it out\n"


def test_a_folder_that_cannot_be_written_is_told_in_one_line(
    convscope: Convscope, net: Path
) -> None:
    answer = convscope("look", f"{net}:make_net", "--input", "3x8x8", "--out", "/proc/look/a")
    assert answer.code == 2
    last = answer.err.splitlines()[-1]
    assert last.startswith("convscope: /proc/look/a cannot be written (")
    assert last.endswith("or name another with --out")
    assert "Traceback" not in answer.err


def test_cam_is_stretched_over_the_clip_where_what_the_averaged_maps_see_is_not_known(
    net: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    Image.new("RGB", (8, 8), (200, 0, 0)).save(folder / "red.png")
    subject = subject_of_module(OwnModule(f"{net}:enlarged", (3, 8, 8), clips=folder), 1)
    (cam,) = look(subject, ("cam",), Choice(n=1), tmp_path / "look", lambda *_: None)
    assert cam.failed is None
    assert "cam.png" in cam.files
    svg = (tmp_path / "look" / "cam.svg").read_text()
    assert "stretched over the clip" in svg


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


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--what", "filters,response,maps,top,maximise", "--unit", "conv3:2"),
            {
                "filters_conv3_2.png",
                "response_conv3_effective_units.csv",
                "top_conv3_2_most_clips.wav",
            },
        ),
        (
            ("--what", "filters,response,maps,top", "--layer", "conv2", "--unit", "2"),
            {
                "filters_conv2_2.png",
                "response_conv2_effective_units.csv",
                "top_conv2_2_most_clips.wav",
            },
        ),
        (
            ("--what", "filters,response,maps,cam", "--unit", "logits:low"),
            {"filters_conv1.png", "filters_conv3.png", "response_conv1.png"},
        ),
    ],
)
def test_one_unit_is_shown_by_every_part(
    convscope: Convscope,
    trained: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    expected: set[str],
) -> None:
    answer = convscope(
        "look", trained, "--out", tmp_path / "look", "--n-clips", 4, "--n", 1, *options
    )
    assert answer.code == 0, answer.err
    made = {path.name for path in (tmp_path / "look").iterdir()}
    assert expected <= made, sorted(made)


def test_a_unit_of_another_layer_is_refused(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    answer = convscope("look", trained, "--layer", "conv2", "--unit", "conv3:1")
    assert answer.code == 2
    assert "--unit conv3:1 is no unit of --layer conv2" in answer.err


def test_a_call_that_is_refused_or_interrupted_keeps_the_parts_before(
    convscope: Convscope, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_subject: Subject, _choice: Choice, writer: ResultWriter) -> None:
        writer.text("half.txt", "of it")
        raise KeyboardInterrupt

    monkeypatch.setitem(PARTS, "top", Part("", interrupted))
    module = ("look", f"{net}:make_net", "--input", "3x8x8")
    for part, code in (("cam", 2), ("top", 130)):
        out = tmp_path / part
        answer = convscope(*module, "--out", out, "--what", f"filters,{part}")
        assert answer.code == code, answer.err
        (kept,) = json.loads((out / "look.json").read_text())["parts"]
        assert (kept["part"], bool(kept["files"])) == ("filters", True)
        assert {path.name for path in out.iterdir()} == {"look.json", *kept["files"]}
        alone = convscope(*module, "--out", tmp_path / "none", "--what", part)
        assert (alone.code, (tmp_path / "none").exists()) == (code, False)
    assert answer.err.splitlines()[-1] == f"convscope: interrupted; {out} keeps filters"
    assert alone.err.splitlines()[-1] == "convscope: interrupted; no part was made yet"
    assert {path.name for path in tmp_path.iterdir()} == {net.name, "cam", "top"}


def test_how_far_the_parts_are_is_told_within_them(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_halves(_subject: Subject, _choice: Choice, writer: ResultWriter) -> None:
        writer.tell(1, 2)

    monkeypatch.setitem(PARTS, "top", Part("", in_halves))
    monkeypatch.setitem(PARTS, "cam", Part("", in_halves))
    subject = subject_of_module(OwnModule(f"{net}:make_net", (3, 8, 8)), 1)
    told: list[tuple[str, float, float]] = []
    look(subject, ["top", "cam"], Choice(), tmp_path / "look", lambda *each: told.append(each))
    within = [("top", 0, 2), ("top", 0.5, 2), ("cam", 1, 2), ("cam", 1.5, 2)]
    assert told == [*within, ("done", 2, 2)]


@pytest.mark.parametrize("part", ["maximise", "attributions", "faithfulness", "deconv"])
def test_a_backward_pass_that_fails_is_told_in_one_line(
    convscope: Convscope, net: Path, tmp_path: Path, part: str
) -> None:
    from PIL import Image

    for name in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    answer = convscope(
        *("look", f"{net}:one_way", "--input", "3x8x8", "--clips", tmp_path, "--n", 1),
        *("--what", part, "--out", tmp_path / "look"),
    )
    (line,) = [line for line in answer.err.splitlines() if line.startswith("convscope: ")]
    assert (answer.code, "Traceback" in answer.err) == (2, False)
    assert line == "convscope: OneWay: its backward pass failed with ValueError: no way back"


def test_a_second_look_adds_to_the_first(convscope: Convscope, net: Path, tmp_path: Path) -> None:
    module = ("look", f"{net}:make_net", "--input", "3x8x8", "--out", tmp_path / "look")
    (tmp_path / "look").mkdir()
    (tmp_path / "look" / "look.json").write_text("{")  # damaged: as if it were not there
    for part in ("filters", "response", "filters"):
        answer = convscope(*module, "--what", part, "--json")
        assert [each["part"] for each in answer.json["parts"]] == [part]
    index = json.loads((tmp_path / "look" / "look.json").read_text())
    assert [each["part"] for each in index["parts"]] == ["filters", "response"]
    listed = [file for each in index["parts"] for file in each["files"]]
    made = {path.name for path in (tmp_path / "look").iterdir()}
    assert (len(listed), {*listed, "look.json"}) == (len(set(listed)), made)


def test_no_part_by_name_means_the_default_ones(
    convscope: Convscope, net: Path, tmp_path: Path
) -> None:
    module = ("look", f"{net}:make_net", "--input", "3x8x8", "--out", tmp_path / "look")
    answer = convscope(*module, "--n", 1, "--what", "")
    assert answer.code == 0, answer.err
    assert "cam          skipped: " in answer.out


@pytest.mark.parametrize(
    ("function", "shape", "words"),
    [
        ("diverged", "3x8x8", "expected finite weights, 4.bias holds NaN or infinity"),
        ("make_net", "1x99999999999", "--input 1x99999999999 does not fit into memory"),
        ("make_net", "1x9999999999999999999999", "does not fit into memory"),
    ],
)
def test_a_module_that_fails_is_told_in_one_line(
    convscope: Convscope, net: Path, tmp_path: Path, function: str, shape: str, words: str
) -> None:
    answer = convscope(
        *("look", f"{net}:{function}", "--input", shape, "--out", tmp_path / "look"), "--n", 1
    )
    (line,) = [line for line in answer.err.splitlines() if line.startswith("convscope: ")]
    assert (answer.code, words in line) == (2, True), answer.err
    assert not (tmp_path / "look").exists()


def test_a_part_that_fails_spoils_only_itself(
    convscope: Convscope, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(_subject: Subject, _choice: Choice, writer: ResultWriter) -> None:
        writer.text("half.txt", "of it")
        raise ZeroDivisionError("a stride of 0")

    monkeypatch.setitem(PARTS, "response", Part("", wrong))
    out = tmp_path / "look"
    answer = convscope("look", f"{net}:make_net", "--input", "3x8x8", "--out", out, "--n", 1)
    assert answer.code == 1
    assert "response     failed: ZeroDivisionError: a stride of 0" in answer.out
    assert answer.out.splitlines()[-1] == str(out)
    parts = {each["part"]: each for each in json.loads((out / "look.json").read_text())["parts"]}
    assert parts["filters"]["files"]
    assert parts["response"]["failed"] == "ZeroDivisionError: a stride of 0"
    assert "Traceback" in (out / "failed_response.txt").read_text()
    assert not (out / "half.txt").exists()


def test_a_module_that_fails_midway_keeps_what_was_made_and_says_why(
    convscope: Convscope, net: Path, tmp_path: Path
) -> None:
    answer = convscope("look", f"{net}:tired", "--input", "3x8x8", "--out", tmp_path, "--n", 1)
    assert answer.code == 1
    assert "RuntimeError: no more" in answer.out


def test_a_module_that_fails_while_a_part_calls_it_is_told_in_one_line(
    convscope: Convscope, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calls(subject: Subject, *_: object) -> None:
        for _call in range(4):
            subject.net(torch.zeros(1, *subject.shape))

    monkeypatch.setitem(PARTS, "top", Part("", calls))
    answer = convscope(
        *("look", f"{net}:tired", "--input", "3x8x8", "--what", "top", "--out", tmp_path / "look")
    )
    assert answer.code == 2
    assert "its forward pass failed with RuntimeError: no more for today" in answer.err


def test_a_mistake_of_ours_is_not_blamed_on_the_module(
    convscope: Convscope, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setitem(PARTS, "top", Part("", wrong))
    with pytest.raises(RuntimeError, match="ours"):
        convscope("look", f"{net}:make_net", "--input", "3x8x8", "--what", "top", "--out", tmp_path)


def test_a_run_that_is_not_done_is_refused(convscope: Convscope, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("{}")
    answer = convscope("look", tmp_path)
    assert answer.code == 2
    assert "is not done" in answer.err


def test_dead_units_of_several_runs_are_one_table(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.yaml").write_text("{}")
    answer = convscope(
        *("look", trained.parent, trained, tmp_path, "--what", "dead", "--n-clips", 8),
        *("--out", tmp_path / "look", "--json"),
    )
    assert answer.code == 0, answer.err
    assert "convscope: 1 of 2 runs left out, as not done: unfinished\n" in answer.err
    names = {f"dead_runs.{suffix}" for suffix in ("csv", "json", "png", "svg")}
    assert set(answer.json["parts"][0]["files"]) == names
    rows = json.loads((tmp_path / "look" / "dead_runs.json").read_text())
    assert [(row["run"], row["layer"]) for row in rows] == [
        (trained.name, layer) for layer in ("conv1", "conv2", "conv3")
    ]
    index = json.loads((tmp_path / "look" / "look.json").read_text())
    assert (index["of"], index["parts"][0]["part"]) == (trained.name, "dead")


def test_one_net_is_looked_at_at_a_time(
    convscope: Convscope, trained: Path, net: Path, tmp_path: Path
) -> None:
    (tmp_path / "sweep" / "unfinished").mkdir(parents=True)
    (tmp_path / "sweep" / "unfinished" / "config.yaml").write_text("{}")
    one_at_a_time = "one net is looked at at a time, only --what dead takes several runs"
    for arguments, words in (
        ((trained.parent,), one_at_a_time),
        ((trained, trained, "--what", "dead,top"), one_at_a_time),
        ((f"{net}:make_net", f"{net}:dense"), one_at_a_time),
        ((trained, f"{net}:dense", "--what", "dead"), ":dense is no folder"),
        ((trained.parent, "--what", "dead", "--layer", "conv1"), "--layer has no effect beside"),
        ((tmp_path / "sweep", "--what", "dead"), "none of 1 runs is done"),
        ((tmp_path, "--what", "dead"), f"{tmp_path} is no run"),
    ):
        answer = convscope("look", *arguments, "--out", tmp_path / "look")
        assert (answer.code, words in answer.err.splitlines()[-1]) == (2, True), answer.err
    assert not (tmp_path / "look").exists()
