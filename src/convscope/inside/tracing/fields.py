"""Which samples of the clip the numbers of a tensor see, and along which of its axes they lie.

Source: A. Araujo, W. Norris, J. Sim, Computing Receptive Fields of Convolutional Neural Networks,
Distill (2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import TypeAlias


@dataclass(frozen=True)
class Field:
    """Which input samples a layer's units see, along one axis.

    Unit i sees the `size` samples from start + i · stride on.

    Attributes:
        is_whole: whether each unit takes something of all positions before it, as in attention:
            then `size` is so large that every unit sees all of them, about its own middle.
    """

    size: int = 1
    stride: int = 1
    start: int = 0
    is_whole: bool = False

    def windowed(self, kernel: int, stride: int, padding: int, dilation: int) -> "Field":
        """Behind windows of a convolution or pooling."""
        return replace(
            self,
            size=self.size + (kernel - 1) * dilation * self.stride,
            stride=self.stride * stride,
            start=self.start - padding * self.stride,
        )

    def beside(self, other: "Field") -> "Field":
        """Where units of two layers are added, position by position."""
        start = min(self.start, other.start)
        stop = max(self.start + self.size, other.start + other.size)
        return Field(stop - start, self.stride, start, self.is_whole or other.is_whole)

    def shrunk(
        self, first: Sequence[Fraction], last: Sequence[Fraction], step: Fraction
    ) -> "Field | None":
        """Behind an operation whose output i takes positions from first[i] to last[i], in all about
        step · i: the smallest field that holds for all; None where its stride is no whole number.
        """
        stride = self.stride * step
        if stride.denominator != 1:
            return None
        start = floor(min(self.stride * a - stride * i for i, a in enumerate(first)))
        stop = ceil(max(self.stride * b - stride * i for i, b in enumerate(last)))
        return Field(stop - start + self.size, int(stride), self.start + start, self.is_whole)

    def spanned(self, n_positions: int) -> "Field":
        """What so many positions see together."""
        return replace(self, size=self.size + (n_positions - 1) * self.stride)

    def reaching(self, other: "Field", n_positions: int) -> "Field":
        """Where each of so many positions sees, besides, what all or others see; its middle stays
        where it is."""
        last = self.start + (n_positions - 1) * self.stride
        more = max(last - other.start, other.start + other.size - self.start - self.size, 0)
        return Field(self.size + 2 * more, self.stride, self.start - more, is_whole=True)

    def sees_all(self, n_positions: int, n_samples: int) -> bool:
        """Whether each of so many positions sees all of so many samples."""
        last = self.start + (n_positions - 1) * self.stride
        return last <= 0 and self.start + self.size >= n_samples

    def of(self, position: int) -> tuple[int, int]:
        """First sample, and the one behind the last, that the unit at a position sees."""
        start = self.start + position * self.stride
        return start, start + self.size

    def centre(self, position: int) -> float:
        """The middle of what it sees, in samples."""
        return self.start + position * self.stride + (self.size - 1) / 2


Fields: TypeAlias = tuple[Field, ...]
"""One for each axis of the positions."""

Cycles: TypeAlias = tuple[float, ...]
"""The middle of each band of a spectrum, in cycles per sample."""


@dataclass(frozen=True)
class Along:
    """Where an axis of the input, or the bands of a spectrum made of it, lie in a tensor.

    Attributes:
        field: what a position sees of that axis.
        dim: the axis of the tensor along which the positions lie; None: all its numbers see the
            same, that of position 0.
        is_mixed: whether that axis of the tensor runs over other things as well, as flattened maps.
        bands: of a spectrum's axis: where the bands are; None of an axis of the input.
    """

    field: Field
    dim: int | None
    is_mixed: bool = False
    bands: Cycles | None = None

    def together(self, shape: Sequence[int]) -> "Along":
        """Where all positions are taken together: what they see as a whole."""
        if self.dim is None:
            return self
        if self.is_mixed:  # of which the field is that of all positions already
            return replace(self, dim=None, is_mixed=False)
        return replace(self, field=self.field.spanned(shape[self.dim]), dim=None)

    def moved(self, places: dict[int, int]) -> "Along | None":
        """Where the tensor's axes come to other places; None where this one's is lost."""
        if self.dim is None:
            return self
        return replace(self, dim=places[self.dim]) if self.dim in places else None


View: TypeAlias = tuple[Along | None, ...]
"""Of a tensor that comes from the clip: an entry for each axis of the input, and one more for the
bands of a spectrum that was made of it; None where it is not known what is seen of that axis."""


def fields_of(view: View | None, n_axes: int) -> Fields | None:
    """The fields of a tensor (n_clips, n_channels, *positions) whose positions are those of the
    input, axis by axis; None of any other.

    Args:
        view: of the tensor.
        n_axes: of its positions.
    """
    if view is None or len(view) != n_axes or any(each is None for each in view):
        return None
    known = [each for each in view if each is not None]
    is_alike = all(
        each.dim == k and not each.is_mixed and each.bands is None
        for k, each in enumerate(known, 2)
    )
    return tuple(each.field for each in known) if is_alike and known else None
