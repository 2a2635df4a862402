"""Image files: turned, resized, cropped, made RGB; broken ones refused with the reason."""

import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from convscope.data.config import ImagesConfig
from convscope.data.decoding import images as images_module
from convscope.data.decoding.images import ImageDecoder, image_decoder
from convscope.data.listing.files import IMAGE_SUFFIXES, Unreadable, list_class_folders

QUADRANTS = np.zeros((2, 2, 3), np.uint8)
QUADRANTS[0, 0], QUADRANTS[0, 1], QUADRANTS[1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def decoded(path: Path, size: int = 8) -> NDArray[np.uint8]:
    """(size, size, 3): channels last, to look at."""
    clip, exact, _ = ImageDecoder(size)(path)
    assert exact
    assert clip.shape == (3, size, size)
    assert clip.dtype == np.uint8
    return clip.transpose(1, 2, 0)


def photo(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def test_image_of_the_asked_size_keeps_every_pixel(tmp_path: Path) -> None:
    image = photo(8, 8)
    np.testing.assert_array_equal(decoded(save(image, tmp_path / "a.png")), np.asarray(image))


@pytest.mark.parametrize(("width", "height"), [(20, 8), (8, 20)])
def test_longer_side_is_cropped_to_its_middle(tmp_path: Path, width: int, height: int) -> None:
    image = photo(width, height)
    middle = np.asarray(image)[(height - 8) // 2 :, (width - 8) // 2 :][:8, :8]
    np.testing.assert_array_equal(decoded(save(image, tmp_path / "a.png")), middle)


def test_shorter_side_is_resized(tmp_path: Path) -> None:
    """A wide image, left third red, middle green, right blue: only green is left of it."""
    stripes = np.zeros((30, 120, 3), np.uint8)
    for third in range(3):
        stripes[:, third * 40 : third * 40 + 40, third] = 255
    clip = decoded(save(Image.fromarray(stripes), tmp_path / "a.png"))
    assert (clip == (0, 255, 0)).all()


def test_reduction_is_antialiased(tmp_path: Path) -> None:
    """Lines of one pixel become their mean, not a pattern that was never there."""
    lines = np.zeros((320, 320), np.uint8)
    lines[:, ::2] = 255
    clip = decoded(save(Image.fromarray(lines), tmp_path / "a.png"))
    np.testing.assert_allclose(clip, 127.5, atol=2)


def test_smaller_image_is_enlarged(tmp_path: Path) -> None:
    clip = decoded(save(Image.fromarray(QUADRANTS), tmp_path / "a.png"))
    for (y, x), colour in zip([(0, 0), (0, 7), (7, 0)], QUADRANTS.reshape(4, 3)[:3], strict=True):
        np.testing.assert_array_equal(clip[y, x], colour)


# What EXIF says must be done to the stored image to see it upright.
UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_image_is_turned_as_exif_says(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(photo(8, 8), tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decoded(path), UPRIGHT[orientation](np.asarray(photo(8, 8))))


def modes() -> dict[str, tuple[Image.Image, tuple[int, int, int]]]:
    """An image of one colour in each of Pillow's modes, and that colour in RGB."""
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    grey = np.full((8, 8), 0x8000, np.uint16)
    return {
        "grey": (Image.new("L", (8, 8), 77), (77, 77, 77)),
        "black and white": (Image.new("1", (8, 8), 1), (255, 255, 255)),
        "16-bit grey": (Image.fromarray(grey), (128, 128, 128)),
        "palette": (
            Image.new("RGB", (8, 8), (9, 99, 199)).convert("P", palette=Image.Palette.ADAPTIVE),
            (9, 99, 199),
        ),
        "transparent": (clear, (255, 255, 255)),
        "half transparent": (half, (127, 127, 127)),
        "grey and alpha": (Image.new("LA", (8, 8), (5, 255)), (5, 5, 5)),
    }


@pytest.mark.parametrize("mode", modes())
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str) -> None:
    image, colour = modes()[mode]
    clip = decoded(save(image, tmp_path / "a.png"))
    np.testing.assert_allclose(clip, np.broadcast_to(colour, clip.shape), atol=4)


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    path = save(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), tmp_path / "a.jpg")
    np.testing.assert_allclose(decoded(path)[0, 0], (0, 255, 255), atol=3)


def huge_png() -> bytes:
    """A PNG of a few bytes that says that it has 10^10 pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0"))


def truncated_jpeg(tmp_path: Path) -> bytes:
    return save(photo(64, 64), tmp_path / "whole.jpg").read_bytes()[:900]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda _: b"", "^is empty$"),
        (lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n", "^is no image of the kinds JPEG, PNG"),
        (truncated_jpeg, r"^cannot be decoded \(.*truncated"),
        (lambda _: huge_png(), r"^cannot be decoded \(.*decompression bomb"),
    ],
    ids=["empty", "no image", "truncated", "bomb"],
)
def test_broken_file_is_unreadable_and_says_why(
    tmp_path: Path, content: Callable[[Path], bytes], words: str
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content(tmp_path))
    with pytest.raises(Unreadable, match=words):
        ImageDecoder(8)(path)


def test_image_of_too_many_pixels_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_module, "MOST_PIXELS", 99)
    with pytest.raises(Unreadable, match=r"^is too large: 10×10, more than 99 pixels$"):
        ImageDecoder(8)(save(photo(10, 10), tmp_path / "a.png"))


def test_floating_point_image_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="has floating-point pixels: expected 8 or 16 bits"):
        ImageDecoder(8)(save(Image.new("F", (8, 8)), tmp_path / "a.tif"))


def test_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"^cannot be read \(No such file or directory\)$"):
        ImageDecoder(8)(tmp_path / "a.jpg")


def test_decoder_can_be_sent_to_another_process() -> None:
    decoder = image_decoder(ImagesConfig(image_size=33))
    assert pickle.loads(pickle.dumps(decoder)) == decoder == ImageDecoder(33)


def test_images_are_listed_by_class_and_split(tmp_path: Path) -> None:
    names = ["train/cat/a.jpg", "train/dog/b.PNG", "val/cat/c.webp", "test/dog/d.gif"]
    for name in [*names, "train/cat/notes.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files = list_class_folders(tmp_path, IMAGE_SUFFIXES)
    assert {(f.id, f.label, f.split) for f in files} == {
        (names[0], "cat", "train"),
        (names[1], "dog", "train"),
        (names[2], "cat", "validation"),
        (names[3], "dog", "test"),
    }


def test_real_photographs_are_all_listed_and_decoded(real_data: Callable[[str], Path]) -> None:
    files = list_class_folders(real_data("images6"), IMAGE_SUFFIXES)
    assert len(files) == 2260
    assert {f.label for f in files} == {"bed", "bird", "cat", "dog", "house", "tree"}
    for file in files[::100]:
        assert decoded(file.path, 172).std() > 5
