"""Where positions come to lie when a tensor is cut, turned or folded into another shape."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from convscope.inside.tracing.fields import Along, View
from convscope.inside.tracing.step import Rule, Shape, Step, mapped, merged, moved


def reshaped(step: Step) -> View | None:
    """Where axes are split, run together or left out; positions that run together with something
    else lie mixed."""
    given = step.seeing[0]
    places: dict[int, tuple[int, bool]] = {}
    for before, behind in _groups(given.shape, step.shape):
        wide = [d for d in before if given.shape[d] > 1]
        there = [d for d in behind if step.shape[d] > 1]
        if len(there) == 1:
            places |= {d: (there[0], len(wide) > 1) for d in wide}

    def change(each: Along) -> Along | None:
        if each.dim is None or given.shape[each.dim] == 1:
            return replace(each, dim=None, is_mixed=False)
        if each.dim not in places:
            return None
        dim, is_mixed = places[each.dim]
        if is_mixed and not each.is_mixed:
            return replace(each.together(given.shape), dim=dim, is_mixed=True)
        return replace(each, dim=dim)

    return None if given.view is None else mapped(given.view, change)


def _groups(before: Shape, behind: Shape) -> list[tuple[list[int], list[int]]]:
    """The least groups of neighbouring axes of as many numbers before and behind."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(behind):
        own: tuple[list[int], list[int]] = ([], [])
        sizes = [1, 1]
        while True:
            is_shorter = sizes[0] <= sizes[1] and i < len(before)
            if is_shorter:
                own[0].append(i)
                sizes[0] *= before[i]
                i += 1
            elif j < len(behind):
                own[1].append(j)
                sizes[1] *= behind[j]
                j += 1
            if (sizes[0] == sizes[1] and own[0] and own[1]) or (
                i == len(before) and j == len(behind)
            ):
                break
        groups.append(own)
    return groups


def _ordered(step: Step, order: Sequence[int]) -> View | None:
    given = step.seeing[0]
    places = {old % len(given.shape): new for new, old in enumerate(order)}
    return None if given.view is None else moved(given.view, places)


def permuted(step: Step) -> View | None:
    """`permute(*dims)`."""
    dims = step.argument(1, "dims")
    return _ordered(step, dims if isinstance(dims, list | tuple) else step.args[1:])


def transposed(step: Step) -> View | None:
    """Two axes change places: those given, else the last two."""
    n = len(step.seeing[0].shape)
    a, b = step.argument(1, "dim0", "axis0"), step.argument(2, "dim1", "axis1")
    order = list(range(n))
    a, b = (n - 2, n - 1) if a is None or b is None else (a % n, b % n)
    order[a], order[b] = b, a
    return _ordered(step, order)


def movedim(step: Step) -> View | None:
    """`movedim(source, destination)`."""
    n = len(step.seeing[0].shape)
    source, target = (
        [each % n for each in (value if isinstance(value, list | tuple) else [value])]
        for value in (step.argument(1, "source"), step.argument(2, "destination"))
    )
    order = [d for d in range(n) if d not in source]
    for place, dim in sorted(zip(target, source, strict=True)):
        order.insert(place, dim)
    return _ordered(step, order)


def indexed(step: Step) -> View | None:
    """`x[…]` by whole numbers, slices, None and …; of an index by numbers that lie in a list or
    tensor the positions are not known."""
    given = step.seeing[0]
    index = step.args[1] if isinstance(step.args[1], tuple) else (step.args[1],)
    if given.view is None or len(step.seeing) > 1:
        return None
    n_named = sum(each is not None and each is not ... for each in index)
    if any(isinstance(each, Tensor) and each.dim() != 1 for each in index):
        return None
    if sum(isinstance(each, Tensor | list) for each in index) > 1:
        return None
    view: View = given.view
    places: dict[int, int] = {}
    old = new = 0
    for part in (*index, *([] if ... in _plain(index) else [...])):
        if part is None:
            new += 1
        elif part is ...:
            for _ in range(len(given.shape) - n_named):
                places[old] = new
                old, new = old + 1, new + 1
        elif isinstance(part, int):
            view, old = _one(view, old, part % given.shape[old]), old + 1
        else:
            is_slice = isinstance(part, slice)
            kept = range(given.shape[old])[part] if is_slice else None
            view, places[old] = cut(view, old, kept), new
            old, new = old + 1, new + 1
    return moved(view, places)


def _plain(index: Sequence[object]) -> list[object]:
    return [each for each in index if not isinstance(each, Tensor)]


def cut(view: View, dim: int, kept: range | None) -> View:
    """The positions of a range along an axis; None: some that are not known."""

    def change(each: Along) -> Along | None:
        if each.dim != dim:
            return each
        if kept is None or not len(kept) or kept.step < 1 or each.is_mixed:
            return None
        start = each.field.start + kept.start * each.field.stride
        stride = each.field.stride * kept.step
        return replace(each, field=replace(each.field, start=start, stride=stride))

    return mapped(view, change)


def _one(view: View, dim: int, i: int) -> View:
    """One position of an axis: all see what it sees."""
    there = cut(view, dim, range(i, i + 1))
    return mapped(there, lambda each: replace(each, dim=None) if each.dim == dim else each)


def selected(step: Step) -> View | None:
    """`select(dim, index)`."""
    given = step.seeing[0]
    dim, i = step.argument(1, "dim") % len(given.shape), step.argument(2, "index")
    if given.view is None:
        return None
    return without(_one(given.view, dim, i % given.shape[dim]), dim)


def without(view: View, dim: int) -> View:
    """Where an axis along which there are no positions is left out."""
    return mapped(
        view,
        lambda each: (
            each if each.dim is None or each.dim < dim else replace(each, dim=each.dim - 1)
        ),
    )


def narrowed(step: Step) -> View | None:
    """`narrow(dim, start, length)`."""
    given = step.seeing[0]
    dim = step.argument(1, "dim") % len(given.shape)
    start, length = step.argument(2, "start"), step.argument(3, "length")
    if given.view is None or not isinstance(start, int):
        return None
    start %= given.shape[dim]
    return cut(given.view, dim, range(start, start + length))


def joined(step: Step) -> View | None:
    """`cat`: along channels, or along positions where the parts go on one behind the other."""
    n = len(step.shape)
    dim = step.argument(1, "dim", "axis", default=0) % n
    views, before = [], 0
    for part in step.given:
        if part.is_seeing:
            if part.view is None:
                return None
            views.append(cut(part.view, dim, range(-before, part.shape[dim])))
        before += part.shape[dim]
    if any(_at(view, dim) != _at(views[0], dim) for view in views):
        return None
    return merged(views, step.shape)


def _at(view: View, dim: int) -> list[Along]:
    """What lies along an axis; of the bands of a spectrum that are joined nothing is known."""
    return [each for each in view if each is not None and each.dim == dim]


def stacked(step: Step) -> View | None:
    """`stack`: along a new axis."""
    dim = step.argument(1, "dim", default=0) % len(step.shape)
    places = {d: d + (d >= dim) for d in range(len(step.shape) - 1)}
    views = [part.view for part in step.seeing]
    known = [moved(view, places) for view in views if view is not None]
    return merged(known, step.shape) if len(known) == len(views) else None


def repeated(step: Step) -> View | None:
    """`repeat(*sizes)`, along axes without positions."""
    given = step.seeing[0]
    ahead = len(step.shape) - len(given.shape)
    if given.view is None:
        return None
    view = moved(given.view, {d: d + ahead for d in range(len(given.shape))})
    old = (1,) * ahead + given.shape
    return mapped(
        view,
        lambda each: (
            each
            if each.dim is None or old[each.dim] == step.shape[each.dim]
            else (replace(each, dim=None) if old[each.dim] == 1 else None)
        ),
    )


def parts(step: Step) -> list[View | None]:
    """`chunk`, `split`, `tensor_split` and `unbind`: what each of the outputs sees."""
    given = step.seeing[0]
    place = 1 if step.name in ("unbind", "__iter__") else 2
    dim = (step.dims(place, "dim", "axis") or [0])[0]
    found: list[View | None] = []
    start = 0
    for shape in step.shapes:
        is_one = len(shape) < len(given.shape)
        length = 1 if is_one else shape[dim]
        if given.view is None:
            found.append(None)
        elif is_one:
            found.append(without(_one(given.view, dim, start), dim))
        else:
            found.append(cut(given.view, dim, range(start, start + length)))
        start += length
    return found


SHAPES: dict[str, Rule] = {
    **dict.fromkeys(("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"), reshaped),
    **dict.fromkeys(("ravel", "view_as", "reshape_as", "unsafe_view"), reshaped),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims", "t", "T", "mT", "H", "mH"), transposed),
    **dict.fromkeys(("movedim", "moveaxis"), movedim),
    **dict.fromkeys(("cat", "concat", "concatenate"), joined),
    "permute": permuted,
    "__getitem__": indexed,
    "select": selected,
    "narrow": narrowed,
    "stack": stacked,
    "repeat": repeated,
    "tile": repeated,
}
"""The rule of each operation on shapes."""

PARTS = frozenset(
    {"chunk", "split", "split_with_sizes", "tensor_split", "unbind", "__iter__", "unsafe_chunk"}
)
"""Operations of several outputs, each of another part."""
