"""Stimuli as a net takes them: sounds at its rate, images of its size."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.brain.records import Stimuli
from convscope.data.config import ImagesConfig
from convscope.data.decoding.images import image_decoder
from convscope.data.decoding.sound_files import read_sound
from convscope.data.listing.files import Unreadable
from convscope.errors import UserError

Clip = NDArray[np.float32]


def sound(path: Path, rate_hz: int) -> Clip:
    """(1, n_times) the whole file, mono, of full scale 1.

    Raises:
        UserError: where it cannot be read.
    """
    try:
        return read_sound(path, rate_hz).waveform[None]
    except Unreadable as error:
        raise UserError(f"stimuli: {path} {error}: mend it, or leave it out of the study") from None


def image(path: Path, size: int) -> Clip:
    """(3, size, size) of full scale 1: the shorter side brought to that, the longer one cropped.

    Raises:
        UserError: where it cannot be read.
    """
    decode = image_decoder(ImagesConfig(image_size=size))
    try:
        pixels: Clip = decode(path)[0].astype(np.float32)
    except Unreadable as error:
        raise UserError(f"stimuli: {path} {error}: mend it, or leave it out of the study") from None
    return pixels / np.float32(255)


def check_kind(stimuli: Stimuli, kind: str, name: str) -> None:
    """Refuse a net of images for sounds, and the other way round."""
    if stimuli.kind != kind:
        raise UserError(
            f"{name} takes {kind}s and the stimuli are {stimuli.kind}s: expected a net trained on "
            f"{stimuli.kind}s"
        )
