"""Attribution by covering a part of a clip at a time."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from convscope.inside.tracing.target import Attribution, Target, as_clips, layer_of, scores_of
from convscope.inside.tracing.untouched import untouched


def occlusion(
    model: nn.Module,
    clips: Tensor | ArrayLike,
    target: Target,
    window: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None,
    baseline: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Attribution:
    """How much the score falls where a window is covered: the mean over the windows of a sample.

    Args:
        model: any module; it is left as it was found.
        clips: (n_clips, *shape), the net's input.
        target: what is explained.
        window: its length along each axis in samples or pixels, over all channels; None: a tenth
            of the axis, at least 3.
        stride: from window to window; None: half a window.
        baseline: what a covered sample becomes.
        progress: called with the windows done and all.

    Source: M. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks, ECCV
    2014, section 4.2.
    """
    inputs = as_clips(model, clips)
    layer = layer_of(model, inputs, target.layer)
    windows = _windows(inputs.shape[2:], window, stride)
    fall, n_covered = torch.zeros_like(inputs), torch.zeros_like(inputs)
    with untouched(model), torch.no_grad():
        scores = scores_of(model, inputs, target, layer)
        for done, part in enumerate(windows, 1):
            covered = inputs.clone()
            covered[part] = baseline
            change = scores - scores_of(model, covered, target, layer)
            fall[part] += change.reshape(-1, *[1] * (inputs.dim() - 1))
            n_covered[part] += 1
            if progress:
                progress(done, len(windows))
    return Attribution((fall / n_covered).float().cpu().numpy(), scores.float().cpu().numpy())


def _windows(
    shape: Sequence[int], window: int | Sequence[int] | None, stride: int | Sequence[int] | None
) -> list[Any]:
    """Indices of the windows, over all clips and channels: every sample is in one at least."""
    lengths = (
        _along(shape, window) if window is not None else [max(min(3, n), n // 10) for n in shape]
    )
    steps = _along(shape, stride) if stride is not None else [max(1, n // 2) for n in lengths]
    starts = [
        [*range(0, max(n - length, 0), min(step, length)), max(n - length, 0)]
        for n, length, step in zip(shape, lengths, steps, strict=True)
    ]
    return [
        (..., *(slice(start, start + length) for start, length in zip(place, lengths, strict=True)))
        for place in product(*starts)
    ]


def _along(shape: Sequence[int], value: int | Sequence[int]) -> list[int]:
    return [value] * len(shape) if isinstance(value, int) else list(value)
