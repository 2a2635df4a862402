"""Deconvnet by the book, in NumPy loops: as slow as it is obvious, for any number of axes.

M. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section
2.1: forwards the place of each pool's largest value is kept, the switch; backwards a value is put
where its switch points, passes a ReLU, and is convolved with the filters transposed.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Place = tuple[int, ...]


@dataclass
class Conv:
    """weight (n_filters, n_channels, *kernel), bias (n_filters,)."""

    weight: Array
    bias: Array
    stride: int = 1
    padding: int = 0
    in_shape: Place = ()

    def forward(self, x: Array) -> Array:
        self.in_shape = x.shape
        kernel = self.weight.shape[2:]
        lengths = [
            (n + 2 * self.padding - k) // self.stride + 1
            for n, k in zip(x.shape[1:], kernel, strict=True)
        ]
        y = np.zeros((len(self.weight), *lengths))
        for f, *place in np.ndindex(y.shape):
            y[(f, *place)] = self.bias[f]
            for c, *tap in np.ndindex(self.weight.shape[1:]):
                source = self._source(place, tap)
                if _is_inside(source, x.shape[1:]):
                    y[(f, *place)] += self.weight[(f, c, *tap)] * x[(c, *source)]
        return y

    def back(self, y: Array) -> Array:
        x = np.zeros(self.in_shape)
        for f, *place in np.ndindex(y.shape):
            for c, *tap in np.ndindex(self.weight.shape[1:]):
                source = self._source(place, tap)
                if _is_inside(source, x.shape[1:]):
                    x[(c, *source)] += self.weight[(f, c, *tap)] * y[(f, *place)]
        return x

    def _source(self, place: list[int], tap: list[int]) -> list[int]:
        return [i * self.stride + t - self.padding for i, t in zip(place, tap, strict=True)]


@dataclass
class ReLU:
    def forward(self, x: Array) -> Array:
        return np.maximum(x, 0)

    def back(self, y: Array) -> Array:
        return np.maximum(y, 0)


@dataclass
class Tanh:
    def forward(self, x: Array) -> Array:
        return np.tanh(x)

    def back(self, y: Array) -> Array:
        return y


@dataclass
class MaxPool:
    size: int
    stride: int
    ceil: bool = False
    padding: int = 0
    in_shape: Place = ()
    switches: dict[Place, Place] = field(default_factory=dict)

    def forward(self, x: Array) -> Array:
        self.in_shape = x.shape
        y = np.zeros((len(x), *map(self._length, x.shape[1:])))
        for c, *place in np.ndindex(y.shape):
            best = -np.inf
            for offset in np.ndindex(*[self.size] * len(place)):
                source = [
                    i * self.stride + o - self.padding for i, o in zip(place, offset, strict=True)
                ]
                if _is_inside(source, x.shape[1:]) and x[(c, *source)] > best:
                    best = x[(c, *source)]
                    self.switches[c, *place] = (c, *source)
            y[(c, *place)] = best
        return y

    def _length(self, n: int) -> int:
        over = n + 2 * self.padding - self.size
        if not self.ceil:
            return over // self.stride + 1
        length = -(-over // self.stride) + 1
        return length if (length - 1) * self.stride < n + self.padding else length - 1

    def back(self, y: Array) -> Array:
        x = np.zeros(self.in_shape)
        for place in np.ndindex(y.shape):
            x[self.switches[place]] += y[place]
        return x


def _is_inside(place: list[int], shape: Place) -> bool:
    return all(0 <= i < n for i, n in zip(place, shape, strict=True))


Step = Conv | ReLU | Tanh | MaxPool


def slow_deconvnet(steps: list[Step], clip: Array, unit: int, whole_map: bool) -> Array:
    """The reconstruction from a unit of the last step: of its largest value, or its map."""
    y = clip
    for step in steps:
        y = step.forward(y)
    signal = np.zeros_like(y)
    if whole_map:
        signal[unit] = y[unit]
    else:
        strongest = np.unravel_index(y[unit].argmax(), y[unit].shape)
        signal[(unit, *strongest)] = y[(unit, *strongest)]
    for step in reversed(steps):
        signal = step.back(signal)
    return signal
