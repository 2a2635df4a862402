"""All clips of a recipe's data: where they lie, their label, what else is known of them."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from convscope.data.config import DataConfig, ImagesConfig, ManifestConfig, WordsConfig
from convscope.data.labelling import LABEL, Labelling
from convscope.data.listing.fields import renamed
from convscope.data.listing.files import (
    IMAGE_SUFFIXES,
    SOUND_SUFFIXES,
    ClipFile,
    OnClosed,
    list_class_folders,
    refuse_closed,
    require_folder,
)
from convscope.data.listing.manifest import list_manifest
from convscope.data.listing.matched import list_matched
from convscope.data.listing.skipped_files import PassedOver, passed_over
from convscope.data.listing.words import list_words
from convscope.data.pattern import PathPattern
from convscope.errors import UserError


@dataclass(frozen=True)
class Listing:
    """The clips of a data folder before they are opened.

    Attributes:
        root: the folder from which ids count.
        files: with the labels and splits of their folders, paths or rows.
        unmatched: ids of the files that do not match `data.pattern`.
    """

    root: Path
    files: tuple[ClipFile, ...]
    unmatched: tuple[str, ...] = ()


def suffixes_of(config: DataConfig) -> Collection[str]:
    """Endings of the files that are read, in lower case."""
    return IMAGE_SUFFIXES if isinstance(config, ImagesConfig) else SOUND_SUFFIXES


def list_clips(config: DataConfig, on_closed: OnClosed = refuse_closed) -> Listing:
    """The clips of words, sounds, images or a manifest.

    Args:
        config: the recipe's data.
        on_closed: what to do with a folder that cannot be opened.

    Raises:
        UserError: the folder or the list is not as the recipe says; more files than
            `data.max_bad_share` do not match its pattern.
    """
    if isinstance(config, ManifestConfig):
        path = require_folder(config.folder, or_file=True)
        path = path if path.is_file() else path / "manifest.csv"
        listing = Listing(path.parent, tuple(list_manifest(path, config.label or LABEL)))
    else:
        listing = _list_folder(config, on_closed)
    if isinstance(config, Labelling):
        return replace(listing, files=tuple(renamed(listing.files, config.rename)))
    return listing


def has_pattern(config: DataConfig) -> bool:
    """Whether paths are read by `data.pattern`, so that folders need not be classes."""
    return isinstance(config, Labelling) and config.pattern is not None


def left_beside(listing: Listing, config: DataConfig) -> tuple[PassedOver, ...]:
    """What lies in the folder and is no clip; with a pattern all that is read is one, or named."""
    suffixes = suffixes_of(config)
    left = passed_over(listing.root, listing.files, suffixes)
    if not has_pattern(config):
        return left
    return tuple(each for each in left if each.is_set_aside or each.ending not in suffixes)


def _list_folder(config: DataConfig, on_closed: OnClosed) -> Listing:
    suffixes = suffixes_of(config)
    root = require_folder(config.folder)
    if isinstance(config, WordsConfig):
        return Listing(root, tuple(list_words(root, on_closed)))
    if not isinstance(config, Labelling) or config.pattern is None:
        return Listing(root, tuple(list_class_folders(root, suffixes, on_closed)))
    pattern = PathPattern(config.pattern)
    files, others = list_matched(root, pattern, suffixes, config.label or LABEL, on_closed)
    n_files = len(files) + len(others)
    if len(others) > config.max_bad_share * n_files:
        raise UserError(
            f"data.pattern: {len(others)} of {n_files} files in {config.folder} do not match "
            f"{config.pattern!r}, the first is {others[0]}, over "
            f"data.max_bad_share={config.max_bad_share:g}: correct the pattern, or move what is no "
            f"clip into a folder whose name begins with _"
        )
    return Listing(root, tuple(files), tuple(others))
