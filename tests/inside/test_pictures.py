"""How inputs are shown: the right way up, in their own colours, square, what is dead as dead."""

import importlib.util
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from convscope.data.config import SpectrogramConfig
from convscope.data.decoding.spectrogram import FrontEnd
from convscope.errors import UserError
from convscope.figures import envelope
from convscope.inside.attribution.figures import (
    MappedPicture,
    Panel,
    grid_figure,
    picture_maps_figure,
)
from convscope.inside.maximise.maximise import Maximised
from convscope.inside.maximise.part_maximise import is_driven, look_maximise
from convscope.inside.maximise.windows import window_of
from convscope.inside.results import writer as writer_module
from convscope.inside.results.examples import directions, pictured
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.module_subject import OwnModule, subject_of_module
from convscope.inside.subject.subject import Choice, Subject
from convscope.inside.units.figures_top import Cell, contact_sheet

GALLERY = Path(__file__).parents[2] / "gallery"

FILE = """
import numpy as np
from torch import nn

def make_net():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 2))

def preprocess(path):
    return np.zeros((3, 8, 8))

def show(values):
    return {show}
"""

CONFIG = SpectrogramConfig(window=32, stride=16, fft_size=32)


def own_subject(folder: Path, show: str) -> Subject:
    path = folder / "own.py"
    path.write_text(FILE.replace("{show}", show))
    return subject_of_module(
        OwnModule(f"{path}:make_net", (3, 8, 8), preprocess=f"{path}:preprocess"), 1
    )


def spectrogram_subject() -> Subject:
    torch.manual_seed(0)
    front = FrontEnd(CONFIG)
    conv = nn.Sequential(nn.Conv2d(1, 3, (5, 3)), nn.ReLU(), nn.Flatten())
    return Subject(
        name="small",
        net=nn.Sequential(*conv, nn.Linear(3 * 13 * 22, 2)),
        scale=front.scale,
        front=front,
        domain="spectrogram",
        shape=(1, 17, 24),
        clip_shape=(1, 400),
        classes=("a", "b"),
        examples=None,
        rate_hz=16_000,
        spectrogram=CONFIG,
    )


def test_a_users_show_makes_the_image_and_leaves_a_difference_of_zero(tmp_path: Path) -> None:
    subject = own_subject(tmp_path, "(values[::-1] + 100) / 200")
    values = np.arange(96, dtype=np.float32).reshape(2, 3, 4, 4)
    expected = (values[:, ::-1] + 100) / 200
    np.testing.assert_allclose(pictured(subject, values), expected, rtol=1e-6)
    difference = pictured(subject, values, is_difference=True)
    np.testing.assert_allclose(difference, values[:, ::-1] / 200, atol=1e-6)


@pytest.mark.parametrize(
    ("show", "words"),
    [
        ("values[0]", r"expected of show an image of shape \(3, 8, 8\) for .*, got \(8, 8\)"),
        ("values / nothing", r"--preprocess: show failed with NameError: name 'nothing'"),
    ],
)
def test_a_show_that_makes_no_image_is_refused(tmp_path: Path, show: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        own_subject(tmp_path, show)


def test_the_gallerys_inputs_are_shown_as_the_images_that_they_were(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("squeezenet", GALLERY / "squeezenet.py")
    assert spec is not None
    assert spec.loader is not None
    squeezenet = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(squeezenet)
    pixels = np.random.default_rng(0).integers(0, 256, (227, 227, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    shown = squeezenet.show(squeezenet.preprocess(tmp_path / "a.png"))
    np.testing.assert_allclose(shown, pixels.transpose(2, 0, 1) / 255, atol=1e-6)


def test_low_frequencies_are_shown_below() -> None:
    rows = np.arange(17, dtype=np.float32)[None, :, None].repeat(24, axis=2)
    assert pictured(spectrogram_subject(), rows)[0, :, 0].tolist() == list(range(16, -1, -1))
    assert directions(spectrogram_subject()) == "up: 0 to 8000 Hz; across: 0 to 0.025 s"


def test_a_unit_on_a_spectrogram_hears_its_window_of_the_sound_and_no_more() -> None:
    subject = spectrogram_subject()
    layer = subject.layers["conv1"]
    window = window_of(layer, subject.shape).heard(CONFIG, 400, row=6)
    sound = torch.randn(1, *window.shape, requires_grad=True)
    assert window.at is not None
    answer = subject.net[0](subject.front(sound))[0, 1][window.at]  # type: ignore[index]
    (slope,) = torch.autograd.grad(answer, sound)
    (seen,) = window.sees
    assert seen.stop - seen.start == (3 - 1) * 16 + 32
    assert not slope[0, 0, : seen.start].any()
    assert not slope[0, 0, seen.stop :].any()
    # a periodic Hann window is 0 at its first sample
    assert slope[0, 0, [seen.start + 1, seen.stop - 1]].all()


def test_a_sound_is_made_for_units_on_a_spectrogram(tmp_path: Path) -> None:
    look_maximise(spectrogram_subject(), Choice(unit="conv1:1"), ResultWriter(tmp_path))
    assert np.load(tmp_path / "maximise_conv1.npz")["values"].shape == (1, 1, 64)


def test_an_input_that_drives_no_unit_is_marked_and_not_heard(tmp_path: Path) -> None:
    subject = spectrogram_subject()
    with torch.no_grad():
        subject.net[0].weight[1] = 0  # type: ignore[index]
    look_maximise(subject, Choice(layer="conv1"), ResultWriter(tmp_path))
    svg = (tmp_path / "maximise_conv1.svg").read_text()
    assert svg.count("no gradient") == 1
    assert re.search(r"conv1:1: -?[\d.]+, no gradient", svg)
    sounds = sorted(path.name for path in tmp_path.glob("*.wav"))
    assert sounds == ["maximise_conv1_0.wav", "maximise_conv1_2.wav"]


def test_a_climb_that_ends_at_exactly_zero_drives_nothing() -> None:
    trace = np.array([[-1.0, 0.3, -2.0], [0.0, 0.3, -1.0]], np.float32)
    found = Maximised(np.zeros((3, 1, 4), np.float32), ("a", "b", "c"), trace[-1], trace)
    assert is_driven(found).tolist() == [False, False, True]


@pytest.mark.parametrize("n_cells", [1, 8, 10])
def test_cells_of_square_images_are_square(n_cells: int) -> None:
    cell = Cell(np.zeros((16, 16)), ((0, 4), (0, 4)), "a")
    figure = contact_sheet("sheet", {"row": [cell] * n_cells})
    (axes,) = figure.axes
    left, right, bottom, top = axes.images[0].get_extent()
    corners = axes.transData.transform([(left, bottom), (right, top)])
    width, height = np.diff(corners, axis=0)[0]
    assert height / width == pytest.approx(1, abs=0.02)


def test_mapped_pictures_keep_the_shape_of_their_image() -> None:
    picture = MappedPicture("a", np.zeros((3, 20, 10), np.float32), np.zeros((20, 10), np.float32))
    axes = (axis("row", range(20)), axis("column", range(10)))
    figure = picture_maps_figure("maps", [picture], axes)
    left, right, bottom, top = figure.axes[0].images[0].get_extent()
    assert (top - bottom) / (right - left) == pytest.approx(2)


def test_an_envelope_loses_no_click_and_a_short_line_stays() -> None:
    wave = np.zeros(100_000)
    wave[[12_345, 77_777]] = 1, -1
    x, y = envelope(np.arange(100_000), wave, 500)
    assert len(x) == len(y) <= 500
    assert (y.max(), y.min()) == (1, -1)
    assert abs(x[y.argmax()] - 12_345) <= 400
    np.testing.assert_array_equal(envelope(np.arange(3), wave[:3])[0], [0, 1, 2])


def test_of_a_large_array_there_is_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "LARGEST_CSV", 3)
    for n in (3, 4):
        ResultWriter(tmp_path).array(
            f"of_{n}", Result(np.zeros(n), (axis("unit", range(n)),), "gain")
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["of_3.csv", "of_3.npz", "of_4.npz"]


def test_a_net_of_foreign_spectrograms_is_not_made_to_sound(tmp_path: Path) -> None:
    foreign = replace(spectrogram_subject(), spectrogram=None, clip_shape=(1, 17, 24))
    with pytest.raises(NotApplicable, match="what makes the spectrograms is not known"):
        look_maximise(foreign, Choice(), ResultWriter(tmp_path))


def test_titles_of_neighbours_do_not_touch() -> None:
    title = "a_clip_of_a_rather_long_name_000\ntaken for five"
    panels = [Panel(np.zeros((1, 50), np.float32), title) for _ in range(6)]
    figure = grid_figure("grid", [("clip", panels)], [axis("time", range(50), "s")])
    figure.draw_without_rendering()
    boxes = [each.get_window_extent() for each in figure.axes[0].texts if each.get_text() == title]
    assert len(boxes) == 6
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
