"""The nets that are timed, and clips of noise to time them on."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.config import SoundConfig
from convscope.data.dataset import Dataset
from convscope.training.cell import Cell, make_cell

_WORDS = {"kind": "words", "words": [f"word{i}" for i in range(16)]}
_SPECTROGRAMS = {**_WORDS, "spectrogram": "reports"}
_IMAGES = {"kind": "images", "classes": [f"thing{i}" for i in range(6)]}
_CUSTOM = {
    "ch32": {"family": "custom", "base_channels": 32, "conv_layers": 8},
    "ch64": {"family": "custom", "base_channels": 64, "conv_layers": 8},
    "ch128": {"family": "custom", "base_channels": 128, "conv_layers": 9},
}

CASES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    **{name: (_WORDS, model) for name, model in _CUSTOM.items()},
    **{f"{name}-bn": (_WORDS, {**model, "batch_norm": True}) for name, model in _CUSTOM.items()},
    "baseline1d": (_WORDS, {"family": "baseline1d"}),
    "vgg": (_WORDS, {"family": "vgg"}),
    "long_filter": (_WORDS, {"family": "long_filter"}),
    "residual": (_WORDS, {"family": "residual"}),
    "baseline2d": (_SPECTROGRAMS, {"family": "baseline2d"}),
    "image2d": (_IMAGES, {"family": "image2d"}),
    "mnist": ({"kind": "mnist"}, {"family": "mnist"}),
}
"""The sections data and model of each: `custom` as the goals name it, and every family's preset."""


def case(name: str, **train: Any) -> Cell:
    """The cell of a case, with what is given of its training."""
    data, model = CASES[name]
    return make_cell({"data": data, "model": model, "train": {"learning_rate": 1e-4, **train}})


def noise(cell: Cell, n_train: int, n_held_out: int = 2, seed: int = 0) -> Dataset:
    """Clips of noise in random classes, as many to train on, to validate and to test as is said.

    Their bytes are uniformly random: full-scale white noise, or grain in an image.
    """
    rng = np.random.default_rng(seed)
    names = cell.data.names or ()
    splits = np.repeat([0, 1, 2], [n_train, n_held_out, n_held_out]).astype(np.int8)
    dtype = np.dtype(np.int16 if isinstance(cell.data, SoundConfig) else np.uint8)
    n_bytes = dtype.itemsize * math.prod(cell.data.clip_shape)
    raw = np.frombuffer(rng.bytes(len(splits) * n_bytes), dtype)
    clips: NDArray[Any] = raw.reshape(len(splits), *cell.data.clip_shape)
    return Dataset(
        config=cell.data,
        classes=names,
        clips=clips,
        labels=rng.integers(len(names), size=len(splits)),
        splits=splits,
        ids=np.array([f"clip{i:07d}" for i in range(len(splits))]),
        exact=np.ones(len(splits), np.bool_),
        fingerprint=f"noise-{seed}-{len(splits)}",
    )


def patterned(cell: Cell, n_train: int, seed: int = 0) -> Dataset:
    """As `noise`, with a wave in each clip whose length tells its class: it can be learned."""
    data = noise(cell, n_train, seed=seed)
    waves = np.linspace(4, 4 + 8 * data.n_classes, data.n_classes)[data.labels]
    places = np.arange(data.clips.shape[-1]) / data.clips.shape[-1]
    wave = np.sin(2 * np.pi * waves[:, np.newaxis] * places)
    wave = np.expand_dims(wave, tuple(range(1, data.clips.ndim - 1)))
    info = np.iinfo(data.clips.dtype)
    middle, reach = (int(info.max) + int(info.min) + 1) // 2, (int(info.max) - int(info.min)) / 2
    grain = (data.clips.astype(np.float32) - middle) / reach
    clips = middle + reach * np.clip(0.7 * wave + 0.2 * grain, -1, 1)
    return replace(data, clips=clips.astype(data.clips.dtype))
