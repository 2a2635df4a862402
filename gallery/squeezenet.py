"""SqueezeNet 1.0 as a user-defined net, for ImageNet weights under torchvision's names.

    convscope look gallery/squeezenet.py:make_net --weights squeezenet1_0_imagenet_fp16.safetensors
        --input 3x227x227 --preprocess gallery/squeezenet.py:preprocess
        --classes imagenet_classes.txt --clips IMAGES

Its input has blue first and no mean colour; `show` makes an image of it again, for the pictures.

Source: F. Iandola and others, SqueezeNet: AlexNet-level accuracy with 50x fewer parameters (2016).
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

SIDE = 227
MEAN_BGR = (104.0, 117.0, 123.0)


class Fire(nn.Module):
    """A narrow convolution, and behind it a 1×1 and a 3×3 one side by side."""

    def __init__(self, n_inputs: int, n_squeezed: int, n_expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(n_inputs, n_squeezed, 1)
        self.expand1x1 = nn.Conv2d(n_squeezed, n_expanded, 1)
        self.expand3x3 = nn.Conv2d(n_squeezed, n_expanded, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        squeezed = self.squeeze(maps).relu()
        return torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], 1).relu()


class SqueezeNet(nn.Module):
    """From images (n_clips, 3, 227, 227) as `preprocess` makes them to the scores of classes."""

    def __init__(self, n_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=2),
            nn.ReLU(),
            _pool(),
            Fire(96, 16, 64),
            Fire(128, 16, 64),
            Fire(128, 32, 128),
            _pool(),
            Fire(256, 32, 128),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            _pool(),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Conv2d(512, n_classes, 1, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
        )

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.features(images)).flatten(1)
        return scores


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def make_net() -> nn.Module:
    """The net, its weights still random."""
    return SqueezeNet()


def preprocess(path: Path) -> NDArray[np.float32]:
    """An image as the net takes it: (3, 227, 227), blue first, 0 to 255, minus the mean colour."""
    image = Image.open(path)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.convert("RGB").crop((left, top, left + side, top + side))
    pixels = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
    return np.ascontiguousarray((pixels[..., ::-1] - MEAN_BGR).transpose(2, 0, 1), np.float32)


def show(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The image of an input of any height and width: red first, 0 to 1."""
    colours = values + np.float32(MEAN_BGR)[:, None, None]
    return np.asarray(colours[::-1] / 255, np.float32)
