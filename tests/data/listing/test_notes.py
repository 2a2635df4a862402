"""Files that can be read although something is wrong: check, training and predict say so."""

import logging
import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image

from convscope.data.checking.check import check_folder
from convscope.data.checking.table import problem_lines
from convscope.data.config import ImagesConfig, SoundsConfig
from convscope.data.decoding.images import image_decoder
from convscope.data.decoding.sound_files import read_sound, sound_decoder
from convscope.data.listing.files import Unreadable
from convscope.data.load import load_dataset

RATE_HZ = 16_000


def noise(n_times: int = 1600, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 0.1, n_times)


def wav_header(n_bytes: int, rate_hz: int = RATE_HZ, channels: int = 1) -> bytes:
    """A RIFF header that promises so many bytes of 16-bit samples."""
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * 2 & 0xFFFFFFFF, 2 * channels, 16)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", n_bytes)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + n_bytes) + b"WAVE" + chunks


def cancelling(path: Path) -> None:
    left = noise()
    soundfile.write(path, np.stack([left, -left], axis=1), RATE_HZ)


def cut_wav(path: Path) -> None:
    soundfile.write(path, noise(), RATE_HZ, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:-1000])


def cut_ogg(path: Path) -> None:
    soundfile.write(path, noise(32_000), RATE_HZ, format="OGG", subtype="VORBIS")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def single_sample(path: Path) -> None:
    path.write_bytes(wav_header(2, 44_100) + b"\x00\x40")


def fast_claim(path: Path) -> None:
    path.write_bytes(wav_header(3200, 2**31 - 1) + bytes(3200))


def many_channels(path: Path) -> None:
    path.write_bytes(wav_header(2000, channels=1000) + bytes(2000))


def twelve_bits(path: Path) -> None:
    ramp = np.linspace(0, 4095, 64 * 64).astype(np.uint16).reshape(64, 64)
    Image.fromarray(ramp).save(path, "PNG")


def png_chunk(kind: bytes, content: bytes) -> bytes:
    whole = kind + content
    return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))


def huge_claim(path: Path) -> None:
    """A PNG of some bytes that claims 60,000 × 60,000 pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    rest = png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + rest)


def corrupt_exif(path: Path) -> None:
    """A JPEG whose EXIF block breaks off: Pillow warns and gives the picture."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8))
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x0f\x01\x02\0\xff\0\0\0\xf0\0\0\0"
    picture.save(path, "JPEG", exif=exif)


SOUNDS: dict[str, Callable[[Path], None]] = {
    "cancelling.wav": cancelling,
    "cut.wav": cut_wav,
    "cut.ogg": cut_ogg,
    "single.wav": single_sample,
    "fast.wav": fast_claim,
    "wide.wav": many_channels,
}


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two classes of good clips, all odd files in one of them, and a name in Latin-1 bytes."""
    folder = tmp_path / "sounds"
    for k, name in enumerate(("high", "low")):
        (folder / name).mkdir(parents=True)
        for i in range(30):
            soundfile.write(folder / name / f"{i:02d}.wav", noise(seed=100 * k + i), RATE_HZ)
    for name, make in SOUNDS.items():
        make(folder / "low" / name)
    latin = os.fsencode(folder / "low") + b"/caf\xe9.wav"
    soundfile.write(folder / "low/plain.wav", noise(seed=999), RATE_HZ)
    os.rename(folder / "low/plain.wav", latin)
    return folder


def test_a_check_of_sounds_names_each_the_lost_ones_first(sounds: Path) -> None:
    lines = list(problem_lines(check_folder(sounds)))
    said = {line.split(":")[0].split()[-1]: line for line in lines}
    assert "claims a rate of 2,147,483,647 Hz, expected 100 to 768,000 Hz" in said["low/fast.wav"]
    assert "claims 1000 channels, expected at most 64" in said["low/wide.wav"]
    assert "none is left at 16,000 Hz" in said["low/single.wav"]
    assert said["low/cut.wav"].startswith("truncated")
    assert "ends after 1,100 " in said["low/cut.wav"]
    assert said["low/cut.ogg"].startswith("truncated")
    assert said["low/cancelling.wav"].startswith("silent")
    assert "its channels cancel each other" in said["low/cancelling.wav"]
    kinds = [line.split()[0] for line in lines]
    order = [kinds.index(kind) for kind in ("unreadable", "truncated", "silent")]
    assert order == sorted(order)
    assert not [line for line in lines if "caf" in line], "its name is odd, its sound is good"


def test_training_leaves_out_what_is_lost_and_counts_what_is_odd(
    sounds: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = SoundsConfig(folder=str(sounds), seconds=0.1, max_bad_share=0.2)
    with caplog.at_level(logging.WARNING):
        data = load_dataset(config)
    assert {bad.path for bad in data.left_out} == {"low/fast.wav", "low/single.wav", "low/wide.wav"}
    noted = {(each.path, each.kind) for each in data.noted}
    assert noted == {
        ("low/cut.wav", "truncated"),
        ("low/cut.ogg", "truncated"),
        ("low/cancelling.wav", "silent"),
    }
    warned = "\n".join(record.getMessage() for record in caplog.records)
    assert "2 of 64 files lack their end, such as low/cut." in warned
    assert "1 of 64 files are silent, such as low/cancelling.wav" in warned
    assert f"convscope data check {sounds} data.rate_hz=16000 data.seconds=0.1 names all" in warned
    again = load_dataset(config)
    assert again.noted == data.noted, "the cache keeps what was noted"


def test_a_check_hears_what_training_hears(tmp_path: Path) -> None:
    late = np.r_[np.zeros(1600), noise()]  # silent in its first 0.1 s, which is all that is kept
    folder = tmp_path / "class"
    folder.mkdir()
    soundfile.write(folder / "late.wav", late, RATE_HZ)
    soundfile.write(folder / "good.wav", noise(), RATE_HZ)
    assert check_folder(tmp_path).silent == ()
    [silent] = check_folder(tmp_path, settings={"seconds": 0.1}).silent
    assert silent.path == "class/late.wav"
    assert "what it holds lies outside" in silent.reason


@pytest.mark.parametrize("make", [fast_claim, many_channels])
def test_what_a_header_claims_is_refused_before_memory_is_taken(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "claim.wav")
    with pytest.raises(Unreadable, match="claims"):
        read_sound(tmp_path / "claim.wav", RATE_HZ)


def test_a_length_of_billions_of_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.w64"
    soundfile.write(path, noise(), RATE_HZ, format="W64")
    content = bytearray(path.read_bytes())
    at = content.index(b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a") + 16
    content[at : at + 8] = struct.pack("<Q", 2**62)
    path.write_bytes(bytes(content))
    with suppress(Unreadable):  # unless libsndfile goes by the size of the file
        assert len(read_sound(path, RATE_HZ).waveform) < 2000


def test_a_whole_file_has_no_notes(tmp_path: Path) -> None:
    for suffix in ("wav", "flac", "ogg", "aiff", "w64"):
        path = tmp_path / f"whole.{suffix}"
        soundfile.write(path, noise(32_000), RATE_HZ)
        assert sound_decoder(SoundsConfig(folder="x")).decode(path).notes == (), suffix


def test_a_name_in_latin_1_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "plain.wav", noise(), RATE_HZ)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.wav"))
    os.rename(tmp_path / "plain.wav", odd)
    assert len(read_sound(odd, RATE_HZ).waveform) == 1600


def test_a_check_of_images_names_levels_remarks_and_claims(tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    folder.mkdir()
    twelve_bits(folder / "dark.png")
    huge_claim(folder / "huge.png")
    corrupt_exif(folder / "exif.jpg")
    report = check_folder(tmp_path)
    [levels] = report.levels
    assert levels.path == "thing/dark.png"
    assert "its grey levels end at 4095 of 65535: data.white_level=4095" in levels.reason
    assert {remark.path for remark in report.remark} == {"thing/exif.jpg"}
    assert "Corrupt EXIF data" in report.remark[-1].reason
    [bad] = report.unreadable
    assert bad.path == "thing/huge.png"
    assert "Image size (3600000000 pixels) exceeds limit" in bad.reason
    assert check_folder(tmp_path, settings={"white_level": 4095}).levels == ()


def test_a_white_level_stretches_grey_pictures(tmp_path: Path) -> None:
    twelve_bits(tmp_path / "dark.png")
    usual = image_decoder(ImagesConfig(folder="x", image_size=64))(tmp_path / "dark.png")
    config = ImagesConfig(folder="x", image_size=64, white_level=4095)
    stretched = image_decoder(config)(tmp_path / "dark.png")
    assert usual.clip.max() == 15
    assert stretched.clip.max() == 255
    expected = np.asarray(Image.open(tmp_path / "dark.png")).astype(int) * 256 // 4096
    assert (stretched.clip[0] == expected).all()
    assert stretched.notes == ()


def test_names_of_runs_made_before_there_was_a_white_level_stay() -> None:
    config = ImagesConfig(folder="x")
    assert "white_level" not in config.identity()
    assert ImagesConfig(folder="x", white_level=4095).identity()["white_level"] == 4095
