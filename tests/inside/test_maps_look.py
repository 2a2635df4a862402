"""The part maps of a look: what it puts in the folder of results, and what it refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from convscope.inside.maps.part import look_maps
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Examples, Subject
from convscope.models.cnn import build
from convscope.models.spec import make_spec


class Unsaved(ResultWriter):
    """Figures are made, but not rendered, which takes longest."""

    def figure(self, name: str, figure: Figure) -> None:
        self.text(f"{name}.png", f"{len(figure.axes)} axes")


def subject(family: str, shape: tuple[int, ...], **changes: Any) -> Subject:
    torch.manual_seed(0)
    spec = make_spec({"family": family, "conv_layers": 3, "base_channels": 4})
    clips = np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
    ids = np.array([f"word{i % 3}/clip {i}.wav" for i in range(6)])
    made = Subject(
        name="a-run",
        net=build(spec, shape, 3).eval(),
        scale=lambda clips: clips,
        front=nn.Identity(),
        domain="waveform" if len(shape) == 2 else "image",
        shape=shape,
        clip_shape=shape,
        classes=("yes", "no", "up"),
        examples=Examples(clips, np.arange(6) % 3, ids),
        rate_hz=1000 if len(shape) == 2 else None,
    )
    return replace(made, **changes)


def names(folder: Path, suffix: str) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*.{suffix}"))


def test_three_clips_of_different_classes_are_shown(tmp_path: Path) -> None:
    look_maps(subject("custom", (1, 300)), Choice(layer="act3"), Unsaved(tmp_path))
    assert [each for each in names(tmp_path, "png") if "stft" not in each] == [
        "maps_act3_no-clip-1",
        "maps_act3_up-clip-2",
        "maps_act3_yes-clip-0",
    ]
    kept = np.load(tmp_path / "maps_act3_no-clip-1.npz")
    assert kept["values"].shape == (4, 100)
    np.testing.assert_allclose(kept["time"], (1 + 3 * np.arange(100)) / 1000)


def test_all_layers_are_shown_together(tmp_path: Path) -> None:
    look_maps(subject("custom", (1, 300)), Choice(n=1), Unsaved(tmp_path))
    assert names(tmp_path, "png") == ["maps_stft_yes-clip-0", "maps_yes-clip-0"]
    spectra = np.load(tmp_path / "maps_stft_act1_yes-clip-0.npz")
    assert spectra["frequency"][-1] == 500
    assert spectra["time"][0] == pytest.approx(127 / 2 / 1000)


def test_maps_have_their_picture(tmp_path: Path) -> None:
    look_maps(subject("custom", (1, 300)), Choice(layer="act3", n=1), ResultWriter(tmp_path))
    assert (tmp_path / "maps_act3_yes-clip-0.png").stat().st_size > 1000
    assert "time (ms)" in (tmp_path / "maps_act3_yes-clip-0.svg").read_text()


def test_a_chosen_layer_and_unit_are_shown_alone(tmp_path: Path) -> None:
    choice = Choice(layer="conv2", unit="conv2:3", n=1)
    look_maps(subject("custom", (1, 300)), choice, Unsaved(tmp_path))
    assert names(tmp_path, "png") == ["maps_conv2_yes-clip-0", "maps_stft_conv2_yes-clip-0"]
    assert np.load(tmp_path / "maps_stft_conv2_yes-clip-0.npz")["unit"].tolist() == ["conv2:3"]


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_dead_layers_are_drawn_without_spectra(value: float, tmp_path: Path) -> None:
    look = subject("custom", (1, 300))
    with torch.no_grad():
        for parameter in look.net.parameters():
            parameter.fill_(value)
    look_maps(look, Choice(n=1), Unsaved(tmp_path))
    assert "maps_yes-clip-0" in names(tmp_path, "png")
    assert "maps_stft_act3_yes-clip-0" not in names(tmp_path, "npz")


def test_the_maps_of_an_image_are_small_images(tmp_path: Path) -> None:
    look_maps(subject("image2d", (3, 24, 24)), Choice(n=2), Unsaved(tmp_path))
    assert len(names(tmp_path, "png")) == 2 * 3
    kept = np.load(tmp_path / "maps_act2_yes-clip-0.npz")
    assert kept["values"].shape == (4, 12, 12)
    np.testing.assert_allclose(kept["row"], 0.5 + 2 * np.arange(12))


def test_without_clips_rate_or_positions_there_are_no_maps(tmp_path: Path) -> None:
    for changes, words in (
        ({"examples": None}, "there are no clips to show the net: give some with --clips DIR"),
        ({"rate_hz": None}, "the sound's rate is not known: give --rate-hz"),
    ):
        with pytest.raises(NotApplicable, match=words):
            look_maps(subject("custom", (1, 300), **changes), Choice(), Unsaved(tmp_path))
    with pytest.raises(NotApplicable, match="logits has no positions, and so no maps"):
        look_maps(subject("custom", (1, 300)), Choice(layer="logits"), Unsaved(tmp_path))
    assert not list(tmp_path.iterdir())
