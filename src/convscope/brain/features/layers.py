"""What the layers of a net answer to each stimulus, whatever its length."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from math import ceil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.brain.features.columns import Columns, LayerFeatures, check_memory
from convscope.brain.features.net import Net, check_layers
from convscope.brain.features.pooling import pooled
from convscope.brain.features.stimuli import Clip
from convscope.errors import UserError
from convscope.inside.tracing.record import record
from convscope.inside.tracing.untouched import untouched
from convscope.types import Shape


class DoesNotFit(UserError):
    """Stimuli whose shape a net does not take."""


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
            the net was trained on, pooled together; auto: all whole where the net takes them.
        project: columns to which wider layers are brought, stimulus by stimulus, so that memory
            holds no more; None: none are.
        progress: called with the stimuli done and all.

    Raises:
        UserError: for a layer that is not there, a net that does not take the stimuli whole where
            that was asked for, or features that do not fit into memory.
    """
    names = tuple(layers) or net.layers
    check_layers(net, names)
    pool = partial(pooled, pooling=pooling, n_time_bins=n_time_bins)

    def found(in_windows: bool) -> dict[str, LayerFeatures]:
        columns = {name: Columns(name, n_stimuli, project) for name in names}
        for i in range(n_stimuli):
            clip = clips(i)
            parts = pieces(net, clip, in_windows)
            window = parts.shape[-1] / max(parts.shape[-1], clip.shape[-1])
            for name, answer in answers(net, parts, names).items():
                columns[name].add(*(pool(x, window=window) for x in (answer, np.abs(answer))))
            if i == 0:
                check_memory(sum(each.n_bytes for each in columns.values()))
            if progress:
                progress(i + 1, n_stimuli)
        return {name: each.varying() for name, each in columns.items()}

    if windows == "windows":
        return found(in_windows=True)
    try:
        return found(in_windows=False)
    except DoesNotFit:
        if windows == "whole":
            raise
        return found(in_windows=True)  # all stimuli alike, or their lengths would be features


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
    modules = dict(net.net.named_modules())
    ours = [name for name in names if name not in modules]
    with untouched(net.net), _kept(modules, [n for n in names if n in modules]) as kept:
        inputs = net.input_of(clips)
        try:
            recording: AbstractContextManager[dict[str, Tensor]]
            recording = record(net.net, ours) if ours else nullcontext({})
            with recording as recorded:
                net.net(inputs)
        except (RuntimeError, UserError) as error:
            raise _refused(net, tuple(clips.shape[1:]), error) from None
    return {name: _as_units(name, {**kept, **recorded}.get(name)) for name in names}


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


def _as_units(name: str, answer: Tensor | None) -> NDArray[np.float64]:
    if answer is None:
        raise UserError(f"features.layers: {name} gives no tensor in a forward pass: name another")
    if answer.dim() < 2:
        raise UserError(f"features.layers: {name} answers with {tuple(answer.shape)}, no units")
    values: NDArray[np.float64] = answer.double().cpu().numpy()
    return values


def _refused(net: Net, shape: Shape, error: Exception) -> DoesNotFit:
    reason = str(error).splitlines()[0]
    remedy = "mend the net" if shape == net.clip_shape else "give features.windows: windows"
    return DoesNotFit(f"{net.name} does not take stimuli of shape {shape} ({reason}): {remedy}")
