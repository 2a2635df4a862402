"""Looks inside, beside captum and torch-cam where they can do the same: units or clips a second.

    pip install captum torchcam
    python benchmarks/inside_peers.py --seconds 4

The same nets with random weights, the same clips, in one process, ours and theirs in turns. Where a
library refuses, that is told instead of a figure.
"""

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from convscope.inside.attribution.cam import grad_cam, layer_cam, score_cam
from convscope.inside.attribution.gradients import (
    deconvnet,
    guided_backprop,
    integrated_gradients,
    saliency,
)
from convscope.inside.attribution.occlusion import occlusion
from convscope.inside.tracing.target import Target
from convscope.models.cnn import build
from convscope.models.spec import ConvNetSpec

N_CLIPS, N_UNITS, N_STEPS = 8, 16, 16
LAYER = "conv3"
SHAPES = {"sound": (1, 8000), "images": (3, 64, 64)}
SPECS = {
    "sound": ConvNetSpec(family="custom", conv_layers=6, kernel=5, base_channels=16),
    "images": ConvNetSpec(family="image2d", conv_layers=5, base_channels=16),
}

Way = Callable[[], object]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="for each way")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'':8}{'':34}{'ours':>10}{'peer':>10}{'ratio':>8}  answers agree to")
    for kind, spec in SPECS.items():
        torch.manual_seed(0)
        net = build(spec, SHAPES[kind], 10).eval()
        assert isinstance(net, nn.Sequential)
        clips = torch.randn(N_CLIPS, *SHAPES[kind])
        for name, (count, ours, theirs) in ways(net, clips).items():
            print(f"{kind:8}{name:34}{row(count, ours, theirs, given.seconds)}")


def ways(net: nn.Sequential, clips: Tensor) -> dict[str, tuple[int, Way, Way | None]]:
    """What is compared: how many units or clips a call is for, ours, and theirs where it is."""
    found: dict[str, tuple[int, Way, Way | None]] = {}
    if importlib.util.find_spec("captum"):
        found |= captum_ways(net, clips)
    if importlib.util.find_spec("torchcam"):
        found |= torchcam_ways(net, clips)
    return found


def captum_ways(net: nn.Sequential, clips: Tensor) -> dict[str, tuple[int, Way, Way | None]]:
    """Attributions of a class over clips, and of the units of a layer on one clip."""
    from captum import attr

    target = Target(unit=3)
    size = clips.shape[-1] // 8
    window = (clips.shape[1], *[size] * (clips.dim() - 2))
    strides = (clips.shape[1], *[size // 2] * (clips.dim() - 2))
    one = clips[:1].expand(N_UNITS, *clips.shape[1:])
    units = list(range(N_UNITS))

    at = tuple(
        n // 2
        for n in net[: [name for name, _ in net.named_children()].index(LAYER) + 1](
            clips[:1]
        ).shape[2:]
    )
    neuron = attr.NeuronGradient(net, getattr(net, LAYER))
    return {
        "captum saliency, clips/s": (
            N_CLIPS,
            lambda: saliency(net, clips, target).values,
            lambda: attr.Saliency(net).attribute(clips, target=3),
        ),
        f"captum integrated gradients {N_STEPS}": (
            N_CLIPS,
            lambda: integrated_gradients(net, clips, target, n_steps=N_STEPS).values,
            lambda: attr.IntegratedGradients(net).attribute(
                clips, target=3, n_steps=N_STEPS, internal_batch_size=N_CLIPS
            ),
        ),
        "captum guided backprop": (
            N_CLIPS,
            lambda: guided_backprop(net, clips, target).values,
            lambda: attr.GuidedBackprop(net).attribute(clips, target=3),
        ),
        "captum deconvolution": (
            N_CLIPS,
            lambda: deconvnet(net, clips, target).values,
            lambda: attr.Deconvolution(net).attribute(clips, target=3),
        ),
        "captum occlusion": (
            N_CLIPS,
            lambda: occlusion(net, clips, target, size, size // 2).values,
            lambda: attr.Occlusion(net).attribute(
                clips, target=3, sliding_window_shapes=window, strides=strides
            ),
        ),
        f"captum {LAYER}, units/s": (
            N_UNITS,
            lambda: saliency(net, one, Target(LAYER, units, at)).values,
            lambda: torch.cat([neuron.attribute(clips[:1], (i, *at)) for i in units]).abs(),
        ),
    }


def torchcam_ways(net: nn.Module, clips: Tensor) -> dict[str, tuple[int, Way, Way | None]]:
    """Maps of a class over clips."""
    from torchcam import methods

    def theirs(method: str) -> Way:
        def call() -> object:
            with getattr(methods, method)(net, target_layer=LAYER) as extractor:
                return extractor([3] * N_CLIPS, net(clips.clone().requires_grad_()))[0]

        return call

    target = Target(unit=3)
    return {
        "torch-cam Grad-CAM": (
            N_CLIPS, lambda: grad_cam(net, clips, target, LAYER).values, theirs("GradCAM")
        ),
        "torch-cam Layer-CAM": (
            N_CLIPS, lambda: layer_cam(net, clips, target, LAYER).values, theirs("LayerCAM")
        ),
        "torch-cam Score-CAM": (
            N_CLIPS, lambda: score_cam(net, clips, target, LAYER).values, theirs("ScoreCAM")
        ),
    }  # fmt: skip


def row(count: int, ours: Way, theirs: Way | None, seconds: float) -> str:
    """Ours and theirs a second, in turns, their ratio, and how well the answers agree."""
    try:
        agreement = agree(ours(), theirs()) if theirs else ""
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:60]
        return f"{count / best(ours, seconds):10.2f}{'-':>10}{'':8}  refused: {reason}"
    spent = {way: float("inf") for way in (ours, theirs) if way}
    end = time.perf_counter() + 2 * seconds
    while time.perf_counter() < end:
        for way in spent:
            spent[way] = min(spent[way], best(way, 0))
    mine, other = (count / each for each in spent.values())
    return f"{mine:10.2f}{other:10.2f}{mine / other:8.2f}  {agreement}"


def best(way: Way, seconds: float) -> float:
    """The least time of a call, s."""
    least, end = float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        way()
        least = min(least, time.perf_counter() - start)
        if time.perf_counter() >= end:
            return least


def agree(ours: object, theirs: object) -> str:
    """The correlation of the two answers."""
    mine, other = (
        np.asarray(torch.as_tensor(each).detach(), np.float64).ravel() for each in (ours, theirs)
    )
    if len(mine) != len(other):
        return f"other shapes: {len(mine)} and {len(other)} numbers"
    return f"correlation {np.corrcoef(mine, other)[0, 1]:.4f}"


if __name__ == "__main__":
    main()
