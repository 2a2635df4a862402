"""Cross-validation: one fold is tested, the next validates, the others are trained on."""

from collections.abc import Sequence
from dataclasses import replace

from convscope.data.labelling import FoldsConfig, Labelling
from convscope.data.listing.fields import values_of
from convscope.data.listing.files import ClipFile
from convscope.data.splitting.division import dealt, in_turn
from convscope.errors import UserError, first_few
from convscope.types import Split

LEAST_FOLDS = 3
"""One to test, one to validate, one to train on."""


def split_by_folds(files: Sequence[ClipFile], config: Labelling) -> list[ClipFile]:
    """The files with fold `data.fold` as the test set and the next one to validate.

    After the last fold comes the first.

    Raises:
        UserError: as `fold_numbers` does, or there are fewer folds than `data.fold`.
    """
    assert config.folds is not None, "the settings say so"
    assert config.fold is not None, "the settings say so"
    folds = fold_numbers(files, config.folds, config.group)
    n, tested = max(folds, default=0), config.fold
    if tested > n:
        raise UserError(f"data.fold: expected a fold from 1 to {n}, got {tested}")
    split_of: dict[int, Split] = {tested % n + 1: "validation", tested: "test"}
    return [
        replace(file, split=split_of.get(fold, "train"))
        for file, fold in zip(files, folds, strict=True)
    ]


def fold_numbers(
    files: Sequence[ClipFile], config: FoldsConfig, group: str | None = None
) -> list[int]:
    """The fold of each file, from 1.

    Published folds (`by` alone) are numbered in the order of their names, numbers by size. Made
    ones (`n`) depend on the clips' ids, classes and groups alone, by a hash.

    Args:
        files: of the classes that are trained.
        config: `data.folds`.
        group: the field that stays together where `by` names none.

    Raises:
        UserError: a field is not there, there are too few folds, or a class has no clip in one.
    """
    if config.n is None:
        return _given(files, str(config.by))
    names = [file.id for file in files]
    classes = [file.label if config.stratify else "" for file in files]
    if by := config.by or group:
        key = "data.folds.by" if config.by else "data.group"
        groups = values_of(files, key, by)
        parts = dealt(classes, groups, [1 / config.n] * config.n)
    else:
        parts = in_turn(classes, names, config.n)
    _refuse_missing(files, parts, config.n, f"groups by {by}" if by else "clips")
    return [part + 1 for part in parts]


def _given(files: Sequence[ClipFile], by: str) -> list[int]:
    values = values_of(files, "data.folds.by", by)
    names = sorted(set(values), key=_natural)
    if len(names) < LEAST_FOLDS:
        raise UserError(
            f"data.folds.by: expected at least {LEAST_FOLDS} folds, to train, validate and test "
            f"on, got {len(names)} by {by}: {first_few(map(repr, names))}; name another field"
        )
    number = {name: i for i, name in enumerate(names, 1)}
    return [number[value] for value in values]


def _natural(name: str) -> tuple[bool, int, str]:
    """2 before 10, numbers before words."""
    is_number = name.isdecimal()
    return not is_number, int(name) if is_number else 0, name


def _refuse_missing(files: Sequence[ClipFile], parts: Sequence[int], n: int, what: str) -> None:
    there = {(file.label, part) for file, part in zip(files, parts, strict=True)}
    for label in sorted({file.label for file in files}):
        missing = sum((label, part) not in there for part in range(n))
        if missing:
            raise UserError(
                f"data.folds: {label!r} has too few {what} for {n} folds, {missing} would be "
                f"without it: make data.folds.n less, group by another field, or leave the class "
                f"out"
            )
