"""The feature spaces of a net and of all controls that stand beside it, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.brain.features.acoustic import ACOUSTIC, RATE_HZ, WINDOW
from convscope.brain.features.columns import LayerFeatures, varying
from convscope.brain.features.layers import layer_features, pieces
from convscope.brain.features.net import Net, calibrated, permuted
from convscope.brain.features.pixels import PIXELS
from convscope.brain.features.stimuli import Clip, check_kind, image, sound
from convscope.brain.records import FeatureSpace, Role, Stimuli
from convscope.brain.settings import FeatureSettings
from convscope.errors import UserError

Progress = Callable[[int, int], None]

PIXEL_SIZE = 128
"""Pixels a side of the images that pixel controls see."""

BATCH = 32


@dataclass(frozen=True)
class Variant:
    """A net's weights in one of the ways that are compared.

    Attributes:
        role: trained, untrained, untrained_calibrated or permuted.
        seed: of its weights; None of the trained ones.
        make: gives the net; None where there is no such variant.
    """

    role: Role
    seed: int | None
    make: Callable[[], Net | None]

    @property
    def name(self) -> str:
        return self.role if self.seed is None else f"{self.role}-{self.seed}"


def variants(net: Net, stimuli: Stimuli, settings: FeatureSettings) -> tuple[Variant, ...]:
    """The trained net and the controls that share its architecture."""
    check_kind(stimuli, net.kind, net.name)
    seeds = range(settings.n_untrained) if net.fresh else ()
    return (
        Variant("trained", None, lambda: net),
        *(Variant("untrained", seed, partial(_fresh, net, seed)) for seed in seeds),
        *(
            Variant("untrained_calibrated", seed, partial(_calibrated, net, seed, stimuli))
            for seed in seeds
        ),
        Variant("permuted", 0, lambda: net.other(permuted(net.net, 0))),
    )


def spaces_of(
    variant: Variant,
    stimuli: Stimuli,
    settings: FeatureSettings,
    progress: Progress | None = None,
) -> tuple[FeatureSpace, ...]:
    """A feature space for each layer of a variant; none where there is no such variant."""
    net = variant.make()
    if net is None:
        return ()
    found = layer_features(
        net,
        partial(_clip, net, stimuli),
        len(stimuli),
        settings.layers,
        settings.pooling,
        settings.n_time_bins,
        settings.windows,
        settings.project,
        progress,
    )
    return tuple(
        FeatureSpace(name, variant.role, each.values, variant.seed, each.n_constant)
        for name, each in found.items()
    )


def stimulus_spaces(stimuli: Stimuli, progress: Progress | None = None) -> tuple[FeatureSpace, ...]:
    """What the stimuli say without any net: spectra or pixels, and categories where there are any.

    Args:
        stimuli: sounds are brought to 16 kHz, images to 128 pixels a side.
        progress: called with the stimuli done and all.
    """
    functions: dict[str, Callable[[Clip], NDArray[np.float64]]] = (
        {name: partial(_of_wave, each) for name, each in ACOUSTIC.items()}
        if stimuli.kind == "sound"
        else dict(PIXELS)
    )
    rows: dict[str, list[NDArray[np.float64]]] = {name: [] for name in functions}
    for i, path in enumerate(stimuli.files):
        clip = sound(path, RATE_HZ) if stimuli.kind == "sound" else image(path, PIXEL_SIZE)
        if stimuli.kind == "sound" and clip.shape[-1] < WINDOW:
            raise UserError(
                f"stimuli: {stimuli.names[i]} is too short for a spectrogram ({clip.shape[-1]} "
                f"samples at 16 kHz, {WINDOW} are needed): leave it out of the study"
            )
        for name, function in functions.items():
            rows[name].append(function(clip))
        if progress:
            progress(i + 1, len(stimuli))
    role: Role = "acoustic" if stimuli.kind == "sound" else "pixels"
    spaces = [_space(name, role, np.stack(each)) for name, each in rows.items()]
    if stimuli.categories is not None:
        spaces.append(_space("categories", "categories", one_hot(stimuli.categories)))
    return tuple(spaces)


def one_hot(labels: Sequence[str]) -> NDArray[np.float64]:
    """(n_stimuli, n_categories) 1 where a stimulus has a label, categories sorted."""
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    return np.eye(len(names))[codes]


def _space(name: str, role: Role, values: NDArray[np.float64]) -> FeatureSpace:
    each: LayerFeatures = varying(values, np.zeros(values.shape[1]))
    return FeatureSpace(name, role, each.values, None, each.n_constant)


def _of_wave(
    function: Callable[[NDArray[np.floating]], NDArray[np.float64]], clip: Clip
) -> NDArray[np.float64]:
    return function(clip[0])


def _clip(net: Net, stimuli: Stimuli, i: int) -> Clip:
    if net.rate_hz is not None:
        return sound(stimuli.files[i], net.rate_hz)
    clip = image(stimuli.files[i], net.clip_shape[-1])
    return clip if net.clip_shape[0] == 3 else clip.mean(axis=0, keepdims=True)


def _fresh(net: Net, seed: int) -> Net:
    assert net.fresh is not None
    return net.other(net.fresh(seed))


def _calibrated(net: Net, seed: int, stimuli: Stimuli) -> Net | None:
    """An untrained net whose batch norms have the stimuli's statistics."""
    fresh = _fresh(net, seed)

    def batches() -> Iterator[Tensor]:
        windows = (pieces(net, _clip(net, stimuli, i), True) for i in range(len(stimuli)))
        kept: list[Tensor] = []
        for each in windows:
            kept.append(each)
            if sum(map(len, kept)) >= BATCH:
                yield net.front(torch.cat(kept))
                kept = []
        if kept:
            yield net.front(torch.cat(kept))

    made = calibrated(fresh, batches)
    return None if made is None else net.other(made)
