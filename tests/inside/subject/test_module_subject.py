"""A net of the user's own: what it may be, and what is said where it is wrong."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch
from PIL import Image
from torch import nn

from convscope.errors import UserError
from convscope.inside.subject.module_subject import OwnModule, subject_of_module
from convscope.inside.subject.subject import Choice
from convscope.looking import look

FILE = """
import torch
from torch import nn

def make_net():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))

def for_shape(shape, n_classes):
    return nn.Sequential(nn.Conv1d(shape[0], 4, 3), nn.Flatten(), nn.Linear(4 * 98, n_classes))

def no_net():
    return 3

def fails():
    raise KeyError("lost")

def halves(path):
    import numpy as np
    return np.full((3, 8, 8), 0.5)

def exact():
    return make_net().double()

def coarse():
    return make_net().bfloat16()

class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("filters", torch.ones(2, 3, 3, 3, dtype=torch.float64))

    def forward(self, clips):
        return torch.conv2d(clips, self.filters).relu().mean((2, 3))

def wrong_size(path):
    import numpy as np
    return np.zeros((3, 4, 4))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(FILE)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name, grey in (("cat", 40), ("dog", 200)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (20, 30), (grey, grey, grey)).save(tmp_path / "pictures" / name / "1.png")
    return tmp_path / "pictures"


def image_net(file: Path, function: str = "make_net", **more: Any) -> OwnModule:
    return OwnModule(f"{file}:{function}", (3, 8, 8), **more)


def test_weights_are_put_into_the_net_also_of_half_precision(file: Path, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    weights = {key: value.half() for key, value in net.state_dict().items()}
    safetensors.torch.save_file(weights, tmp_path / "w.safetensors")
    subject = subject_of_module(image_net(file, weights=tmp_path / "w.safetensors"), 10)
    own = subject.net.state_dict()
    assert own["0.weight"].dtype == torch.float32
    assert torch.equal(own["0.weight"], weights["0.weight"].float())


def test_images_come_as_our_own_data_do_with_classes_by_folder(
    file: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("dog\ncat\n")
    own = image_net(file, clips=pictures, classes=tmp_path / "names.txt")
    subject = subject_of_module(own, 10)
    assert subject.examples is not None
    assert subject.examples.ids.tolist() == ["cat/1.png", "dog/1.png"]
    assert subject.examples.labels.tolist() == [1, 0]
    inputs = subject.inputs(subject.examples.clips)
    assert inputs[:, 0, 0, 0].tolist() == pytest.approx([40 / 255, 200 / 255])
    assert subject.domain == "image"


def test_a_sound_net_gets_sounds_of_its_rate_and_length(file: Path, tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "a.wav", np.full(160, 0.5), 1600)
    (tmp_path / "names.txt").write_text("no\nyes\n")
    own = OwnModule(
        f"{file}:for_shape",
        (1, 100),
        rate_hz=1600,
        classes=tmp_path / "names.txt",
        clips=tmp_path / "sounds",
    )
    subject = subject_of_module(own, 10)
    assert subject.examples is not None
    assert subject.inputs(subject.examples.clips).shape == (1, 1, 100)
    assert (subject.domain, subject.layers["logits"].n_units) == ("waveform", 2)


def test_a_users_own_function_makes_the_input(file: Path, pictures: Path) -> None:
    own = image_net(file, clips=pictures, preprocess=f"{file}:halves")
    subject = subject_of_module(own, 1)
    assert subject.examples is not None
    assert (len(subject.examples), float(subject.inputs(subject.examples.clips).mean())) == (1, 0.5)


@pytest.mark.parametrize("function", ["exact", "coarse", "Fixed"])
@pytest.mark.parametrize("part", ["filters", "maps", "top", "deconv", "cam", "attributions"])
def test_a_net_is_shown_clips_as_precise_as_its_weights(
    file: Path, pictures: Path, tmp_path: Path, function: str, part: str
) -> None:
    subject = subject_of_module(image_net(file, function, clips=pictures), 2)
    assert subject.examples is not None
    weight = subject.layers["conv1"].weight
    assert weight is not None
    assert subject.inputs(subject.examples.clips).dtype == weight.dtype != torch.float32
    assert look(subject, [part], Choice(n=1), tmp_path / "look", lambda *_: None)[0].files


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "blocks_beside.py").write_text("from torch import nn\nBLOCK = nn.Conv2d(3, 2, 3)\n")
    (tmp_path / "own.py").write_text(
        "from torch import nn\nfrom blocks_beside import BLOCK\n"
        "def make_net():\n    return nn.Sequential(BLOCK, nn.Flatten(), nn.Linear(72, 2))\n"
    )
    before = list(sys.path)
    subject = subject_of_module(image_net(tmp_path / "own.py"), 1)
    assert subject.layers["conv1"].n_units == 2
    assert sys.path == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"function": "nothing"}, r"own\.py has no function nothing: define it"),
        ({"function": "no_net"}, r"expected a torch\.nn\.Module, got int"),
        ({"function": "fails"}, r"own\.py:fails: it failed with KeyError: 'lost'"),
        ({"weights": Path("none.safetensors")}, r"--weights none\.safetensors: expected a"),
        ({"clips": Path("nowhere")}, r"--clips nowhere is no folder"),
        ({"classes": Path("nowhere.txt")}, r"--classes nowhere\.txt cannot be read"),
    ],
)
def test_what_is_wrong_is_said(file: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        subject_of_module(image_net(file, **change), 10)


def test_what_is_no_file_or_shape_or_weight_of_this_net_is_said(
    file: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"expected FILE\.py:FUNCTION"):
        subject_of_module(OwnModule("resnet18", (3, 8, 8)), 10)
    with pytest.raises(UserError, match=r"Sequential failed on clips of shape \(1, 3, 9, 9\)"):
        subject_of_module(OwnModule(f"{file}:make_net", (3, 9, 9)), 10)
    safetensors.torch.save_file({"0.weight": torch.zeros(2, 2)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"do not fit the net: 0\.bias is missing there and 4 in"):
        subject_of_module(image_net(file, weights=tmp_path / "w.safetensors"), 10)
    with pytest.raises(UserError, match=r"--preprocess: expected an array of shape \(3, 8, 8\)"):
        subject_of_module(image_net(file, clips=pictures, preprocess=f"{file}:wrong_size"), 10)
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\ne\n")
    with pytest.raises(UserError, match=r"--classes: expected a name for each of the net's 2 log"):
        subject_of_module(image_net(file, classes=tmp_path / "names.txt"), 10)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"--clips .*empty holds no clips: expected files such as"):
        subject_of_module(image_net(file, clips=tmp_path / "empty"), 10)
