"""What the parts put in the folder of results."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from convscope.inside.maximise.part_maximise import RATES, UNIT_STEPS, look_maximise
from convscope.inside.maximise.spoken import ASCENT
from convscope.inside.maximise.windows import window_of
from convscope.inside.results.loudness import levelled
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Domain, Examples, Subject
from convscope.inside.tracing.layers import Field, Layer


def subject(shape: tuple[int, ...], examples: Examples | None = None) -> Subject:
    """A net with a flattening head, of sound or images by its shape."""
    torch.manual_seed(0)
    is_sound = len(shape) == 2
    domain: Domain = "waveform" if is_sound else "image"
    conv = nn.Conv1d if is_sound else nn.Conv2d
    body = nn.Sequential(conv(shape[0], 6, 9), nn.ReLU(), nn.Flatten())
    n_numbers = body(torch.zeros(1, *shape)).shape[1]
    return Subject(
        name="small",
        net=nn.Sequential(*body, nn.Linear(n_numbers, 3)),
        scale=lambda clips: clips.float() / (32768 if is_sound else 255),
        front=nn.Identity(),
        domain=domain,
        shape=shape,
        clip_shape=shape,
        classes=("a", "b", "c"),
        examples=examples,
        rate_hz=1000 if is_sound else None,
    )


@pytest.mark.parametrize("shape", [(1, 1200), (3, 24, 20)])
def test_units_and_classes_are_kept_as_arrays_pictures_and_sounds(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    writer = ResultWriter(tmp_path)
    look_maximise(subject(shape), Choice(n=2), writer)
    names = {path.name for path in writer.made}
    for name in ("maximise_conv1", "maximise_logits", "maximise_trace", "maximise_rate"):
        assert {f"{name}.npz", f"{name}.csv", f"{name}.png", f"{name}.svg"} <= names
    units = np.load(tmp_path / "maximise_conv1.npz")
    assert units["values"].shape == (2, shape[0], *[9] * (len(shape) - 1))
    assert list(units["unit"]) == ["conv1:0", "conv1:1"]
    assert ("maximise_logits_b.wav" in names) == (len(shape) == 2)


def test_what_a_unit_hears_is_its_filter(tmp_path: Path) -> None:
    small = subject((1, 1200))
    look_maximise(small, Choice(unit="conv1:5"), ResultWriter(tmp_path))
    kept = np.load(tmp_path / "maximise_conv1.npz")
    (best,) = kept["values"]
    weight = small.net[0].weight[5].detach().numpy()  # type: ignore[index]
    cosine = (best * weight).sum() / np.linalg.norm(best) / np.linalg.norm(weight)
    assert cosine > 0.999
    assert not (tmp_path / "maximise_logits.npz").exists()
    sound, rate_hz = soundfile.read(tmp_path / "maximise_conv1_5.wav")
    assert (len(sound), rate_hz) == (250, 1000)


def test_the_window_of_a_unit_is_all_that_it_sees_and_no_more() -> None:
    layer = Layer("conv2", "conv", ("conv1d", 1), (4, 90), (Field(size=31, stride=3, start=-16),))
    window = window_of(layer, (1, 300))
    assert window.shape == (1, 34)
    assert window.at == (6,)
    assert window.sees == (slice(2, 33),)
    assert window_of(layer, (1, 33)).shape == (1, 33)
    assert window_of(layer, (1, 33)).at is None


@pytest.mark.parametrize(
    ("wave", "rms_db", "peak_db"),
    [(np.sin(np.arange(1000) / 3) + 5, -23, None), (np.eye(1, 4000)[0], None, -1)],
    ids=["a tone with an offset", "a click"],
)
def test_sounds_come_to_one_level_as_far_as_their_peak_allows(
    wave: np.ndarray, rms_db: float | None, peak_db: float | None
) -> None:
    made = levelled(wave)
    if rms_db is not None:
        assert 20 * np.log10(np.sqrt(np.mean(made**2))) == pytest.approx(rms_db, abs=0.01)
    if peak_db is not None:
        assert 20 * np.log10(np.abs(made).max()) == pytest.approx(peak_db, abs=0.01)


def test_silence_stays_silence() -> None:
    assert levelled(np.zeros(10)).tolist() == [0] * 10


def test_a_prior_without_clips_is_not_applicable(tmp_path: Path) -> None:
    from convscope.inside.maximise.part_prior import look_prior

    with pytest.raises(NotApplicable, match="needs 64 clips to learn from: give --clips DIR"):
        look_prior(subject((1, 1200)), Choice(), ResultWriter(tmp_path))


def test_how_far_the_ascents_are_is_told_step_by_step(tmp_path: Path) -> None:
    told: list[float] = []
    writer = ResultWriter(tmp_path, tell=lambda done, total: told.append(done / total))
    look_maximise(subject((1, 300)), Choice(n=1), writer)
    n_units, n_classes = UNIT_STEPS, ASCENT.steps * (1 + len(RATES))
    assert (len(told), told[-1]) == (n_units + n_classes, 1)
    assert told == sorted(told)
    assert told[n_units - 1] == 0.5
