"""Units a second of activation maximisation: a layer's units as one batch, and one by one.

    python benchmarks/maximise_speed.py --layer conv8 --units 32 --steps 16

The net is `custom` with 8 layers of 32 channels on 16,000 samples, its weights random. No peer does
this: captum has it in an open pull request alone (captum.optim, 1545), torch-cam has it not, and
Lucent is dead. What they do is timed by inside_peers.py.
"""

import argparse
import time
from collections.abc import Callable

import torch

from convscope.inside.maximise.maximise import Ascent, maximise
from convscope.inside.maximise.objectives import unit
from convscope.inside.maximise.windows import window_of
from convscope.inside.tracing.layers import layers_of
from convscope.models.cnn import build
from convscope.models.spec import ConvNetSpec

SHAPE = (1, 16000)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layer", default="conv8")
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--steps", type=int, default=16)
    given = parser.parse_args()
    spec = ConvNetSpec(family="custom", conv_layers=8, kernel=5, base_channels=32)
    net = build(spec, SHAPE, 16)
    layers = layers_of(net, torch.zeros(1, *SHAPE))
    window = window_of(layers[given.layer], SHAPE)
    names = [f"{given.layer}:{i}" for i in range(given.units)]

    def run(targets: list[str], shape: tuple[int, ...], at: tuple[int, ...] | None) -> None:
        maximise(net, unit(targets, at=at), shape, ascent=Ascent(given.steps), layers=layers)

    def one_by_one() -> None:
        for name in names:
            run([name], SHAPE, None)

    ways: dict[str, Callable[[], None]] = {
        "one by one, whole clips": one_by_one,
        "one batch, whole clips": lambda: run(names, SHAPE, None),
        "one batch, what a unit sees": lambda: run(names, window.shape, window.at),
    }
    run(names[:1], SHAPE, None)  # the first call is slower
    print(
        f"{given.layer}, {given.units} units, {given.steps} steps, {torch.get_num_threads()} cores"
    )
    for name, way in ways.items():
        start = time.perf_counter()
        way()
        print(f"{name:30s} {given.units / (time.perf_counter() - start):8.2f} units/s")


if __name__ == "__main__":
    main()
