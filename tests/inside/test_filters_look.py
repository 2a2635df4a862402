"""The parts filters and response of a look: what they write, and what they refuse."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from convscope.data.config import SpectrogramConfig
from convscope.errors import UserError
from convscope.inside.filters.part_filters import look_filters
from convscope.inside.filters.part_response import folded_into, look_response, spatial_magnitude
from convscope.inside.results.examples import evenly
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
    spec = make_spec({"family": family, "conv_layers": 3, "base_channels": 4, "batch_norm": True})
    clips = np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
    ids = np.array([f"word{i % 3}/{i}.wav" for i in range(6)])
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


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("family", "shape"), [("custom", (1, 300)), ("image2d", (3, 24, 24))])
def test_the_weights_of_each_convolution_are_kept_as_they_are(
    family: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    look = subject(family, shape)
    look_filters(look, Choice(), Unsaved(tmp_path))
    for k in (1, 2, 3):
        kept = np.load(tmp_path / f"filters_conv{k}.npz")
        weight = look.layers[f"conv{k}"].weight
        assert weight is not None
        np.testing.assert_array_equal(kept["values"], weight.detach().numpy())
        folded = np.load(tmp_path / f"filters_conv{k}_folded.npz")["values"]
        np.testing.assert_allclose(folded, kept["values"] / np.sqrt(1 + 1e-5), rtol=1e-5)
        assert (tmp_path / f"filters_conv{k}.png").exists()


def test_each_array_has_its_picture(tmp_path: Path) -> None:
    look_filters(subject("custom", (1, 300)), Choice(layer="conv1"), ResultWriter(tmp_path))
    assert (tmp_path / "filters_conv1.png").stat().st_size > 1000
    assert "by centre frequency" in (tmp_path / "filters_conv1.svg").read_text()


def test_the_taps_of_a_deep_filter_are_as_far_apart_as_the_strides_before_it(
    tmp_path: Path,
) -> None:
    look_filters(subject("custom", (1, 300)), Choice(layer="act3"), Unsaved(tmp_path))
    assert not (tmp_path / "filters_conv1.npz").exists()
    times = np.load(tmp_path / "filters_conv3.npz")["time"]
    np.testing.assert_allclose(times, np.arange(5) * 3 / 1000)


def test_a_filter_on_a_spectrogram_has_axes_in_hz_and_s(tmp_path: Path) -> None:
    config = SpectrogramConfig(window=64, stride=20, fft_size=100)
    look = subject("image2d", (1, 24, 24), domain="spectrogram", spectrogram=config, rate_hz=1000)
    look_filters(look, Choice(layer="conv2"), Unsaved(tmp_path))
    kept = np.load(tmp_path / "filters_conv2.npz")
    np.testing.assert_allclose(kept["frequency"], np.arange(5) * 2 * 10)
    np.testing.assert_allclose(kept["time"], np.arange(5) * 2 * 0.02)
    with pytest.raises(NotApplicable, match="a net of spectrograms filters across frequencies"):
        look_response(look, Choice(), Unsaved(tmp_path))


def test_a_chosen_unit_is_shown_with_all_its_input_channels(tmp_path: Path) -> None:
    look_filters(
        subject("custom", (1, 300)), Choice(layer="conv2", unit="conv2:3"), Unsaved(tmp_path)
    )
    assert (tmp_path / "filters_conv2_3.png").exists()
    with pytest.raises(UserError, match="conv2:9: conv2 has 4 units, 0 to 3"):
        look_filters(subject("custom", (1, 300)), Choice(unit="conv2:9"), Unsaved(tmp_path))


def test_layers_without_filters_are_refused(tmp_path: Path) -> None:
    look = subject("custom", (1, 300))
    with pytest.raises(
        NotApplicable, match="logits has no filters: choose a convolution, conv1 to"
    ):
        look_filters(look, Choice(layer="logits"), Unsaved(tmp_path))
    with pytest.raises(UserError, match="conv9 is no layer of this net"):
        look_response(look, Choice(layer="conv9"), Unsaved(tmp_path))
    assert not list(tmp_path.iterdir())


def test_each_layers_response_is_at_its_own_rate_and_at_the_inputs(tmp_path: Path) -> None:
    look_response(subject("custom", (1, 300)), Choice(), Unsaved(tmp_path))
    own = np.load(tmp_path / "response_conv3_magnitude.npz")["frequency"]
    whole = np.load(tmp_path / "response_conv3_effective_magnitude.npz")["frequency"]
    assert own[-1] == pytest.approx(1000 / 3 / 2)
    assert whole[-1] == 500
    assert [row["layer"] for row in rows(tmp_path, "response_scales")] == [
        "conv1",
        "conv2",
        "conv3",
    ]
    units = rows(tmp_path, "response_conv3_effective_units")
    assert [row["unit"] for row in units] == [f"act3:{i}" for i in range(4)]
    assert all(float(row["centre_in_map_hz"] or 0) <= 1000 / 3 / 2 for row in units)


def test_the_level_of_a_filter_is_given_without_and_with_its_batch_norm(tmp_path: Path) -> None:
    look = subject("custom", (1, 300))
    norm = next(each for each in look.net.modules() if isinstance(each, nn.BatchNorm1d))
    with torch.no_grad():
        norm.weight.fill_(-10.0)
    look_response(look, Choice(layer="conv1"), Unsaved(tmp_path))
    for row in rows(tmp_path, "response_conv1_filters"):
        rise = float(row["peak_folded_db"]) - float(row["peak_db"])
        assert rise == pytest.approx(20, abs=0.01)


def test_a_net_without_clips_is_seen_by_its_weights_alone(tmp_path: Path) -> None:
    look_response(
        subject("custom", (1, 300), examples=None), Choice(layer="conv2"), Unsaved(tmp_path)
    )
    assert (tmp_path / "response_conv2_phase.npz").exists()
    assert not (tmp_path / "response_conv2_effective_magnitude.npz").exists()


def test_a_sound_of_unknown_rate_has_no_response(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="the sound's rate is not known: give --rate-hz"):
        look_response(subject("custom", (1, 300), rate_hz=None), Choice(), Unsaved(tmp_path))


def test_what_a_lower_rate_folds_down() -> None:
    found = folded_into(np.array([0.0, 400, 600, 1000, 1300]), 1000.0)
    assert found.tolist() == [0, 400, 400, 0, 300]


def test_a_grating_has_its_spatial_frequency() -> None:
    """A cosine of 1/8 cycles per pixel across, none down."""
    columns = np.cos(2 * np.pi * np.arange(32) / 8)
    magnitude = spatial_magnitude(np.tile(columns, (1, 1, 32, 1)).astype(np.float32))[0]
    places = np.argwhere(magnitude > magnitude.max() / 2)
    axis = np.fft.fftshift(np.fft.fftfreq(32))
    assert {(axis[i], axis[j]) for i, j in places} == {(0.0, -0.125), (0.0, 0.125)}


def test_images_have_a_response_in_cycles_per_pixel(tmp_path: Path) -> None:
    look_response(subject("image2d", (3, 24, 24)), Choice(layer="conv1"), Unsaved(tmp_path))
    kept = np.load(tmp_path / "response_conv1.npz")
    assert kept["across"][0] == -0.5
    assert kept["values"].shape == (4, 32, 32)


def test_some_are_spread_evenly_over_all() -> None:
    assert evenly(np.arange(9), 3).tolist() == [0, 4, 8]
    assert evenly(np.arange(2), 3).tolist() == [0, 1]
