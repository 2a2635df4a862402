"""Image files: which there are, and how one becomes a clip of a stated size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from convscope.data.config import ImagesConfig
from convscope.data.files import ClipFile, Unreadable, list_class_folders, require_folder

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
"""Pillow knows more, but some of those start other programs, such as EPS."""

_JPEG, _PNG = (".jpg", ".jpeg", ".jpe", ".jfif"), (".png", ".apng")

SUFFIXES = (*_JPEG, *_PNG, ".bmp", ".gif", ".webp", ".tif", ".tiff")
"""The endings of these formats."""

MOST_PIXELS = 64_000_000
"""A small file can claim to be a huge image: a larger one than this is not decoded."""


def list_images(config: ImagesConfig) -> list[ClipFile]:
    """The image files of `data.folder`: split/class/file, or class/file split by hash.

    Raises:
        UserError: the folder is not given or cannot be read.
    """
    return list_class_folders(require_folder(config.folder), SUFFIXES)


@dataclass(frozen=True)
class ImageDecoder:
    """Calling it makes a clip of an image file.

    The image is turned as its EXIF orientation says and made RGB (grey values three times;
    transparent parts over white, as a browser shows them; the first frame of an animation), its
    shorter side is resized to `size` (bicubic, antialiased) and the longer one cropped to its
    middle.

    Attributes:
        size: height and width of the clip in pixels.
    """

    size: int

    def __call__(self, path: Path) -> tuple[NDArray[np.uint8], bool]:
        """The clip (3, size, size), and True: an image of any size can be used exactly.

        Raises:
            Unreadable: the file is missing, empty, truncated, too large or no image.
        """
        image = ImageOps.fit(_read_rgb(path), (self.size, self.size), Image.Resampling.BICUBIC)
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)), True


def image_decoder(config: ImagesConfig) -> ImageDecoder:
    """The decoder that the recipe's data ask for."""
    return ImageDecoder(config.image_size)


def _read_rgb(path: Path) -> Image.Image:
    try:
        with Image.open(path, formats=FORMATS) as image:
            _refuse_huge(image)
            return _rgb(ImageOps.exif_transpose(image))
    except Unreadable:
        raise
    except Exception as error:  # of a broken file, decoders raise anything from KeyError on
        raise Unreadable(_reason(path, error)) from None


def _refuse_huge(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        size = f"{image.width}×{image.height}"
        raise Unreadable(f"is too large: {size}, more than {MOST_PIXELS:,} pixels")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image).convert("RGB")
    if image.has_transparency_data:
        transparent = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, transparent).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """The upper eight of 16 bits: Pillow's own conversion would cut values off at 255."""
    if not image.mode.startswith("I"):
        raise Unreadable("has floating-point pixels: expected 8 or 16 bits")
    return Image.fromarray((np.asarray(image).clip(0, 65535) // 256).astype(np.uint8))


def _reason(path: Path, error: Exception) -> str:
    """What to say of the file, behind its name."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    if path.stat().st_size == 0:
        return "is empty"
    if isinstance(error, UnidentifiedImageError):
        return f"is no image of the kinds {', '.join(FORMATS)}"
    return f"cannot be decoded ({error or type(error).__name__})"
