"""Exact splits and folds: which clips are trained on, validated and tested, group by group."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from convscope.data.listing.splits import hashed_percentage

Classes = Mapping[Hashable, int]
"""How many clips of each class a group has."""

_T = TypeVar("_T", bound=Hashable)


def dealt(classes: Sequence[Hashable], groups: Sequence[str], shares: Sequence[float]) -> list[int]:
    r"""For each clip the part that its group is dealt to, every class in the given shares.

    Groups go one after the other, the largest first, of equal ones by a hash of their name, to the
    part that leaves the least

        Σ_s Σ_c (n_cs / (shares_s n_c) - 1)²,    n_cs clips of n_c of class c in part s,

    among those that may take them: while a class has no more groups left than parts without it, the
    group goes to one of these. Where every clip is a group of its own, each class has its exact
    share in each part, rounded by the largest remainder.

    Args:
        classes: (n_clips,) of each clip; all the same to balance numbers of clips alone.
        groups: (n_clips,) names; a group is never divided.
        shares: of each part, which make 1.

    Returns:
        (n_clips,) indices into `shares`.

    Example:
        >>> dealt(["cat"] * 4, ["ann", "ann", "bob", "eve"], [0.5, 0.25, 0.25])
        [0, 0, 2, 1]
    """
    if len(set(groups)) == len(groups):
        return _exactly(classes, groups, shares)
    return _by_group(classes, groups, shares)


def in_turn(classes: Sequence[Hashable], names: Sequence[str], n: int) -> list[int]:
    """For each clip one of `n` folds, in turn by class and hash: no two differ by more than a clip.

    Neither in all, nor in any class.
    """
    order = sorted(range(len(names)), key=lambda i: (str(classes[i]), *_by_hash(names[i])))
    parts = [0] * len(names)
    for turn, row in enumerate(order):
        parts[row] = turn % n
    return parts


def _by_hash(name: str) -> tuple[float, str]:
    return hashed_percentage(name), name


def rounded(n: int, shares: Sequence[float]) -> list[int]:
    """`n` in parts of these shares, by the largest remainder; of equal ones the first.

    No part stays empty that could have one: the largest gives it.
    """
    sizes = [int(n * share + 1e-9) for share in shares]
    by_rest = sorted(range(len(shares)), key=lambda i: sizes[i] - n * shares[i])
    for i in by_rest[: n - sum(sizes)]:
        sizes[i] += 1
    for i in range(len(sizes)):
        largest = sizes.index(max(sizes))
        if sizes[i] == 0 and sizes[largest] > 1:
            sizes[i], sizes[largest] = 1, sizes[largest] - 1
    return sizes


def _exactly(
    classes: Sequence[Hashable], names: Sequence[str], shares: Sequence[float]
) -> list[int]:
    parts = [0] * len(names)
    for rows in _rows_of(classes).values():
        ordered = sorted(rows, key=lambda row: _by_hash(names[row]))
        sizes = rounded(len(rows), shares)
        of_each = [part for part, size in enumerate(sizes) for _ in range(size)]
        for row, part in zip(ordered, of_each, strict=True):
            parts[row] = part
    return parts


def _by_group(
    classes: Sequence[Hashable], groups: Sequence[str], shares: Sequence[float]
) -> list[int]:
    sizes: dict[str, Counter[Hashable]] = {
        name: Counter(classes[row] for row in rows) for name, rows in _rows_of(groups).items()
    }
    order = sorted(sizes, key=lambda name: (-sizes[name].total(), *_by_hash(name)))
    totals = Counter(classes)
    left = Counter(each for size in sizes.values() for each in size)
    held: list[Counter[Hashable]] = [Counter() for _ in shares]
    part_of: dict[str, int] = {}
    for name in order:
        size = sizes[name]
        allowed = _allowed(size, left, held)
        best = min(allowed, key=lambda s: (_added(size, held[s], totals, shares[s]), s))
        part_of[name] = best
        held[best].update(size)
        left.subtract(dict.fromkeys(size, 1))
    return [part_of[name] for name in groups]


def _allowed(size: Classes, left: Classes, held: Sequence[Classes]) -> Sequence[int]:
    """The parts that may take a group, so that none stays without a class of it."""
    for each in size:
        empty = [s for s, there in enumerate(held) if not there.get(each)]
        if empty and left[each] <= len(empty):
            return empty
    return range(len(held))


def _added(size: Classes, held: Classes, totals: Classes, share: float) -> float:
    """By how much the squared relative deviations of a part grow with a group."""
    wanted = {each: share * totals[each] for each in size}
    before = {each: held.get(each, 0) / wanted[each] - 1 for each in size}
    return sum((before[each] + size[each] / wanted[each]) ** 2 - before[each] ** 2 for each in size)


def _rows_of(names: Iterable[_T]) -> dict[_T, list[int]]:
    rows: defaultdict[_T, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        rows[name].append(row)
    return rows
