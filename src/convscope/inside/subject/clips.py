"""Clips from a folder that a user names, as a net takes them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convscope.data.config import FULL_WHITE, ImagesConfig, SoundConfig
from convscope.data.decoding.images import image_decoder
from convscope.data.decoding.sound_files import decode_sound
from convscope.data.listing.files import IMAGE_SUFFIXES, SOUND_SUFFIXES, Unreadable
from convscope.errors import UserError, in_one_line
from convscope.inside.subject.subject import Examples, Show
from convscope.names import find_name
from convscope.types import Shape

log = logging.getLogger(__name__)

Preprocess: TypeAlias = Callable[[Path], Any]
"""From a file to the net's input, an array or tensor of its shape."""

Decode: TypeAlias = Callable[[Path], NDArray[Any]]


def examples_from(
    folder: Path,
    shape: Shape,
    rate_hz: int | None,
    classes: Sequence[str],
    most: int,
    preprocess: Preprocess | None = None,
    white_level: int = FULL_WHITE,
) -> Examples:
    """The clips of a folder, class/file or files alone; those that cannot be read are left out.

    Args:
        folder: of sounds or images.
        shape: of one clip: (1, n_times) of sound, (3, size, size) of images.
        rate_hz: of sounds; None of images.
        classes: of the net; a folder of that name holds clips of that class.
        most: clips at most, evenly from all classes, and evenly from all there are of each.
        preprocess: makes the net's input of a file; None: as our own data are read.
        white_level: of images, as `data.white_level`.

    Raises:
        UserError: where there is no such folder, or nothing in it that can be used.
    """
    suffixes = IMAGE_SUFFIXES if rate_hz is None else SOUND_SUFFIXES
    files = _files(folder, suffixes)
    labels = np.array([_label(file, classes) for file in files], np.int64)
    chosen = [files[i] for i in evenly(np.arange(len(files)), labels, most)]
    decode = _checked(preprocess, shape) if preprocess else _decoder(shape, rate_hz, white_level)
    clips, kept, left_out = [], [], []
    for file in chosen:
        try:
            clips.append(decode(file))
            kept.append(file)
        except Unreadable as error:
            left_out.append(f"{file.name} {error}")
    if not clips:
        raise UserError(
            f"--clips {folder}: no clip can be used ({left_out[-1]}): give another folder"
        )
    if left_out:
        log.warning("--clips %s: %d left out, such as %s", folder, len(left_out), left_out[0])
    return Examples(
        clips=np.stack(clips),
        labels=np.array([_label(file, classes) for file in kept], np.int64),
        ids=np.array([file.relative_to(folder).as_posix() for file in kept]),
    )


def evenly(indices: NDArray[np.int64], labels: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of some indices: the classes take turns, each is spread over all its own."""
    classes = [indices[labels[indices] == label] for label in np.unique(labels[indices])]
    whose = np.repeat(np.arange(len(classes)), [len(own) for own in classes])
    turns = np.concatenate([np.arange(len(own)) for own in classes])
    served = whose[np.argsort(turns, kind="stable")[:most]]
    kept = [
        own[np.linspace(0, len(own) - 1, n).astype(np.int64)]
        for own, n in zip(classes, np.bincount(served, minlength=len(classes)), strict=True)
    ]
    return np.sort(np.concatenate(kept))


def _files(folder: Path, suffixes: Sequence[str] | frozenset[str]) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"--clips {folder} is no folder: expected one with sounds or images")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    if not files:
        raise UserError(
            f"--clips {folder} holds no clips: expected files such as "
            f"{', '.join(sorted(suffixes)[:4])}, or folders of them"
        )
    return files


def _label(file: Path, classes: Sequence[str]) -> int:
    """The class whose name the file's folder has; -1 where it is none."""
    found = find_name(file.parent.name, classes)
    return -1 if found is None else list(classes).index(found)


def _decoder(shape: Shape, rate_hz: int | None, white_level: int) -> Decode:
    if rate_hz is not None:
        if len(shape) != 2 or shape[0] != 1:
            raise UserError(
                f"--clips: only waveforms 1x{shape[-1]} are read from sounds, this net takes "
                f"{'x'.join(map(str, shape))}: give --preprocess FILE.py:fn"
            )
        return lambda path: decode_sound(path, rate_hz, shape[1])[0]
    if len(shape) != 3 or shape[0] not in (1, 3) or shape[1] != shape[2]:
        raise UserError(
            f"--clips: only square images of 1 or 3 channels are read, this net takes "
            f"{'x'.join(map(str, shape))}: give --preprocess FILE.py:fn"
        )
    decode = image_decoder(ImagesConfig(image_size=shape[1], white_level=white_level))
    return lambda path: _channels(decode(path)[0], shape[0])


def _channels(image: NDArray[np.uint8], n_channels: int) -> NDArray[np.uint8]:
    if n_channels == 3:
        return image
    grey: NDArray[np.uint8] = np.rint(image.mean(axis=0, keepdims=True)).astype(np.uint8)
    return grey


def _checked(preprocess: Preprocess, shape: Shape) -> Decode:
    """A user's function, whose array must have the input's shape."""

    def decode(path: Path) -> NDArray[np.float32]:
        try:
            clip = np.asarray(preprocess(path), dtype=np.float32)
        except Exception as error:
            raise UserError(f"--preprocess failed on {path} with {in_one_line(error)}") from None
        if clip.shape != shape:
            raise UserError(
                f"--preprocess: expected an array of shape {shape} for {path}, got {clip.shape}"
            )
        return clip

    return decode


def checked_show(show: Callable[[NDArray[np.float32]], Any]) -> Show:
    """A user's function from a net's input to an image, whose size must stay as it is."""

    def image(values: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            made = np.asarray(show(values), dtype=np.float32)
        except Exception as error:
            raise UserError(f"--preprocess: show failed with {in_one_line(error)}") from None
        expected = tuple(values.shape[1:])
        if made.shape not in ((3, *expected), (1, *expected)):
            raise UserError(
                f"--preprocess: expected of show an image of shape {(3, *expected)} for an input "
                f"of {values.shape}, got {made.shape}"
            )
        return made

    return image


def clips_for(
    config: SoundConfig | ImagesConfig, folder: Path, classes: Sequence[str], most: int
) -> Examples:
    """The clips of a folder as the clips of a run's own data are read."""
    rate_hz = config.rate_hz if isinstance(config, SoundConfig) else None
    white = config.white_level if isinstance(config, ImagesConfig) else FULL_WHITE
    return examples_from(folder, config.clip_shape, rate_hz, classes, most, white_level=white)
