"""One operation of a forward pass: what goes in, and what that sees of the clip."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from torch import Tensor

from convscope.inside.tracing.fields import Along, View

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Given:
    """A tensor that goes in.

    Attributes:
        tensor: itself.
        view: what it sees of the clip; None where that is not known, or it comes from elsewhere.
        is_seeing: whether it comes from the clip.
    """

    tensor: Tensor
    view: View | None
    is_seeing: bool

    @property
    def shape(self) -> Shape:
        return tuple(self.tensor.shape)


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        name: of the operation.
        args, kwargs: its arguments.
        given: every tensor among them, in their order.
        shapes: of what comes out.
    """

    name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    given: Sequence[Given]
    shapes: Sequence[Shape]

    @property
    def seeing(self) -> list[Given]:
        """The tensors that come from the clip."""
        return [each for each in self.given if each.is_seeing]

    @property
    def shape(self) -> Shape:
        return self.shapes[0]

    def argument(self, place: int, *names: str, default: Any = None) -> Any:
        """An argument by its place or its names."""
        for name in names:
            if name in self.kwargs:
                return self.kwargs[name]
        return self.args[place] if len(self.args) > place else default

    def dims(self, place: int, *names: str) -> list[int] | None:
        """An argument that names axes of the first tensor, counted from 0; None: not given."""
        value = self.argument(place, *names)
        if value is None or isinstance(value, bool):
            return None
        several = value if isinstance(value, list | tuple) else [value]
        return [each % max(len(self.given[0].shape), 1) for each in several]


Rule: TypeAlias = Callable[[Step], View | None]
"""From an operation to what its first output sees; None where that is not known."""


def mapped(view: View, change: Callable[[Along], Along | None]) -> View:
    """Each known axis changed."""
    return tuple(None if each is None else change(each) for each in view)


def contracted(view: View, shape: Shape, dims: Sequence[int]) -> View:
    """Where an operation sums over some axes of a tensor; the others stay where they are."""
    return mapped(view, lambda each: each.together(shape) if each.dim in dims else each)


def moved(view: View, places: dict[int, int]) -> View:
    """Where the tensor's axes come to other places."""
    return mapped(view, lambda each: each.moved(places))


def whole_along(view: View, shape: Shape, dim: int) -> View:
    """Where each position along an axis takes something of all of them."""

    def change(each: Along) -> Along | None:
        if each.dim != dim:
            return each
        if each.is_mixed:
            return None
        everything = each.field.spanned(shape[dim])
        return replace(each, field=each.field.reaching(everything, shape[dim]))

    return mapped(view, change)


def merged(views: Sequence[View], shape: Shape) -> View:
    """Where several tensors meet, number by number.

    Args:
        views: of each, its axes where they are in the output.
        shape: of the output.
    """
    n_axes = max(len(view) for view in views)
    result = views[0]
    for view in views[1:]:
        pairs = (
            (result[k] if k < len(result) else _NOWHERE, view[k] if k < len(view) else _NOWHERE)
            for k in range(n_axes)
        )
        result = tuple(_met(a, b, shape) for a, b in pairs)
    return result


_NOWHERE = "nowhere"
"""Of a tensor that has no such axis: a waveform has no bands."""


def _met(a: Along | str | None, b: Along | str | None, shape: Shape) -> Along | None:
    if isinstance(a, str) or isinstance(b, str):
        alone = b if isinstance(a, str) else a
        return None if isinstance(alone, str) else alone
    if a is None or b is None or a.bands != b.bands:
        return None
    if a.dim is None and b.dim is not None:
        a, b = b, a
    if a.is_mixed or b.is_mixed:
        return a if a == b else None
    if a.dim == b.dim and (a.dim is None or a.field.stride == b.field.stride):
        return replace(a, field=a.field.beside(b.field))
    if b.dim is None and a.dim is not None:
        return replace(a, field=a.field.reaching(b.field, shape[a.dim]))
    return None
