"""A clip to see and to hear: its samples, its pictures, and a map of what the net found in it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError
from convscope.web.frame.catalogue import Entry

if TYPE_CHECKING:
    from convscope.data.config import DataConfig

N_BARS = 240
"""Of a waveform: each spans the samples below it."""

N_NETS = 3
"""Kept in memory, the latest."""

_ONE_NET_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Bar:
    """A part of a waveform, in percent of its picture from left and top."""

    x: float
    top: float
    bottom: float
    shade: float = 0.0


@dataclass(frozen=True)
class Found:
    """What the net found in a clip.

    Attributes:
        shares: over the clip's samples or pixels, or its spectrogram's bins and frames: from 0 to
            1, where it found the class.
        method: `CAM`, or `Grad-CAM` where the head is another.
    """

    shares: NDArray[np.float32]
    method: str


def data_of(entry: Entry) -> "DataConfig":
    """The settings of a run's data."""
    from convscope.training.cell import cell_of

    return cell_of(entry.run).data


def read_clip(entry: Entry, id: str) -> NDArray[Any]:
    """A clip (n_channels, ...) as it is stored, from the run's data.

    Raises:
        UserError: where its file is no longer there, cannot be read, or lies elsewhere.
    """
    from convscope.data.config import MnistConfig
    from convscope.data.listing.files import Unreadable, clip_path

    config = data_of(entry)
    path = clip_path(config.folder, id)
    if not isinstance(config, MnistConfig):
        root = clip_path(config.folder, ".").resolve()
        if not path.resolve().is_relative_to(root):
            raise UserError(f"{id} leads out of the data folder {config.folder}: it is not opened")
    try:
        content: NDArray[Any] = _reader(config)(id)
        return content
    except Unreadable as error:
        raise UserError(f"{path} {error}") from None


@lru_cache(8)
def _reader(config: "DataConfig") -> Any:
    from convscope.report.clips import reader_of

    return reader_of(config)


def waveform_bars(samples: NDArray[Any], shares: NDArray[np.float32] | None = None) -> list[Bar]:
    """A waveform (n_times,) as bars from its least to its largest sample, shaded by a map."""
    peak = float(np.abs(samples.astype(np.float64)).max()) or 1.0
    parts = np.array_split(samples / peak, N_BARS)
    of_map = [0.0] * N_BARS if shares is None else over_time(shares, N_BARS)
    return [
        Bar(
            round(100 * (i + 0.5) / N_BARS, 2),
            round(50 - 48 * float(part.max()), 1),
            round(50 - 48 * float(part.min()), 1),
            float(of_map[i]),
        )
        for i, part in enumerate(parts)
        if part.size
    ]


def over_time(shares: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """A map (..., n_times) as its largest value in each of n parts of the time."""
    line = shares.max(axis=tuple(range(shares.ndim - 1))) if shares.ndim > 1 else shares
    places = np.minimum((np.arange(n) + 0.5) / n * len(line), len(line) - 1).astype(int)
    if len(line) < n:
        return np.asarray(line[places], np.float32)
    return np.array([part.max() for part in np.array_split(line, n)], np.float32)


def picture(clip: NDArray[Any], rate_hz: int | None) -> bytes:
    """A clip as PNG: of a sound its power in dB over time, of an image the image."""
    from PIL import Image

    from convscope.data.decoding.sound_files import FULL_SCALE
    from convscope.report.clips import png, power_image

    if rate_hz:
        return png(power_image((clip[0] / FULL_SCALE).astype(np.float32), rate_hz))
    return png(Image.fromarray(clip.transpose(1, 2, 0).squeeze()))


def map_picture(clip: NDArray[Any], shares: NDArray[np.float32]) -> bytes:
    """An image (n_channels, height, width), in grey, with a map over it."""
    from matplotlib import colormaps
    from PIL import Image

    from convscope.report.clips import png

    grey = clip.mean(axis=0)[..., np.newaxis] / 255
    colours = colormaps["inferno"](shares)[..., :3]
    mixed = 0.45 * grey + 0.55 * colours
    return png(Image.fromarray((255 * mixed).astype(np.uint8)))


def found_in(entry: Entry, clip: NDArray[Any], unit: int) -> Found:
    """Where in a clip (n_channels, ...) the run's net finds a class.

    Raises:
        UserError: where the net's code is not trusted, was changed, or has no map to lay over.
    """
    import torch

    from convscope.inside.attribution.cam import CAMS
    from convscope.inside.attribution.class_head import average_head
    from convscope.inside.tracing.target import Target

    with _ONE_NET_AT_A_TIME:
        trained = _trained(str(entry.run.folder), entry.stamp)
        stored = torch.from_numpy(np.require(clip[np.newaxis], requirements=["C", "W"]))
        inputs = trained.front(trained.front.scale(stored))
        method = "cam" if average_head(trained.net, inputs) is not None else "grad_cam"
        found = CAMS[method](trained.net, inputs, Target(unit=unit))
    return Found(found.shares[0], {"cam": "CAM", "grad_cam": "Grad-CAM"}[method])


@lru_cache(N_NETS)
def _trained(folder: str, stamp: Sequence[int]) -> Any:
    from convscope.run import Run
    from convscope.training.checkpoint import load_trained

    del stamp  # another one, another net
    return load_trained(Run(folder))


def heard(entry: Entry, clip: NDArray[Any], found: Found) -> NDArray[np.int16]:
    """A sound (1, n_times) as its map leaves it, (n_times,).

    Raises:
        UserError: for a clip that is no sound.
    """
    from convscope.data.config import SoundConfig
    from convscope.inside.results.masked_sound import masked, masked_in_frequency

    config = data_of(entry)
    if not isinstance(config, SoundConfig):
        raise UserError("This clip is an image: there is nothing to hear.")
    wave = clip[0].astype(np.float32)
    if config.spectrogram is None:
        sound = masked(wave, found.shares)
    else:
        sound = masked_in_frequency(wave, found.shares, config.spectrogram)
    return np.clip(sound, -32768, 32767).astype(np.int16)
