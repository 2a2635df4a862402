"""Attributions by gradients, and by ways back that are like them; 1-D and 2-D by one code path."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from convscope.inside.attribution.rules import deconvnet_way, guided_way
from convscope.inside.tracing.backward import sent_back
from convscope.inside.tracing.layers import Layer
from convscope.inside.tracing.target import (
    Attribution,
    Target,
    as_clips,
    layer_of,
    numbers_of,
    scores_of,
)
from convscope.inside.tracing.untouched import untouched

Way: TypeAlias = Callable[[nn.Module], AbstractContextManager[None]]


def saliency(model: nn.Module, clips: Tensor | ArrayLike, target: Target) -> Attribution:
    """|∂s/∂x|: how much each sample would change the target's score s.

    Args:
        model: any module; it is left as it was found. So of all methods here.
        clips: (n_clips, *shape), the net's input.
        target: what is explained; of a whole map the score is its mean.

    Source: K. Simonyan, A. Vedaldi, A. Zisserman, Deep Inside Convolutional Networks, ICLR
    workshop 2014, section 3.
    """
    gradient, scores = _gradient(model, as_clips(model, clips), target)
    return Attribution(np.abs(_array(gradient)), _array(scores))


def gradient_times_input(
    model: nn.Module, clips: Tensor | ArrayLike, target: Target
) -> Attribution:
    """x · ∂s/∂x: of a linear net what each sample adds to the score.

    Source: A. Shrikumar and others, Not Just a Black Box, arXiv 1605.01713 (2016), section 2.
    """
    inputs = as_clips(model, clips)
    gradient, scores = _gradient(model, inputs, target)
    return Attribution(_array(gradient * inputs), _array(scores))


def guided_backprop(model: nn.Module, clips: Tensor | ArrayLike, target: Target) -> Attribution:
    """The gradient that loses what is negative on its way back at each rectifier.

    Source: J. Springenberg and others, Striving for Simplicity, ICLR workshop 2015, section 3.4;
    see `rules` for other rectifiers than ReLU.

    Raises:
        UserError: where an activation on the way is no rectifier, such as tanh.
    """
    gradient, scores = _gradient(model, as_clips(model, clips), target, guided_way)
    return Attribution(_array(gradient), _array(scores))


def deconvnet(model: nn.Module, clips: Tensor | ArrayLike, target: Target) -> Attribution:
    """What of a clip a unit answers to: its activation sent back through the net's layers.

    Starts with the activation itself at the target's place, or the whole map, and zeros everywhere
    else (a layer without positions starts with 1, as a logit may be negative). Max-pooling goes
    back by its switches, convolutions by their filters transposed, batch norm by its scale, and
    activations by the rules in `rules`. Biases play no part.

    Source: M. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks, ECCV
    2014, section 2.1.

    Raises:
        UserError: where the signal comes back to an operation without a rule, such as a logarithm
            or a product of activations.
    """
    gradient, scores = _gradient(
        model, as_clips(model, clips), target, deconvnet_way, starts_with_activation=True
    )
    return Attribution(_array(gradient), _array(scores))


def smooth_grad(
    model: nn.Module,
    clips: Tensor | ArrayLike,
    target: Target,
    n_draws: int = 25,
    noise: float = 0.15,
    seed: int = 0,
) -> Attribution:
    """The mean gradient over clips with noise: 1/n Σ ∂s/∂x (x + ε), ε normal.

    Args:
        model, clips, target: as of `saliency`.
        n_draws: n.
        noise: the standard deviation of ε as a share of each clip's range.
        seed: of ε.

    Source: D. Smilkov and others, SmoothGrad, arXiv 1706.03825 (2017), section 3.
    """
    inputs = as_clips(model, clips)
    draws = torch.Generator().manual_seed(seed)
    flat = inputs.flatten(1)
    spread = noise * (flat.amax(1) - flat.amin(1)).reshape(-1, *[1] * (inputs.dim() - 1))
    total = torch.zeros_like(inputs)
    for _ in range(n_draws):
        drawn = torch.randn(inputs.shape[1:], generator=draws).to(inputs)  # the same of each clip
        total += _gradient(model, inputs + spread * drawn, target)[0]
    return Attribution(_array(total / n_draws), _scores(model, inputs, target))


def integrated_gradients(
    model: nn.Module,
    clips: Tensor | ArrayLike,
    target: Target,
    baseline: float | Tensor = 0.0,
    n_steps: int = 64,
) -> Attribution:
    """(x − b) ∫ ∂s/∂x (b + t (x − b)) dt over t from 0 to 1, by Gauss and Legendre's rule.

    Complete: the values of a clip sum to s(x) − s(b). `gap` says how far they are from it, which
    more steps make less.

    Args:
        model, clips, target: as of `saliency`.
        baseline: b, a number or what fits the clips; 0 is silence, or black.
        n_steps: gradients taken.

    Source: M. Sundararajan, A. Taly, Q. Yan, Axiomatic Attribution for Deep Networks, ICML 2017,
    section 3.
    """
    inputs = as_clips(model, clips)
    start = torch.zeros_like(inputs) + baseline
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    total = torch.zeros_like(inputs)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        total += weight * _gradient(model, start + node * (inputs - start), target)[0]
    values = _array(total * (inputs - start))
    scores = _scores(model, inputs, target)
    gain = scores - _scores(model, start, target)
    sums = values.sum(axis=tuple(range(1, values.ndim)), dtype=np.float64)
    return Attribution(values, scores, gap=np.abs(sums - gain).astype(np.float32))


def _gradient(
    model: nn.Module,
    clips: Tensor,
    target: Target,
    way: Way | None = None,
    starts_with_activation: bool = False,
) -> tuple[Tensor, Tensor]:
    """What comes back to the clips, (n_clips, *shape), and the scores, (n_clips,)."""
    layer = layer_of(model, clips, target.layer)
    with untouched(model), torch.enable_grad():
        leaf = clips.clone().requires_grad_()
        with (way or _as_it_is)(model):
            numbers = numbers_of(model, leaf, target, layer)
        start = torch.full_like(numbers, 1 / numbers.shape[1])
        if starts_with_activation and len(layer.shape) > 1:
            start = numbers.detach()
        return sent_back(model, numbers, leaf, start), numbers.detach().mean(1)


def _as_it_is(_model: nn.Module) -> AbstractContextManager[None]:
    return nullcontext()


def _scores(model: nn.Module, clips: Tensor, target: Target) -> NDArray[np.float32]:
    layer: Layer = layer_of(model, clips, target.layer)
    with untouched(model):
        return _array(scores_of(model, clips, target, layer))


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.detach().float().cpu().numpy()
