"""What a SqueezeNet with ImageNet weights takes for a zebra, an elephant, a snake and a hen.

    CONVSCOPE_TEST_DATA=DATA python gallery/imagenet_maximisation.py --out pictures

Reads `squeezenet1_0` in the folder CONVSCOPE_TEST_DATA; about a minute on two cores. The mean of
a class's map before its ReLU climbs, for behind it a class at 0 has no gradient, by the image's
spectrum scaled by 1/f, in three colour directions as they are correlated in photographs
(C. Olah, A. Mordvintsev, L. Schubert, Feature Visualization, Distill, 2017).
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

from convscope.inside.maximise.maximise import Ascent, maximise
from convscope.inside.maximise.objectives import channel, tv
from convscope.inside.maximise.parametrise import Spectrum

sys.path.insert(0, str(Path(__file__).parent))
from squeezenet import MEAN_BGR, SIDE, make_net

CLASSES = ("zebra", "African_elephant", "king_snake", "hen")
SHAPE = (3, SIDE, SIDE)
ASCENT = Ascent(steps=96, rate=0.1, bound=None, jitter=24, decay=0.03, blur_every=4, blur=0.7)
COLOURS = torch.tensor([[0.56, 0.19, 0.04], [0.58, 0.0, -0.11], [0.58, -0.19, 0.06]])


class Photograph(nn.Module):
    """From three uncorrelated colours without bounds to red, green and blue in [0, 1]."""

    def forward(self, colours: Tensor) -> Tensor:
        return torch.einsum("ij,njhw->nihw", COLOURS, colours).sigmoid()


class Preprocess(nn.Module):
    """From an image in [0, 1] to what the net takes."""

    def forward(self, image: Tensor) -> Tensor:
        return 255 * image.flip(1) - torch.tensor(MEAN_BGR).view(1, 3, 1, 1)


def main() -> None:
    """Write a picture for each class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder for the pictures")
    parser.add_argument("--steps", type=int, default=ASCENT.steps)
    given = parser.parse_args()
    data = Path(os.environ.get("CONVSCOPE_TEST_DATA", "")) / "squeezenet1_0"
    weights = data / "squeezenet1_0_imagenet_fp16.safetensors"
    if not weights.is_file():
        print(f"skipped: {weights} is not there: set CONVSCOPE_TEST_DATA to the folder of data")
        return
    net = make_net()
    halves = safetensors.torch.load_file(weights)
    net.load_state_dict({name: value.float() for name, value in halves.items()})
    names = (data / "imagenet_classes.txt").read_text().splitlines()
    found = maximise(
        nn.Sequential(Photograph(), Preprocess(), net),
        channel([f"conv26:{names.index(name)}" for name in CLASSES]) - 20 * tv(),
        SHAPE,
        ascent=replace(ASCENT, steps=given.steps),
        parametrisation=Spectrum(SHAPE, spread=0.05, lowest=6 / SIDE),
        progress=lambda done, steps: print(f"\r{done}/{steps}", end="", file=sys.stderr),
    )
    given.out.mkdir(parents=True, exist_ok=True)
    for name, image in zip(CLASSES, Photograph()(torch.from_numpy(found.inputs)), strict=True):
        path = given.out / f"{name}.png"
        Image.fromarray((255 * image).byte().permute(1, 2, 0).numpy()).save(path)
        print(path)


if __name__ == "__main__":
    main()
