"""The split that a recipe asks for: as files lie, by hash, exact shares, lists or folds."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from convscope.data.config import DataConfig
from convscope.data.labelling import Labelling
from convscope.data.listing.fields import values_of
from convscope.data.listing.files import ClipFile
from convscope.data.listing.listing import Listing
from convscope.data.listing.splits import split_by_shares
from convscope.data.splitting.division import dealt
from convscope.data.splitting.folds import split_by_folds
from convscope.data.splitting.lists import split_by_lists
from convscope.errors import UserError
from convscope.types import SPLITS


def chosen_clips(listing: Listing, classes: Collection[str], config: DataConfig) -> list[ClipFile]:
    """The clips of some classes, in the splits that the recipe asks for.

    Raises:
        UserError: as `split_files` does.
    """
    chosen = [file for file in listing.files if file.label in classes]
    return split_files(chosen, config, listing.root) if isinstance(config, Labelling) else chosen


def split_files(files: Sequence[ClipFile], config: Labelling, root: Path) -> list[ClipFile]:
    """The files in the splits that `data.split` or `data.folds` gives them.

    Args:
        files: of the classes that are trained, with the splits of their folders or rows.
        config: the recipe's data.
        root: the data folder, in which lists of splits lie.

    Raises:
        UserError: a field is not there, a class would have no clips in a split or a fold, or a list
            is not as it should be.
    """
    if config.folds is not None:
        return split_by_folds(files, config)
    if config.split == "lists":
        return split_by_lists(files, root)
    if config.split == "hash":
        return _hashed(files, config)
    return _stratified(files, config) if config.split == "stratified" else list(files)


def _hashed(files: Sequence[ClipFile], config: Labelling) -> list[ClipFile]:
    """By the hash of the group, else of the file's name without its ending."""
    names = [file.path.stem for file in files]
    if config.group:
        names = values_of(files, "data.group", config.group)
    split = [
        replace(file, split=split_by_shares(name, config.shares))
        for file, name in zip(files, names, strict=True)
    ]
    if config.group:
        _refuse_empty(split, config, "choose data.split=stratified, ")
    return split


def _stratified(files: Sequence[ClipFile], config: Labelling) -> list[ClipFile]:
    """Every class in exact shares; with groups as nearly as they allow."""
    groups = [file.id for file in files]
    if config.group:
        groups = values_of(files, "data.group", config.group)
    parts = dealt([file.label for file in files], groups, config.shares)
    split = [replace(file, split=SPLITS[part]) for file, part in zip(files, parts, strict=True)]
    _refuse_empty(split, config)
    return split


def _refuse_empty(files: Sequence[ClipFile], config: Labelling, remedy: str = "") -> None:
    """Raise a UserError where a class has no clips on a side."""
    there = {(file.label, file.split) for file in files}
    for label, split in product(sorted({file.label for file in files}), SPLITS):
        if (label, split) not in there:
            raise UserError(
                f"data.split={config.split}: no {split} clips of {label!r}, which has "
                f"{_amount(files, label, config.group)}: {remedy}add clips, group by another "
                f"field, or leave the class out"
            )


def _amount(files: Sequence[ClipFile], label: str, group: str | None) -> str:
    own = [file for file in files if file.label == label]
    if group is None:
        return f"{len(own)} in all"
    return f"{len(own)} in {len({file.fields[group] for file in own})} groups by {group}"
