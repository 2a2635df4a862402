"""Augmentation on the device: clips changed at random, their labels kept.

Sounds are (n_clips, 1, n_times) and images (n_clips, n_channels, height, width), float, of full
scale 1. Every random number is drawn for each clip, from the generator that is handed in: the same
state gives the same clips.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from convscope.data.config import DataConfig, SoundConfig
from convscope.errors import UserError
from convscope.settings import Settings


class AugmentConfig(Settings):
    """How far training clips are changed at random; 0 and false, the defaults, leave them alone."""

    before: ClassVar[Mapping[str, Any]] = {"speed": 0.0, "band_mask": 0.0, "time_mask_seconds": 0.0}

    shift_seconds: float = Field(
        0.0, ge=0, description="sound: moved by up to so many seconds either way, zeros moved in"
    )
    gain_db: float = Field(0.0, ge=0, le=60, description="sound: louder or softer by up to so much")
    noise: float = Field(
        0.0,
        ge=0,
        le=1,
        description="sound: white Gaussian noise; its standard deviation, full scale 1, is "
        "uniform between 0 and this",
    )
    speed: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="sound: played faster or slower, pitch and all, by up to this share",
    )
    band_mask: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="sound: two bands removed, each of up to this share of the mel scale",
    )
    time_mask_seconds: float = Field(
        0.0, ge=0, description="sound: two stretches silenced, each of up to so many seconds"
    )
    flip: bool = Field(False, description="images: half of them mirrored left to right")
    crop_pixels: int = Field(
        0, ge=0, description="images: moved by up to so many pixels each way, edges mirrored in"
    )
    jitter: float = Field(
        0.0,
        ge=0,
        le=1,
        description="images: brightness, contrast and saturation times 1 - jitter to 1 + jitter",
    )
    mixup: float = Field(
        0.0, ge=0, le=1, description="pairs of clips mixed, with a weight from Beta(mixup, mixup)"
    )


def check_augment(config: AugmentConfig, data: DataConfig) -> None:
    """Refuse what a recipe's data cannot be changed by.

    Raises:
        UserError: for flip, crop_pixels or jitter of sounds; for changes of sounds on images; for
            a shift or a mask as long as the clip.
    """
    is_sound = isinstance(data, SoundConfig)
    tables = (SOUND_CHANGES, IMAGE_CHANGES)
    fitting, foreign = tables if is_sound else tables[::-1]
    for key in foreign:
        if getattr(config, key):
            raise UserError(
                f"train.augment.{key} is for {'images' if is_sound else 'sounds'}, but the data "
                f"are {'sounds' if is_sound else 'images'}: leave it out; "
                f"there are {', '.join(fitting)} and mixup"
            )
    if isinstance(data, SoundConfig):
        for key in ("shift_seconds", "time_mask_seconds"):
            _check_shorter(key, getattr(config, key), "data.seconds", data.seconds)
    else:
        _check_shorter("crop_pixels", config.crop_pixels, "the image's side", min(data.shape[1:]))


def _check_shorter(key: str, shift: float, name: str, length: float) -> None:
    if shift >= length:
        raise UserError(
            f"train.augment.{key}: expected less than {name}, {length}, got {shift}: make it less"
        )


def augment(
    clips: Tensor, config: AugmentConfig, generator: torch.Generator, rate_hz: int | None = None
) -> Tensor:
    """Clips changed as `config` says, of the same shape; the very same where it says nothing.

    Args:
        clips: (n_clips, 1, n_times) sounds or (n_clips, n_channels, height, width) images.
        config: how far; see `check_augment`.
        generator: on the device of the clips, or on the CPU.
        rate_hz: of sounds, in Hz.
    """
    changes = SOUND_CHANGES if clips.ndim == 3 else IMAGE_CHANGES
    for key, change in changes.items():
        if by := getattr(config, key):
            clips = change(clips, by, generator, rate_hz)
    return clips


def _known(rate_hz: int | None) -> int:
    if rate_hz is None:
        raise ValueError("seconds and Hz need rate_hz")
    return rate_hz


def _samples(seconds: float, rate_hz: int | None) -> int:
    return round(seconds * _known(rate_hz))


def shift(clips: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each sound later by a whole number of samples, uniform in [-most, most]; zeros move in."""
    return _window(F.pad(clips, (most, most)), clips.shape[-1], generator)


def gain(clips: Tensor, most_db: float, generator: torch.Generator) -> Tensor:
    """Each sound times 10^(g / 20), g uniform in [-most_db, most_db] dB."""
    return clips * 10 ** (_uniform(clips, most_db, generator) / 20)


def noise(clips: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """White Gaussian noise added, its standard deviation for each sound uniform in [0, most]."""
    deviation = (1 + _uniform(clips, 1.0, generator)) * most / 2
    white = torch.randn(clips.shape, generator=generator, device=generator.device)
    return clips + deviation * white.to(clips.device)


def speed(clips: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Each sound y(t) = x(m + f · (t - m)) about its middle m, f uniform in [1 - share, 1 + share).

    Linear between samples; zeros move in where x has ended.

    Source: T. Ko and others, Audio Augmentation for Speech Recognition, Interspeech 2015.
    """
    n_times = clips.shape[-1]
    middle = (n_times - 1) / 2
    times = torch.arange(n_times, device=clips.device) - middle
    position = middle + (1 + _uniform(clips, share, generator)) * times
    before = position.floor()
    padded = F.pad(clips, (2, 2))  # so that whatever lies outside falls on zeros
    index = (before.long() + 2).clamp(0, n_times + 2).expand_as(clips)
    return torch.lerp(padded.gather(-1, index), padded.gather(-1, index + 1), position - before)


def band_mask(clips: Tensor, share: float, rate_hz: int, generator: torch.Generator) -> Tensor:
    """Two bands of each sound's spectrum set to zero, of a width uniform in [0, share] of the
    mel scale up to rate_hz / 2, and placed uniformly on it.

    Source: D. S. Park and others, SpecAugment, Interspeech 2019, section 2, on the waveform.
    """
    n_times = clips.shape[-1]
    hz = torch.fft.rfftfreq(n_times, 1 / rate_hz, device=clips.device)
    mel = torch.log1p(hz / 700)  # O'Shaughnessy's scale up to a factor
    kept = _outside_two_stretches(clips, mel / mel[-1], share, generator)
    masked: Tensor = torch.fft.irfft(torch.fft.rfft(clips) * kept, n_times)
    return masked


def time_mask(clips: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Two stretches of each sound silenced, of a length uniform in [0, most] samples.

    Source: D. S. Park and others, SpecAugment, Interspeech 2019, section 2, on the waveform.
    """
    n_times = clips.shape[-1]
    along = torch.arange(n_times, device=clips.device) / n_times
    return clips * _outside_two_stretches(clips, along, most / n_times, generator)


def _outside_two_stretches(
    clips: Tensor, along: Tensor, share: float, generator: torch.Generator
) -> Tensor:
    """False within two stretches of [0, 1], drawn for each clip, at most `share` long each.

    Args:
        along: where each position lies in [0, 1].

    Returns:
        (n_clips, 1, n_positions)
    """
    kept = torch.ones(len(clips), 1, len(along), dtype=torch.bool, device=clips.device)
    for _ in range(2):
        length = (1 + _uniform(clips, 1.0, generator)) / 2 * share
        start = (1 + _uniform(clips, 1.0, generator)) / 2 * (1 - length)
        kept &= (along < start) | (along >= start + length)
    return kept


def flip(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Each image mirrored left to right, or not, with equal chances."""
    return torch.where(_uniform(clips, 1.0, generator) < 0, clips.flip(-1), clips)


def crop(clips: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each image moved by up to `most` pixels along each axis; its mirror image moves in."""
    padded = F.pad(clips, (most, most, most, most), mode="reflect")
    narrowed = _window(padded, clips.shape[-1], generator)
    return _window(narrowed.mT, clips.shape[-2], generator).mT.contiguous()


def jitter(clips: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast, then saturation, each times a factor uniform in 1 ± share.

    Contrast stretches about the image's mean, saturation about each pixel's mean over channels.
    """
    brightness, contrast, saturation = (1 + _uniform(clips, share, generator) for _ in range(3))
    clips = clips * brightness
    clips = torch.lerp(clips.mean((1, 2, 3), keepdim=True), clips, contrast)
    clips = torch.lerp(clips.mean(1, keepdim=True), clips, saturation)
    return clips.clamp(0, 1)


_Change: TypeAlias = Callable[[Tensor, Any, torch.Generator, int | None], Tensor]

SOUND_CHANGES: dict[str, _Change] = {
    "shift_seconds": lambda clips, by, rng, rate_hz: shift(clips, _samples(by, rate_hz), rng),
    "speed": lambda clips, by, rng, _: speed(clips, by, rng),
    "band_mask": lambda clips, by, rng, rate_hz: band_mask(clips, by, _known(rate_hz), rng),
    "time_mask_seconds": lambda clips, by, rng, rate_hz: time_mask(
        clips, _samples(by, rate_hz), rng
    ),
    "gain_db": lambda clips, by, rng, _: gain(clips, by, rng),
    "noise": lambda clips, by, rng, _: noise(clips, by, rng),
}
IMAGE_CHANGES: dict[str, _Change] = {
    "flip": lambda clips, _by, rng, _: flip(clips, rng),
    "crop_pixels": lambda clips, by, rng, _: crop(clips, by, rng),
    "jitter": lambda clips, by, rng, _: jitter(clips, by, rng),
}
"""What each key of `AugmentConfig` does to clips, in this order, and given their rate in Hz."""


class Mixed(NamedTuple):
    """Clips mixed in pairs: clip i is weight · clip i + (1 - weight) · clip partner[i].

    The loss is mixed likewise: weight · loss(labels) + (1 - weight) · loss(labels[partner]).
    """

    clips: Tensor
    partner: Tensor
    weight: Tensor


def mixup(clips: Tensor, config: AugmentConfig, generator: torch.Generator) -> Mixed:
    """A batch mixed with itself in another order, one weight ~ Beta(mixup, mixup) for all of it.

    Without mixup the clips come back as they are, each its own partner, with weight 1.

    Source: H. Zhang and others, mixup: Beyond Empirical Risk Minimization, ICLR 2018.
    """
    if not config.mixup:
        everyone = torch.arange(len(clips), device=clips.device)
        return Mixed(clips, everyone, torch.ones((), device=clips.device))
    partner = torch.randperm(len(clips), generator=generator, device=generator.device)
    partner = partner.to(clips.device)
    weight = _symmetric_beta(config.mixup, generator).to(clips.device)
    return Mixed(torch.lerp(clips[partner], clips, weight), partner, weight)


def _symmetric_beta(alpha: float, generator: torch.Generator) -> Tensor:
    """One number from Beta(alpha, alpha), 0 < alpha <= 1, without leaving the device.

    Jöhnk's method, in logarithms: for uniform u, v let x = u^(1/alpha), y = v^(1/alpha); where
    x + y <= 1, x / (x + y) is Beta(alpha, alpha). At least half of the pairs will do: of 64 pairs
    the first that does is taken.

    Source: M. D. Jöhnk, Metrika 8 (1964), 5-15.
    """
    uniform = torch.rand(2, 64, generator=generator, device=generator.device)
    x, y = uniform.log() / alpha
    first = (torch.logaddexp(x, y) <= 0).int().argmax(dim=0, keepdim=True)
    return torch.sigmoid(x - y).gather(0, first).squeeze(0)


def _uniform(clips: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """A number in [-most, most) for each clip, shaped to multiply the clips with."""
    numbers = torch.rand(len(clips), generator=generator, device=generator.device)
    return _per_clip((2 * numbers - 1) * most, clips)


def _per_clip(numbers: Tensor, clips: Tensor) -> Tensor:
    """(n_clips,) shaped (n_clips, 1, ...) as `clips` are, and on their device."""
    return numbers.to(clips.device).view(-1, *[1] * (clips.ndim - 1))


def _window(padded: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """`size` points along each clip's last axis, from a start of its own, uniform where it fits."""
    n_starts = padded.shape[-1] - size + 1
    starts = torch.randint(n_starts, (len(padded),), generator=generator, device=generator.device)
    points = torch.arange(size, device=padded.device) + _per_clip(starts, padded)
    return padded.gather(-1, points.expand(*padded.shape[:-1], size))
