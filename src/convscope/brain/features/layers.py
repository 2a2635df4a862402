"""What the layers of a net answer to each stimulus, whatever its length."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.brain.features.net import Net, check_layers
from convscope.brain.features.stimuli import Clip
from convscope.errors import UserError
from convscope.inside.tracing.record import record
from convscope.inside.tracing.untouched import untouched

SMALLEST_SHARE = 1e-6
"""Of what a feature averages; where it spreads less over stimuli, it is rounding. The mean over
time of a layer that took its mean away is 4e-8: standardising would make a feature of it."""


@dataclass(frozen=True)
class LayerFeatures:
    """One layer's answers.

    Attributes:
        values: (n_stimuli, n_features) those that vary.
        n_constant: features that were dropped, as they do not vary but for rounding.
    """

    values: NDArray[np.float32]
    n_constant: int


def layer_features(
    net: Net,
    clips: Callable[[int], Clip],
    n_stimuli: int,
    layers: Sequence[str] = (),
    pooling: str = "mean",
    n_time_bins: int = 4,
    windows: str = "auto",
    project: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, LayerFeatures]:
    """What layers answer to stimuli.

    Args:
        net: it is left as found.
        clips: gives a stimulus by its index, as the net's front takes it.
        n_stimuli: how many there are.
        layers: names of modules, or of layers as `look` has them; none: the net's own choice.
        pooling: of the positions of a unit: mean, max, time_bins, whole.
        n_time_bins: of `time_bins`.
        windows: whole: a stimulus goes through in one piece; windows: in pieces of the length that
            the net was trained on, averaged; auto: whole where the net takes it.
        project: columns to which wider layers are brought, stimulus by stimulus, so that memory
            holds no more; None: none are.
        progress: called with the stimuli done and all.

    Raises:
        UserError: for a layer that is not there, or a net that does not take the stimuli whole.
    """
    names = tuple(layers) or net.layers
    check_layers(net, names)
    in_windows = windows == "windows" or (windows == "auto" and not _takes_whole(net, clips(0)))
    values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    sizes: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    for i in range(n_stimuli):
        for name, answer in answers(net, pieces(net, clips(i), in_windows), names).items():
            row = projected(pooled(answer, pooling, n_time_bins).mean(axis=0), project)
            size = pooled(np.abs(answer), pooling, n_time_bins).mean(axis=0)
            values[name].append(row)
            sizes[name].append(size if len(size) == len(row) else np.zeros(len(row)))
        if progress:
            progress(i + 1, n_stimuli)
    return {name: varying(_stacked(name, values[name]), np.mean(sizes[name], 0)) for name in names}


def projected(values: NDArray[np.float64], n_columns: int | None) -> NDArray[np.float64]:
    """(n_columns,) a sparse random projection of more values than that; fewer stay as they are.

    Nearly all entries of the matrix are 0, the others ±1 by a fixed seed (Li, Hastie and Church
    2006, KDD): it is drawn without a look at any data.
    """
    if n_columns is None or len(values) <= n_columns:
        return values
    found: NDArray[np.float64] = _projection(len(values), n_columns) @ values
    return found


@cache
def _projection(n_values: int, n_columns: int) -> Any:
    """(n_columns, n_values) sparse."""
    from sklearn.random_projection import SparseRandomProjection

    made = SparseRandomProjection(n_columns, random_state=0).fit(np.zeros((1, n_values)))
    return made.components_


def varying(values: NDArray[np.float64], size: NDArray[np.float64]) -> LayerFeatures:
    """The features that vary over stimuli, beyond the rounding of what they average.

    Args:
        values: (n_stimuli, n_features).
        size: (n_features,) mean magnitude of what went into each.
    """
    keep = values.std(axis=0) > np.maximum(SMALLEST_SHARE, SMALLEST_SHARE * size)
    return LayerFeatures(values[:, keep].astype(np.float32), int((~keep).sum()))


def pieces(net: Net, clip: Clip, in_windows: bool) -> Tensor:
    """(n_pieces, *clip shape): a stimulus whole, or in windows of the net's length.

    Windows lie evenly, the last ends with the stimulus; a shorter stimulus gets zeros behind it.
    """
    if not in_windows or net.kind == "image":
        return torch.from_numpy(clip)[None]
    length, n = net.clip_shape[-1], clip.shape[-1]
    if n <= length:
        return torch.from_numpy(np.pad(clip, ((0, 0), (0, length - n))))[None]
    starts = np.linspace(0, n - length, ceil(n / length)).round().astype(int)
    return torch.from_numpy(np.stack([clip[:, start : start + length] for start in starts]))


@torch.no_grad()
def answers(net: Net, clips: Tensor, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """What layers answer: (n_clips, n_units, …) each.

    Raises:
        UserError: where the net fails on clips of that shape.
    """
    place = next(net.net.parameters())
    modules = dict(net.net.named_modules())
    ours = [name for name in names if name not in modules]
    with untouched(net.net), _kept(modules, [n for n in names if n in modules]) as kept:
        inputs = net.front(clips.to(place.device)).to(place.dtype)
        try:
            recording: AbstractContextManager[dict[str, Tensor]]
            recording = record(net.net, ours) if ours else nullcontext({})
            with recording as recorded:
                net.net(inputs)
        except (RuntimeError, UserError) as error:
            raise UserError(
                f"{net.name} does not take stimuli of shape {tuple(clips.shape[1:])} "
                f"({str(error).splitlines()[0]}): give features.windows: windows"
            ) from None
    return {name: _as_units(name, {**kept, **recorded}[name]) for name in names}


def pooled(answer: NDArray[np.float64], pooling: str, n_time_bins: int) -> NDArray[np.float64]:
    """(n_clips, n_units, …, n_positions) as (n_clips, n_features), units along the slowest axis.

    `time_bins` cuts the last axis into stretches of as nearly equal length as can be, and takes
    the mean over all positions of each.
    """
    if answer.ndim == 2:
        return answer
    if pooling == "whole":
        return answer.reshape(len(answer), -1)
    if pooling == "max":
        most: NDArray[np.float64] = answer.reshape(*answer.shape[:2], -1).max(axis=2)
        return most
    if pooling == "time_bins":
        bins = [each for each in np.array_split(answer, n_time_bins, axis=-1) if each.size]
        means = [each.reshape(*each.shape[:2], -1).mean(axis=2) for each in bins]
        return np.stack(means, axis=2).reshape(len(answer), -1)
    mean: NDArray[np.float64] = answer.reshape(*answer.shape[:2], -1).mean(axis=2)
    return mean


@contextmanager
def _kept(modules: dict[str, nn.Module], names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """What some modules answer while the net is called within."""
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                kept[name] = output.clone()  # what comes next may write on it

        return hook

    hooks = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        yield kept
    finally:
        for each in hooks:
            each.remove()


def _takes_whole(net: Net, clip: Clip) -> bool:
    if clip.shape == net.clip_shape:
        return True
    try:
        answers(net, pieces(net, clip, False), net.layers)
    except UserError:
        return False
    return True


def _as_units(name: str, answer: Tensor) -> NDArray[np.float64]:
    if answer.dim() < 2:
        raise UserError(f"features.layers: {name} answers with {tuple(answer.shape)}, no units")
    values: NDArray[np.float64] = answer.double().cpu().numpy()
    return values


def _stacked(name: str, rows: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    if len({row.shape for row in rows}) > 1:
        sizes = sorted({len(row) for row in rows})
        raise UserError(
            f"features.pooling: whole gives {name} {sizes[0]} to {sizes[-1]} features, as the "
            "stimuli differ in length: give mean, max or time_bins"
        )
    return np.stack(rows)
