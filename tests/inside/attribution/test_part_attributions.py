"""The parts deconv, attributions, cam and faithfulness: what they put in the folder of results."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convscope.data.config import SpectrogramConfig
from convscope.data.decoding.spectrogram import FrontEnd
from convscope.inside.attribution.part_attributions import look_attributions
from convscope.inside.attribution.part_cam import look_cam
from convscope.inside.attribution.part_deconv import look_deconv
from convscope.inside.attribution.part_faithfulness import look_faithfulness
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Examples, Subject
from convscope.models.modules import GlobalAverage, LogEnergy

SPECTROGRAM = SpectrogramConfig(window=32, stride=16, fft_size=32)
SHAPES: dict[str, tuple[int, ...]] = {
    "waveform": (1, 400),
    "spectrogram": (1, 17, 24),
    "image": (3, 10, 10),
}


def subject_of(domain: Any, head: str = "average", net: nn.Module | None = None) -> Subject:
    torch.manual_seed(0)
    shape = SHAPES[domain]
    is_sound = domain != "image"
    conv = nn.Conv1d if domain == "waveform" else nn.Conv2d
    end = GlobalAverage() if head == "average" else nn.Flatten()
    net = net or nn.Sequential(
        conv(shape[0], 4, 3), nn.ReLU(), conv(4, 6, 3), nn.ReLU(), end, nn.LazyLinear(3)
    )
    net(torch.zeros(1, *shape))
    front = FrontEnd(SPECTROGRAM if domain == "spectrogram" else None)
    clip_shape = (1, 400) if is_sound else shape
    drawn = np.random.default_rng(0).integers(0, 200, (6, *clip_shape))
    return Subject(
        name="small",
        net=net.eval(),
        scale=front.scale,
        front=front,
        domain=domain,
        shape=shape,
        clip_shape=clip_shape,
        classes=("one", "two", "three"),
        examples=Examples(
            clips=drawn.astype(np.int16) if is_sound else drawn.astype(np.uint8),
            labels=np.arange(6) % 3,
            ids=np.array([f"word/a{i}.wav" for i in range(6)]),
        ),
        rate_hz=16_000 if is_sound else None,
        spectrogram=SPECTROGRAM if domain == "spectrogram" else None,
    )


def made(writer: ResultWriter, suffix: str) -> set[str]:
    return {path.stem for path in writer.made if path.suffix == suffix}


@pytest.mark.parametrize("domain", SHAPES)
def test_deconv_shows_each_layer_of_each_clip(domain: str, tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path)
    look_deconv(subject_of(domain), Choice(n=2), writer)
    clips = ("word_a0", "word_a2")
    arrays = {f"deconv_{k}_{clip}" for k in ("conv1", "conv2", "logits") for clip in clips}
    assert made(writer, ".npz") == made(writer, ".csv") == arrays
    assert made(writer, ".png") == made(writer, ".svg") == {f"deconv_{clip}" for clip in clips}
    assert made(writer, ".wav") == (arrays if domain == "waveform" else set())
    values = np.load(tmp_path / "deconv_conv2_word_a0.npz")
    assert values["values"].shape == (2, *SHAPES[domain])
    assert str(values["unit"][0]).startswith("conv2:")
    about = json.loads(str(values["about"]))
    assert [each["name"] for each in about["axes"]][:2] == ["unit", "channel"]


def test_a_chosen_unit_is_the_only_one(tmp_path: Path) -> None:
    look_deconv(subject_of("waveform"), Choice(unit="conv2:5", n=1), ResultWriter(tmp_path))
    assert list(np.load(tmp_path / "deconv_conv2_word_a0.npz")["unit"]) == ["conv2:5"]


def log_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(1, 4, 3), LogEnergy(), nn.Conv1d(2, 4, 3), nn.ReLU(), GlobalAverage(),
        nn.Linear(4, 3),
    )  # fmt: skip


def test_layers_without_a_way_back_are_left_out_and_named(tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path)
    look_deconv(subject_of("waveform", net=log_net()), Choice(n=1), writer)
    assert made(writer, ".npz") == {"deconv_conv1_word_a0"}
    svg = (tmp_path / "deconv_word_a0.svg").read_text()
    assert "not from conv2 and 1 more: deconvnet has no rule for log" in svg
    with pytest.raises(NotApplicable, match="deconvnet has no rule for log"):
        look_deconv(subject_of("waveform", net=log_net()), Choice(layer="conv2"), writer)


@pytest.mark.parametrize("domain", SHAPES)
@pytest.mark.parametrize(("head", "name"), [("average", "cam"), ("flatten", "cam_grad_cam")])
def test_cam_is_cam_where_it_is_defined_and_its_name_says_which(
    domain: str, head: str, name: str, tmp_path: Path
) -> None:
    writer = ResultWriter(tmp_path)
    look_cam(subject_of(domain, head), Choice(n=2), writer)
    clips = ("word_a0", "word_a2")
    assert made(writer, ".npz") == {name}
    pictures = {f"{name}_{clip}" for clip in clips} if domain == "waveform" else {name}
    assert made(writer, ".png") == pictures
    title = "small: CAM of" if head == "average" else "small: Grad-CAM of conv2"
    assert title in (tmp_path / f"{min(pictures)}.svg").read_text()
    sounds = {f"{name}_{clip}_{which}" for clip in clips for which in ("clip", "heard")}
    assert made(writer, ".wav") == (sounds if domain != "image" else set())
    assert np.load(tmp_path / f"{name}.npz")["values"].shape == (2, *SHAPES[domain][1:])


def test_cam_of_a_chosen_layer_is_grad_cam_and_of_a_unit_that_is_no_class_none(
    tmp_path: Path,
) -> None:
    writer = ResultWriter(tmp_path)
    look_cam(subject_of("image"), Choice(layer="act1", unit="logits:two", n=1), writer)
    assert made(writer, ".npz") == {"cam_grad_cam"}
    assert ": two" in (tmp_path / "cam_grad_cam.svg").read_text()
    with pytest.raises(NotApplicable, match="conv1:0 is none: logits:CLASS"):
        look_cam(subject_of("image"), Choice(unit="conv1:0"), writer)


@pytest.mark.parametrize("domain", ["waveform", "image"])
def test_attributions_are_a_table_of_methods_and_clips(domain: str, tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path)
    look_attributions(subject_of(domain, "flatten"), Choice(n=2), writer)
    rows = json.loads((tmp_path / "attributions.json").read_text())
    assert len(rows) == 7 * 2
    integrated = [row for row in rows if row["method"] == "integrated_gradients"]
    assert all(row["gap"] < 0.05 for row in integrated)
    sounds = {"attributions_deconvnet_word_a0", "attributions_deconvnet_word_a2"}
    assert made(writer, ".wav") == (sounds if domain == "waveform" else set())


def test_a_method_that_is_not_defined_is_named(tmp_path: Path) -> None:
    look_attributions(subject_of("waveform", net=log_net()), Choice(n=1), ResultWriter(tmp_path))
    svg = (tmp_path / "attributions.svg").read_text()
    assert "not defined for this net: deconvnet" in svg
    assert not (tmp_path / "attributions_deconvnet.npz").exists()


def test_faithfulness_is_a_table_with_chance_as_its_last_row(tmp_path: Path) -> None:
    look_faithfulness(subject_of("image"), Choice(n=2), ResultWriter(tmp_path))
    rows = json.loads((tmp_path / "faithfulness.json").read_text())
    assert len(rows) == 7 + 5 + 1
    assert rows[-1]["method"] == "random map"
    assert rows[-1]["correlation_conv1"] is None
    assert {"correlation_logits", "correlation_conv2", "correlation_conv1"} < rows[0].keys()
    assert all(0 <= row["deletion_area"] <= 1 for row in rows)


PARTS: list[Callable[[Subject, Choice, ResultWriter], None]] = [
    look_deconv,
    look_cam,
    look_attributions,
    look_faithfulness,
]


@pytest.mark.parametrize("look", PARTS)
def test_without_clips_there_is_nothing_to_show(look: Callable[..., None], tmp_path: Path) -> None:
    from dataclasses import replace

    subject = replace(subject_of("image"), examples=None)
    with pytest.raises(NotApplicable, match="there are none: give --clips DIR"):
        look(subject, Choice(), ResultWriter(tmp_path))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("look", PARTS)
def test_a_net_that_is_looked_at_stays_as_it_was(look: Callable[..., None], tmp_path: Path) -> None:
    subject = subject_of("image", "flatten")
    before = {key: value.clone() for key, value in subject.net.state_dict().items()}
    state: Tensor = torch.get_rng_state()
    look(subject, Choice(n=1), ResultWriter(tmp_path))
    after = subject.net.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None and p.requires_grad for p in subject.net.parameters())
