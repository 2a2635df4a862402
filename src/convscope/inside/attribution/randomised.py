"""Whether an attribution depends on what a net has learned: the same net, its weights shuffled."""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr
from torch import Tensor, nn

from convscope.inside.tracing.layers import layers_of
from convscope.inside.tracing.target import as_clips


def shuffled_from_top(
    model: nn.Module, clip: Tensor | ArrayLike, seed: int = 0
) -> Iterator[tuple[str, nn.Module]]:
    """Copies of a net whose weights are shuffled from the logits down, a layer more each time.

    A layer's weights are put in another order: they keep their distribution, and with it the scale
    of what the layer answers. All copies are one object, shuffled further; the model is untouched.

    Args:
        model: any module.
        clip: (1, *shape), an example of its input.
        seed: of the orders.

    Yields:
        The layer shuffled last, and the net. A weight that is made anew in each forward pass, as
        under weight norm, cannot be shuffled: its layer is left out.
    """
    net = copy.deepcopy(model)
    order = torch.Generator().manual_seed(seed)
    own = {id(parameter) for parameter in net.parameters()}
    layers = layers_of(net, as_clips(net, clip)[:1])
    for name, layer in reversed(layers.items()):
        if layer.weight is None or id(layer.weight) not in own:
            continue
        weight = layer.weight.detach()
        places = torch.randperm(weight.numel(), generator=order).to(weight.device)
        weight.copy_(weight.flatten()[places].reshape(weight.shape))
        yield name, net


def randomisation_check(
    model: nn.Module,
    clips: Tensor | ArrayLike,
    method: Callable[[nn.Module], ArrayLike],
    seed: int = 0,
) -> dict[str, float]:
    """The rank correlation of an attribution with itself, as weights are lost from the top down.

    Spearman's, the mean over the clips, by the layer down to which the weights are shuffled. One
    that stays high shows the clip, such as its edges, and not what the net has learned. NaN where
    an attribution is the same everywhere, and so has no ranks.

    Args:
        model: any module; it is left as it was found.
        clips: (n_clips, *shape), those that are explained.
        method: from a net to the importance (n_clips, …) of the clips' samples.
        seed: of the shuffling.

    Source: J. Adebayo and others, Sanity Checks for Saliency Maps, NeurIPS 2018, section 3.
    """
    learned = _rows(method(model))
    return {
        name: _rank_correlation(learned, _rows(method(net)))
        for name, net in shuffled_from_top(model, clips, seed)
    }


def _rows(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    return array.reshape(len(array), -1)


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    each = [spearmanr(x, y).statistic for x, y in zip(a, b, strict=True) if np.ptp(x) and np.ptp(y)]
    return float(np.mean(each)) if each else float("nan")
