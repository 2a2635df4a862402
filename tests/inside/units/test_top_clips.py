"""A net that answers most to a known pattern at a known place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from convscope.data.config import SpectrogramConfig
from convscope.errors import UserError
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Examples, Subject
from convscope.inside.units.part_top import faded, in_turn, look_top
from convscope.inside.units.top_clips import top_clips

N_TIMES = 40


class Net(nn.Module):
    """Finds a step up (unit 0) and its mirror (unit 1), after a layer that hands its input on."""

    def __init__(self, n_axes: int = 1) -> None:
        super().__init__()
        conv = {1: nn.Conv1d, 2: nn.Conv2d}[n_axes]
        self.pool = {1: nn.MaxPool1d, 2: nn.MaxPool2d}[n_axes](2)
        self.first = conv(1, 1, 1, bias=False)
        self.second = conv(1, 2, 2, bias=False)
        with torch.no_grad():
            self.first.weight.fill_(1)
            self.second.weight.zero_()
            self.second.weight.flatten(2)[0, 0, -1] = 1
            self.second.weight.flatten(2)[0, 0, 0] = -1
            self.second.weight[1] = -self.second.weight[0]

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.pool(torch.relu(self.first(x))))).flatten(2).mean(2)


def steps(n_axes: int = 1) -> Tensor:
    """Clip i has one bright spot of height i + 1 at place 4 + 4 i, along each axis."""
    clips = torch.zeros(6, 1, *[N_TIMES] * n_axes)
    for i in range(6):
        place = (i, 0) + (4 + 4 * i,) * n_axes
        clips[place] = i + 1
    return clips


@pytest.mark.parametrize("n_axes", [1, 2])
def test_the_strongest_clips_come_first_with_the_stretch_that_holds_the_pattern(
    n_axes: int,
) -> None:
    top = top_clips(Net(n_axes), "conv2", steps(n_axes), n=3)
    assert top.most.clips[0].tolist() == [5, 4, 3]
    assert top.most.responses[0].tolist() == [6, 5, 4]
    # Pooled places 12 / 11 hold sample 24; a unit sees two pooled places, four samples.
    assert top.most.stretches[0, 0].tolist() == [[22, 26]] * n_axes
    assert top.most.positions[0, 0].tolist() == [11] * n_axes


@pytest.mark.parametrize("n_axes", [1, 2])
def test_what_speaks_most_against_a_unit_drives_its_mirror_most(n_axes: int) -> None:
    top = top_clips(Net(n_axes), "act2", steps(n_axes), n=2)
    assert top.least.clips[0].tolist() == top.most.clips[1].tolist() == [5, 4]
    assert top.least.responses[0].tolist() == [-6, -5]
    np.testing.assert_array_equal(top.least.stretches[0], top.most.stretches[1])


def test_batch_by_batch_equals_all_at_once_also_among_equals() -> None:
    torch.manual_seed(0)
    clips = torch.randint(0, 4, (30, 1, N_TIMES)).float()
    whole = top_clips(Net(), "conv2", clips, n=7)
    parts = top_clips(Net(), "conv2", iter(clips.split(4)), n=7)
    for a, b in ((whole.most, parts.most), (whole.least, parts.least)):
        np.testing.assert_array_equal(a.responses, b.responses)
        np.testing.assert_array_equal(a.clips, b.clips)
        np.testing.assert_array_equal(a.stretches, b.stretches)
    assert (np.diff(whole.most.clips[0][whole.most.responses[0] == 3]) > 0).all()


def test_of_logits_the_stretch_is_the_whole_clip() -> None:
    top = top_clips(Net(), "logits", steps(), n=99)
    assert top.most.clips.shape == (2, 6)
    assert top.most.stretches[1, 2].tolist() == [[0, N_TIMES]]


def test_a_stretch_ends_where_the_clip_ends() -> None:
    conv = nn.Conv1d(1, 1, 9, padding=4)
    nn.init.ones_(conv.weight)
    net = nn.Sequential(conv, nn.Flatten(), nn.Linear(N_TIMES, 2))
    clips = torch.zeros(1, 1, N_TIMES)
    clips[0, 0, :2] = 1
    assert top_clips(net, "conv1", clips, n=1).most.stretches[0, 0].tolist() == [[0, 5]]


def test_a_layer_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"conv9 is no layer of this net.*conv2"):
        top_clips(Net(), "conv9", steps())


def subject(examples: Examples | None) -> Subject:
    return Subject(
        name="net",
        net=nn.Sequential(Net()),
        scale=lambda values: values.float() / 32768,
        front=nn.Identity(),
        domain="waveform",
        shape=(1, N_TIMES),
        clip_shape=(1, N_TIMES),
        classes=("low", "high"),
        examples=examples,
        rate_hz=1000,
    )


def examples() -> Examples:
    stored = (4000 * steps()).numpy().astype(np.int16)
    ids = np.array([f"clip{i}.wav" for i in range(6)])
    return Examples(stored, np.array([0, 0, 0, 1, 1, 1]), ids)


def test_look_names_clip_class_and_seconds_and_makes_the_stretch_heard(tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path)
    look_top(subject(examples()), Choice(unit="conv2:0", n=2), writer)
    rows = (tmp_path / "top_conv2_clips.csv").read_text().splitlines()
    assert rows[0] == "unit,end,rank,clip,class,response,start_s,stop_s"
    assert rows[1] == "conv2:0,most,1,clip5.wav,high,0.732422,0.022,0.026"
    assert (tmp_path / "top_conv2.png").is_file()
    heard, rate_hz = soundfile.read(tmp_path / "top_conv2_0_most_stretches.wav")
    assert (rate_hz, len(heard)) == (1000, 2 * (4 + 250))
    whole, _ = soundfile.read(tmp_path / "top_conv2_0_most_clips.wav")
    assert np.flatnonzero(whole).tolist() == [24, N_TIMES + 250 + 20]


def test_look_without_choice_shows_each_layer(tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path)
    look_top(subject(examples()), Choice(), writer)
    sheets = {path.stem for path in writer.made if path.suffix == ".png"}
    assert sheets == {"top_conv1", "top_conv2", "top_logits"}


class Front(nn.Module):
    """Gives for a clip the picture of the number that it begins with."""

    def forward(self, clips: Tensor) -> Tensor:
        return steps(n_axes=2)[(clips[:, 0, 0] * 32768).round().long()]


def test_of_a_spectrogram_the_stretch_is_given_in_seconds_and_hertz(tmp_path: Path) -> None:
    """Frames 22 to 25 of stride 10 and window 20 are samples 220 to 270; a bin is 1000/80 Hz."""
    stored = np.zeros((6, 1, 410), np.int16)
    stored[:, 0, 0] = np.arange(6)
    two = replace(
        subject(Examples(stored, np.arange(6) % 2, np.arange(6).astype(str))),
        net=nn.Sequential(Net(2)),
        front=Front(),
        domain="spectrogram",
        shape=(1, N_TIMES, N_TIMES),
        clip_shape=(1, 410),
        spectrogram=SpectrogramConfig(window=20, stride=10, fft_size=80),
    )
    look_top(two, Choice(unit="conv2:0", n=1), ResultWriter(tmp_path))
    row = (tmp_path / "top_conv2_clips.csv").read_text().splitlines()[1].split(",")
    assert row[6:] == ["0.22", "0.27", "275.0", "312.5"]
    heard, _ = soundfile.read(tmp_path / "top_conv2_0_most_stretches.wav")
    assert len(heard) == 50 + 250


def test_without_clips_it_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="no clips"):
        look_top(subject(None), Choice(), ResultWriter(tmp_path))


def test_fades_bring_both_ends_down_and_leave_the_middle() -> None:
    faded_wave = faded(np.ones(20, np.float32), 4)
    assert faded_wave[0] == faded_wave[-1] < 0.1
    assert faded_wave[4:16].tolist() == [1] * 12
    assert len(in_turn([faded_wave, faded_wave], 100)) == 2 * (20 + 25)


def test_batches_of_another_length_are_refused() -> None:
    batches = [torch.zeros(2, 1, N_TIMES), torch.zeros(2, 1, 2 * N_TIMES)]
    words = r"expected clips of one shape, \(1, 40\) as the first, got \(1, 80\): cut or pad"
    with pytest.raises(UserError, match=words):
        top_clips(Net(), "conv2", batches)


def test_integer_arrays_and_reversed_ones_are_clips_too() -> None:
    expected = top_clips(Net(), "conv2", steps(), 3).most
    reversed_twice = steps().flip(-1).numpy()[..., ::-1]
    for given in (steps().numpy().astype(np.int16), reversed_twice):
        found = top_clips(Net(), "conv2", given, 3).most
        np.testing.assert_array_equal(found.responses, expected.responses)
        np.testing.assert_array_equal(found.stretches, expected.stretches)
