"""Wrongly labelled clips as a page shows them: each with its sound or its picture."""

import io
import wave
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from convscope.data.config import DataConfig, ImagesConfig, MnistConfig, SoundConfig
from convscope.data.decoding.images import image_decoder
from convscope.data.decoding.mnist import load_mnist
from convscope.data.decoding.sound_files import FULL_SCALE, sound_decoder
from convscope.data.listing.files import Unreadable, clip_path
from convscope.errors import UserError
from convscope.figures import power_decibels
from convscope.report.html import data_uri
from convscope.run import Run
from convscope.scores.errors import WrongClip
from convscope.training.cell import cell_of

WIDTH, WAVEFORM_HEIGHT, POWER_HEIGHT = 320, 48, 112
"""Pixels of a sound's picture: its waveform above its power."""

FLOOR_DB = -80.0

Read = Callable[[str], NDArray[Any]]
"""From a clip's id to the clip (n_channels, ...); raises Unreadable or UserError."""


@dataclass(frozen=True)
class ShownClip:
    """A wrongly labelled clip, and what there is to see and hear of it.

    Attributes:
        wrong: its label, and what it was taken for.
        file: where it lies.
        picture: address of an image; None where the file cannot be read.
        sound: address of a WAV file; None of an image.
        missing: why there is no picture.
    """

    wrong: WrongClip
    file: str
    picture: str | None = None
    sound: str | None = None
    missing: str | None = None


def shown_clips(run: Run, clips: list[WrongClip]) -> list[ShownClip]:
    """The clips with what their files hold, found through the run's settings."""
    if not clips:
        return []
    config = cell_of(run).data
    read = reader_of(config)
    return [_shown(clip, config, read) for clip in clips]


def is_sound(config: DataConfig) -> bool:
    """Whether the clips can be heard."""
    return isinstance(config, SoundConfig)


def wav(samples: NDArray[np.int16], rate_hz: int) -> bytes:
    """Samples (n_times,) as a 16-bit mono WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def sound_picture(samples: NDArray[np.int16], rate_hz: int) -> bytes:
    """A small PNG of a sound (n_times,): its waveform, and below it its power from 0 to rate / 2.

    The power is in dB below the strongest, over a range of 80 dB, the highest frequency at the top.
    """
    waveform = (samples / FULL_SCALE).astype(np.float32)
    image = Image.new("RGB", (WIDTH, WAVEFORM_HEIGHT + POWER_HEIGHT), "white")
    _draw_waveform(ImageDraw.Draw(image), waveform)
    image.paste(power_image(waveform, rate_hz), (0, WAVEFORM_HEIGHT))
    return png(image.quantize(128, dither=Image.Dither.NONE))


def _shown(clip: WrongClip, config: DataConfig, read: Read) -> ShownClip:
    file = str(clip_path(config.folder, clip.id))
    try:
        content = read(clip.id)
    except (Unreadable, UserError) as error:
        return ShownClip(clip, file, missing=str(error))
    if isinstance(config, SoundConfig):
        picture = data_uri(sound_picture(content[0], config.rate_hz), "image/png")
        sound = data_uri(wav(content[0], config.rate_hz), "audio/wav")
        return ShownClip(clip, file, picture, sound)
    pixels = content.transpose(1, 2, 0).squeeze()
    return ShownClip(clip, file, data_uri(png(Image.fromarray(pixels)), "image/png"))


def reader_of(config: DataConfig) -> Read:
    """Reads a clip of some data by its id, as the net is given it."""
    if isinstance(config, MnistConfig):
        return _mnist_reader(config)
    if isinstance(config, ImagesConfig):
        decode = image_decoder(config)
        return lambda id: decode(_existing(clip_path(config.folder, id)))[0]
    assert isinstance(config, SoundConfig), f"no reader for {type(config).__name__}"
    decoder = sound_decoder(config)
    return lambda id: decoder.decode(_existing(clip_path(config.folder, id)))[0]


def _mnist_reader(config: MnistConfig) -> Read:
    @cache
    def clips() -> dict[str, NDArray[np.uint8]]:
        data = load_mnist(config)
        return dict(zip(data.ids.tolist(), data.clips, strict=True))

    def read(id: str) -> NDArray[np.uint8]:
        if id not in clips():
            raise Unreadable("no such row any more")
        return clips()[id]

    return read


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise Unreadable("no longer there")
    return path


def _draw_waveform(draw: ImageDraw.ImageDraw, waveform: NDArray[np.float32]) -> None:
    """A vertical line for each column, from the least to the largest sample in it."""
    peak = float(np.abs(waveform).max()) or 1.0
    middle, reach = (WAVEFORM_HEIGHT - 1) / 2, WAVEFORM_HEIGHT / 2 - 2
    for x, part in enumerate(np.array_split(waveform / peak, WIDTH)):
        if part.size:
            top, bottom = middle - reach * part.max(), middle - reach * part.min()
            draw.line((x, round(float(top)), x, round(float(bottom))), fill="#0072B2")


def power_image(waveform: NDArray[np.float32], rate_hz: int) -> Image.Image:
    """Power of a waveform (n_times,) from 0 to rate / 2, the highest frequency at the top."""
    n_window = max(2, round(0.016 * rate_hz))
    depth = 1 - power_decibels(waveform, n_window, max(1, n_window // 4)) / FLOOR_DB
    colours = colormaps["magma"](np.clip(depth, 0, 1), bytes=True)[..., :3]
    return Image.fromarray(colours).resize((WIDTH, POWER_HEIGHT), Image.Resampling.BILINEAR)


def png(image: Image.Image) -> bytes:
    """A picture as the content of a PNG file."""
    file = io.BytesIO()
    image.save(file, "png", optimize=True)
    return file.getvalue()
