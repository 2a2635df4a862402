"""One sound file in, one clip out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from convscope.data.decoding.sound_files import decode_sound, read_sound
from convscope.data.listing.files import Unreadable

Write = Callable[..., Path]


def tone(rate_hz: int, seconds: float = 1.0, hz: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)


@pytest.mark.parametrize("ending", ["wav", "flac", "aiff"])
def test_16_bit_files_come_out_as_they_went_in(
    tmp_path: Path, write_sound: Write, ending: str
) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 16_000).astype(np.int16)
    path = write_sound(tmp_path / f"a.{ending}", samples)
    clip, exact, _ = decode_sound(path, 16_000, 16_000)
    np.testing.assert_array_equal(clip, samples[None])
    assert clip.dtype == np.int16
    assert exact


@pytest.mark.parametrize(
    ("subtype", "stored", "expected"),
    [
        ("PCM_U8", [0.5, -0.25, -1.0], [16384, -8192, -32768]),
        ("PCM_24", [100 / 32768 + 100 / 2**23, 100 / 32768 + 200 / 2**23], [100, 101]),
        ("PCM_32", [-1.0, 12345 / 32768], [-32768, 12345]),
        ("FLOAT", [1.5, -1.5, 0.25, 0.6 / 32768], [32767, -32768, 8192, 1]),
    ],
)
def test_other_depths_are_rounded_and_clipped_to_int16(
    tmp_path: Path, write_sound: Write, subtype: str, stored: list[float], expected: list[int]
) -> None:
    path = write_sound(tmp_path / "a.wav", np.array(stored), subtype=subtype)
    assert decode_sound(path, 16_000, len(stored))[0][0].tolist() == expected


def test_channels_are_averaged(tmp_path: Path, write_sound: Write) -> None:
    stereo = np.tile([0.5, -0.25], (100, 1))
    path = write_sound(tmp_path / "a.wav", stereo, subtype="FLOAT")
    assert (decode_sound(path, 16_000, 100)[0] == 4096).all()


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_another_rate_gives_the_same_tone(tmp_path: Path, write_sound: Write, rate_hz: int) -> None:
    path = write_sound(tmp_path / "a.wav", tone(rate_hz), rate_hz)
    clip, exact, _ = decode_sound(path, 16_000, 16_000)
    middle = slice(1000, -1000)
    difference = clip[0, middle] / 32768 - tone(16_000)[middle]
    assert np.abs(difference).max() < 1e-3
    assert exact


def test_frequencies_that_the_new_rate_cannot_hold_are_filtered_out(
    tmp_path: Path, write_sound: Write
) -> None:
    path = write_sound(tmp_path / "a.wav", tone(48_000, hz=12_000), 48_000)
    assert np.abs(decode_sound(path, 16_000, 16_000)[0][0, 1000:-1000]).max() < 10


@pytest.mark.parametrize(
    ("ending", "subtype"), [("ogg", "VORBIS"), ("ogg", "OPUS"), ("mp3", "MPEG_LAYER_III")]
)
def test_lossy_files_sound_alike(
    tmp_path: Path, write_sound: Write, ending: str, subtype: str
) -> None:
    path = write_sound(tmp_path / f"a.{ending}", tone(16_000), subtype=subtype)
    clip, exact, _ = decode_sound(path, 16_000, 16_000)
    assert np.corrcoef(clip[0], tone(16_000))[0, 1] > 0.99
    assert exact


def test_a_short_sound_gets_zeros_at_its_end(tmp_path: Path, write_sound: Write) -> None:
    path = write_sound(tmp_path / "a.wav", np.arange(1, 101, dtype=np.int16))
    clip, exact, _ = decode_sound(path, 16_000, 150)
    assert clip[0].tolist() == [*range(1, 101), *[0] * 50]
    assert not exact


def test_a_long_sound_loses_its_end(tmp_path: Path, write_sound: Write) -> None:
    path = write_sound(tmp_path / "a.wav", np.arange(20_000, dtype=np.int16))
    clip, exact, _ = decode_sound(path, 16_000, 100)
    assert clip[0].tolist() == list(range(100))
    assert not exact
    assert read_sound(path, 16_000, 100)[1] == 20_000


def test_a_crop_is_what_the_whole_resampled_sound_begins_with(
    tmp_path: Path, write_sound: Write
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * 44_100)
    path = write_sound(tmp_path / "a.wav", noise, 44_100)
    whole, n_whole, _ = read_sound(path, 16_000)
    assert len(whole) == n_whole == 48_000
    clip = decode_sound(path, 16_000, 16_000)[0][0]
    assert np.abs(clip - whole[:16_000] * 32768).max() <= 1


def test_broken_files_say_why(tmp_path: Path, write_sound: Write) -> None:
    def reason(name: str) -> str:
        with pytest.raises(Unreadable) as caught:
            decode_sound(tmp_path / name, 16_000, 100)
        assert str(tmp_path) not in str(caught.value)
        return str(caught.value)

    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound at all, but long enough for a header of its own")
    write_sound(tmp_path / "none.wav", np.zeros(0))
    write_sound(tmp_path / "nan.wav", np.array([0.0, np.nan, 0.0]), subtype="FLOAT")
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000)
    flac = write_sound(tmp_path / "cut.flac", noise)
    flac.write_bytes(flac.read_bytes()[:5000])
    assert reason("empty.wav") == "is empty (0 bytes)"
    assert reason("text.wav") == "is no readable sound (Format not recognised)"
    assert reason("none.wav") == "holds no samples"
    assert reason("nan.wav") == "holds samples that are NaN or infinite"
    assert "is no readable sound" in reason("cut.flac")
    assert reason("absent.wav") == "cannot be read (No such file or directory)"


def test_the_real_mixed_recordings_are_all_readable(real_data: Callable[[str], Path]) -> None:
    files = sorted(real_data("words_reports16").glob("*/*"))
    lengths = [read_sound(path, 16_000)[1] for path in files]
    assert len(lengths) == 840
    assert lengths == [soundfile.info(path).frames for path in files]
