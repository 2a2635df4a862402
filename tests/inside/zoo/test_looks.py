"""Nets as papers have them: every part of a look is made, or skipped with a known sentence."""

import dataclasses
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import nn

from convscope.errors import UserError
from convscope.inside.subject.module_subject import OwnModule, subject_of_module
from convscope.inside.subject.subject import Choice
from convscope.inside.tracing.interpolation import stretched
from convscope.looking import look

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
images, sounds, waveforms = map(importlib.import_module, ("images", "sounds", "waveforms"))

RATE_HZ = 4000
NETS: list[type[nn.Module]] = [
    *waveforms.WAVEFORM_NETS,
    *sounds.SOUND_NETS,
    *images.IMAGE_NETS,
]
SKIPPED = (
    "the filters slide over bands and frames that the net makes of the sound itself",
    "deconvnet has no rule for",
)
DOCS = (HERE.parents[2] / "docs" / "looking.md").read_text()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "sounds").mkdir()
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        soundfile.write(folder / "sounds" / f"{i}.wav", rng.normal(0, 0.1, 1600), RATE_HZ)
        image = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / "images" / f"{i}.png")
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of each ascent; figures are made, but neither laid out nor drawn."""
    part = importlib.import_module("convscope.inside.maximise.part_maximise")
    monkeypatch.setattr(part, "UNIT_STEPS", 2)
    monkeypatch.setattr(part, "CLASS_STEPS", 2)
    monkeypatch.setattr(part, "SPOKEN", dataclasses.replace(part.SPOKEN, steps=2))
    writer = importlib.import_module("convscope.inside.results.writer")
    monkeypatch.setattr(writer, "_lay_out", lambda figure: None)
    monkeypatch.setattr(writer, "to_png", lambda figure: b"png")
    monkeypatch.setattr(writer, "to_svg", lambda figure: "svg")


def own(net: type[nn.Module], clips: Path) -> OwnModule:
    file = sys.modules[net.__module__].__file__
    if net.__module__ == "images":
        return OwnModule(f"{file}:{net.__name__}", (3, 24, 24), clips=clips / "images")
    return OwnModule(f"{file}:{net.__name__}", (1, 1600), rate_hz=RATE_HZ, clips=clips / "sounds")


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_every_default_part_is_made_or_skipped_with_a_known_sentence_as_the_docs_say(
    net: type[nn.Module], clips: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    subject = subject_of_module(own(net, clips), 3)
    looks = look(subject, (), Choice(n=1), tmp_path / "look", lambda *_: None)
    assert {each.part: each.failed for each in looks if each.failed} == {}
    skipped = [each for each in looks if each.skipped is not None]
    for each in skipped:
        assert any(words in str(each.skipped) for words in SKIPPED), (each.part, each.skipped)
    parts = ", ".join(f"`{each.part}`" for each in skipped) or "none"
    assert f"| {net.__name__} | {parts} |" in DOCS


def test_a_net_of_two_inputs_is_refused_by_their_names(clips: Path) -> None:
    with pytest.raises(UserError, match=r"TwoInputs takes 2 inputs \(x, mask\): expected one"):
        subject_of_module(own(images.TwoInputs, clips), 3)


def test_maps_within_a_spectrogram_are_stretched_over_the_clip_by_their_frames() -> None:
    maps = torch.zeros(1, 3, 4)  # bands × frames
    maps[0, :, 2] = 1.0
    over = stretched(maps, (40,))
    assert over.shape == (1, 40)
    assert over[0].argmax() in range(20, 30)
    assert stretched(torch.ones(2, 5), (10, 20)).shape == (2, 10, 20)
