"""How large an input is, and how loud or bright, for one unit to be driven."""

import math
from dataclasses import dataclass

import numpy as np

from convscope.data.config import SpectrogramConfig
from convscope.inside.maximise.parametrise import Tidy, ball
from convscope.inside.subject.subject import Subject
from convscope.inside.tracing.layers import Layer
from convscope.types import Shape

MOST_CLIPS = 256  # that are read for their range


@dataclass(frozen=True)
class Window:
    """The part of an input that the unit at one position sees.

    Attributes:
        shape: of an input that is large enough.
        at: the unit's position there; None: the middle.
        sees: where the unit's window lies in that input.
    """

    shape: Shape
    at: tuple[int, ...] | None
    sees: tuple[slice, ...]

    def heard(self, config: SpectrogramConfig, n_times: int, row: int) -> "Window":
        """The same of the sound that a spectrogram is made of, for the unit in one row of its map:
        a sound has all frequencies."""
        if self.at is None:
            return Window((1, n_times), None, (slice(0, n_times),))
        first, last = self.sees[1].start, self.sees[1].stop - 1
        n_samples = (self.shape[2] - 1) * config.stride + config.window
        seen = slice(first * config.stride, last * config.stride + config.window)
        return Window((1, n_samples), (row, self.at[1]), (seen,))


def window_of(layer: Layer, shape: Shape) -> Window:
    """The window of a layer's units; the whole input where it is not known or is as large."""
    sizes = shape[1:]
    fields = layer.fields
    if fields is None or any(
        field.size + field.stride > size for field, size in zip(fields, sizes, strict=True)
    ):
        return Window(shape, None, tuple(slice(0, size) for size in sizes))
    at = tuple(-(field.start // field.stride) for field in fields)
    sees = tuple(slice(*field.of(i)) for field, i in zip(fields, at, strict=True))
    return Window((shape[0], *(field.size + field.stride for field in fields)), at, sees)


@dataclass(frozen=True)
class Scale:
    """The range of an input's numbers.

    Attributes:
        low, high: the ends: those of full scale, or of the examples where a user's own function has
            made them.
        middle: silence, or the mean of the examples: what decay pulls to.
    """

    low: float
    high: float
    middle: float

    @classmethod
    def of(cls, subject: Subject) -> "Scale":
        """That of a subject's input before its front."""
        if subject.rate_hz is not None:
            return cls(-1.0, 1.0, 0.0)
        if subject.examples is None:
            return cls(0.0, 1.0, 0.5)
        shown = subject.scaled(subject.examples.clips[:MOST_CLIPS])
        if subject.examples.clips.dtype != np.float32:
            return cls(0.0, 1.0, float(shown.mean()))
        return cls(float(shown.min()), float(shown.max()), float(shown.mean()))

    @property
    def half(self) -> float:
        """Half of the range."""
        return (self.high - self.low) / 2

    def ball(self, shape: Shape) -> Tidy:
        """Inputs whose root mean square about 0 is a tenth of that half at most."""
        return ball(0.1 * self.half * math.prod(shape) ** 0.5)
