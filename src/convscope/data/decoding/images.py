"""How an image file becomes a clip of a stated size."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from convscope.data.config import FULL_WHITE, ImagesConfig
from convscope.data.decoding.library_warnings import caught
from convscope.data.listing.files import Unreadable
from convscope.data.listing.notes import DecodedClip, notes_of

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
"""Pillow knows more, but some of those start other programs, such as EPS."""

MOST_PIXELS = 64_000_000
"""A small file can claim to be a huge image: a larger one than this is not decoded."""


DARK = 64
"""A picture whose values, of 255, are all less is nearly black: as of 12 or 14 bits read as 16."""

_Levels: TypeAlias = tuple[int, int] | None
"""The least and the greatest grey value of a picture with more than 8 bits."""


@dataclass(frozen=True)
class ImageDecoder:
    """Calling it makes a clip of an image file.

    The image is turned as its EXIF orientation says and made RGB (grey values three times;
    transparent parts over white, as a browser shows them; the first frame of an animation), its
    shorter side is resized to `size` (bicubic, antialiased) and the longer one cropped to its
    middle.

    Attributes:
        size: height and width of the clip in pixels.
        white_level: grey value that becomes white, of pictures with more than 8 bits.
    """

    size: int
    white_level: int = FULL_WHITE

    @property
    def name(self) -> str:
        """Says all that decides the clip."""
        white = "" if self.white_level == FULL_WHITE else f", white at {self.white_level}"
        return f"image of {self.size} by {self.size} pixels{white}"

    def __call__(self, path: Path) -> DecodedClip:
        """The clip (3, size, size); an image of any size can be used exactly.

        Raises:
            Unreadable: the file is missing, empty, truncated, too large or no image.
        """
        with caught() as said:
            image, levels = _read_rgb(path, self.white_level)
        fitted = ImageOps.fit(image, (self.size, self.size), Image.Resampling.BICUBIC)
        clip = np.ascontiguousarray(np.asarray(fitted).transpose(2, 0, 1))
        odd = _odd_levels(image, levels, self.white_level)
        return DecodedClip(clip, True, notes_of(levels=[odd], remark=said))


def image_decoder(config: ImagesConfig) -> ImageDecoder:
    """The decoder that the recipe's data ask for."""
    return ImageDecoder(config.image_size, config.white_level)


def _read_rgb(path: Path, white_level: int) -> tuple[Image.Image, _Levels]:
    """The image in RGB, upright, and the grey values of one with more than 8 bits."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            _refuse_huge(image)
            return _rgb(ImageOps.exif_transpose(image), white_level)
    except Unreadable:
        raise
    except Exception as error:  # of a broken file, decoders raise anything from KeyError on
        raise Unreadable(_reason(path, error)) from None


def _refuse_huge(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        size = f"{image.width}×{image.height}"
        raise Unreadable(f"is too large: {size}, more than {MOST_PIXELS:,} pixels")


def _rgb(image: Image.Image, white_level: int) -> tuple[Image.Image, _Levels]:
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image, white_level)
    if image.has_transparency_data:
        transparent = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, transparent).convert("RGB"), None
    return image.convert("RGB"), None


def _eight_bits(image: Image.Image, white_level: int) -> tuple[Image.Image, _Levels]:
    """White is `white_level`: Pillow's own conversion would cut values off at 255."""
    if not image.mode.startswith("I"):
        raise Unreadable("has floating-point pixels: expected 8 or 16 bits")
    values = np.asarray(image).astype(np.int64)
    grey = values.clip(0, white_level) * 256 // (white_level + 1)
    levels = int(values.min()), int(values.max())
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB"), levels


def _odd_levels(image: Image.Image, levels: _Levels, white: int) -> str | None:
    """What to say of a picture that becomes nearly black, or is cut off; None of any other."""
    brightest = int(np.asarray(image).max())
    if levels is None:
        return (
            f"is nearly black: no value is above {brightest} of 255" if brightest < DARK else None
        )
    least, most = levels
    if least < 0 or most > white:
        return (
            f"has grey levels from {least} to {most}, and those beyond 0 and {white} are cut off: "
            f"set data.white_level"
        )
    if brightest >= DARK:
        return None
    return (
        f"is nearly black: its grey levels end at {most} of {white}: "
        f"data.white_level={2 ** most.bit_length() - 1} stretches them"
    )


def _reason(path: Path, error: Exception) -> str:
    """What to say of the file, behind its name."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    if path.stat().st_size == 0:
        return "is empty"
    if isinstance(error, UnidentifiedImageError):
        return f"is no image of the kinds {', '.join(FORMATS)}"
    return f"cannot be decoded ({error or type(error).__name__})"
