"""Class activation maps: where in a clip a class is seen or heard; 1-D and 2-D by one code path."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from convscope.errors import UserError
from convscope.inside.attribution.class_head import average_head, maps_named
from convscope.inside.tracing.backward import sent_back
from convscope.inside.tracing.interpolation import interpolated, stretched
from convscope.inside.tracing.layers import Layer, forward
from convscope.inside.tracing.target import Target, as_clips, layer_of, scores_of
from convscope.inside.tracing.trace import Call, tensors_in, watched
from convscope.inside.tracing.untouched import untouched

BATCH = 64
LEAST = 1e-12


@dataclass(frozen=True)
class ClassMap:
    """Where in each clip a class is found.

    Attributes:
        layer: whose maps were added up.
        values: (n_clips, *positions) of that layer; CAM's may be negative.
        over_clip: (n_clips, *input axes) the same over the input's samples, each position in the
            middle of what its unit sees.
        is_stretched: whether what units see is not known, so that the map was stretched over the
            clip: its last axis over time.
    """

    layer: str
    values: NDArray[np.float32]
    over_clip: NDArray[np.float32]
    is_stretched: bool = False

    @property
    def shares(self) -> NDArray[np.float32]:
        """`over_clip` from 0, nothing or against the class, to 1, each clip's largest value."""
        positive = np.maximum(self.over_clip, 0)
        largest = positive.max(axis=tuple(range(1, positive.ndim)), keepdims=True)
        return np.asarray(positive / np.where(largest > 0, largest, 1), np.float32)


def cam(
    model: nn.Module, clips: Tensor | ArrayLike, target: Target, layer: str | None = None
) -> ClassMap:
    """CAM[p] = Σ_k w[class, k] A_k[p]: the maps A under the weights of the class.

    Its mean over the positions p is the class's logit without the bias.

    Args:
        model: whose head is a global average: of maps that a dense layer adds up, or of maps that
            are the classes. It is left as it was found. So of all methods here.
        clips: (n_clips, *shape), the net's input.
        target: the class, a unit of the logits.
        layer: none but the maps that the head averages.

    Source: B. Zhou and others, Learning Deep Features for Discriminative Localization, CVPR 2016,
    section 2.

    Raises:
        UserError: where the head is another.
    """
    inputs = as_clips(model, clips)
    head = average_head(model, inputs[:1])
    if head is None or target.layer != "logits" or layer not in (None, head.maps.name):
        raise UserError(
            f"{type(model).__name__}: CAM explains a class by the maps of a global average before "
            "the last layer, and this is another net, layer or target: use grad_cam"
        )
    maps, _ = _maps_and_slopes(model, inputs, target, head.maps)
    classes = target.units(len(inputs), layer_of(model, inputs, "logits")).to(maps.device)
    if head.weights is None:
        return _class_map(maps[torch.arange(len(maps)), classes], head.maps, inputs)
    weights = head.weights.detach()[classes]
    return _class_map(torch.einsum("ck,ck...->c...", weights, maps), head.maps, inputs)


def grad_cam(
    model: nn.Module, clips: Tensor | ArrayLike, target: Target, layer: str | None = None
) -> ClassMap:
    """relu(Σ_k α_k A_k), α_k the mean over the positions of ∂s/∂A_k.

    Args:
        model, clips: as of `cam`; the head may be any.
        target: what is explained, such as a class.
        layer: whose maps A; None: the deepest with more than one position.

    Source: R. Selvaraju and others, Grad-CAM, ICCV 2017, section 3.
    """
    return _by_slopes(model, clips, target, layer, _mean_slopes)


def grad_cam_pp(
    model: nn.Module, clips: Tensor | ArrayLike, target: Target, layer: str | None = None
) -> ClassMap:
    """Grad-CAM++: relu(Σ_k A_k Σ_p α_k[p] relu(g_k[p])), g = ∂s/∂A.

    α = g² / (2 g² + g³ Σ_p A): the closed form for the score exp(s), whose factor is left out, so
    that the map is known up to scale.

    Source: A. Chattopadhyay and others, Grad-CAM++, WACV 2018, section 3.2, equation 19.
    """
    return _by_slopes(model, clips, target, layer, _pp_slopes)


def layer_cam(
    model: nn.Module, clips: Tensor | ArrayLike, target: Target, layer: str | None = None
) -> ClassMap:
    """relu(Σ_k relu(g_k[p]) A_k[p]), g = ∂s/∂A: each position by its own slope.

    Source: P.-T. Jiang and others, LayerCAM, IEEE Transactions on Image Processing 30 (2021),
    section III.
    """
    return _by_slopes(model, clips, target, layer, lambda _maps, slopes: slopes.clamp_min(0))


def score_cam(
    model: nn.Module, clips: Tensor | ArrayLike, target: Target, layer: str | None = None
) -> ClassMap:
    """relu(Σ_k α_k A_k), α the softmax over k of s(x ∘ H_k) − s(0), H_k the map A_k over the clip
    from 0 to 1.

    A forward pass for each map of each clip.

    Source: H. Wang and others, Score-CAM, CVPR workshops 2020, section 3.
    """
    inputs = as_clips(model, clips)
    chosen = maps_named(model, inputs[:1], layer)
    answer = layer_of(model, inputs, target.layer)
    maps, _ = _maps_and_slopes(model, inputs, target, chosen)
    masks = _unit_range(_over_clip(maps, chosen, inputs))
    weights = []
    with untouched(model), torch.no_grad():
        for i, clip in enumerate(inputs):
            own = _for_clip(target, i)
            seen = torch.cat([masks[i][:, None] * clip, torch.zeros_like(clip)[None]])
            scores = torch.cat([scores_of(model, part, own, answer) for part in seen.split(BATCH)])
            weights.append(torch.softmax(scores[:-1] - scores[-1], 0))
    added = torch.einsum("ck,ck...->c...", torch.stack(weights), maps)
    return _class_map(added.clamp_min(0), chosen, inputs)


CamMethod: TypeAlias = Callable[..., ClassMap]

CAMS: dict[str, CamMethod] = {
    "cam": cam,
    "grad_cam": grad_cam,
    "grad_cam_pp": grad_cam_pp,
    "layer_cam": layer_cam,
    "score_cam": score_cam,
}
"""Each takes a model, clips, a target, and a layer's name or None."""


def _by_slopes(
    model: nn.Module,
    clips: Tensor | ArrayLike,
    target: Target,
    layer: str | None,
    weigh: Callable[[Tensor, Tensor], Tensor],
) -> ClassMap:
    inputs = as_clips(model, clips)
    chosen = maps_named(model, inputs[:1], layer)
    maps, slopes = _maps_and_slopes(model, inputs, target, chosen)
    return _class_map((weigh(maps, slopes) * maps).sum(1).clamp_min(0), chosen, inputs)


def _mean_slopes(_maps: Tensor, slopes: Tensor) -> Tensor:
    return slopes.mean(_positions(slopes), keepdim=True)


def _pp_slopes(maps: Tensor, slopes: Tensor) -> Tensor:
    below = 2 * slopes**2 + slopes**3 * maps.sum(_positions(maps), keepdim=True)
    shares = torch.where(below.abs() > LEAST, slopes**2 / below, 0)
    return (shares * slopes.clamp_min(0)).sum(_positions(maps), keepdim=True)


def _positions(maps: Tensor) -> tuple[int, ...]:
    return tuple(range(2, maps.dim()))


def _maps_and_slopes(
    model: nn.Module, clips: Tensor, target: Target, layer: Layer
) -> tuple[Tensor, Tensor]:
    """A layer's maps, (n_clips, n_units, *positions), and the score's gradient by them."""
    answer = layer_of(model, clips, target.layer)
    counts: Counter[str] = Counter()
    kept: dict[str, Tensor] = {}

    def on_operation(name: str, func: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        output = func(*args, **kwargs)
        if (name, counts[name]) == layer.call:
            given = tensors_in(output)[0]
            kept["maps"] = given.detach().clone().requires_grad_()
            given.copy_(kept["maps"])  # the net goes on from them, also where it works in place
        if (name, counts[name]) == answer.call:
            kept["answers"] = tensors_in(output)[0].clone()
        counts[name] += 1
        return output

    with untouched(model), torch.enable_grad():
        with watched(model, lambda _clips: counts.clear(), on_operation):
            forward(model, clips.clone())
        if "maps" not in kept or not kept["answers"].requires_grad:
            raise UserError(f"{target.layer} does not depend on {layer.name}: take a layer before")
        scores = target.numbers(kept["answers"], answer).mean(1)
        slopes = sent_back(model, scores.sum(), kept["maps"])
    return kept["maps"].detach(), slopes


def _for_clip(target: Target, i: int) -> Target:
    units = np.atleast_1d(np.asarray(target.unit))
    return Target(target.layer, int(units[i % len(units)]), target.at)


def _over_clip(maps: Tensor, layer: Layer, clips: Tensor) -> Tensor:
    if layer.fields is None:
        return stretched(maps, clips.shape[2:])
    return interpolated(maps, layer.fields, clips.shape[2:])


def _unit_range(maps: Tensor) -> Tensor:
    """Each map from 0 to 1."""
    axes = _positions(maps)
    least, most = maps.amin(axes, keepdim=True), maps.amax(axes, keepdim=True)
    return (maps - least) / (most - least).clamp_min(LEAST)


def _class_map(values: Tensor, layer: Layer, clips: Tensor) -> ClassMap:
    over_clip = _over_clip(values, layer, clips)
    own, laid = (each.float().cpu().numpy() for each in (values, over_clip))
    return ClassMap(layer.name, own, laid, is_stretched=layer.fields is None)
