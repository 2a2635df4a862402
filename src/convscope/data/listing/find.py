"""What a folder holds, where nobody has said which kind of data it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from convscope.data.config import DATA_KINDS, DataConfig
from convscope.data.labelling import Labelling
from convscope.data.listing.files import (
    IMAGE_SUFFIXES,
    SOUND_SUFFIXES,
    OnClosed,
    list_class_folders,
    refuse_closed,
)
from convscope.data.listing.listing import Listing, list_clips
from convscope.data.listing.matched import ids_below
from convscope.data.listing.skipped_files import passed_over
from convscope.errors import UserError, first_few
from convscope.settings import validated

Layout: TypeAlias = Literal["words", "sounds", "manifest", "images", "mnist"]


def find_clips(
    path: Path, settings: Mapping[str, Any], on_closed: OnClosed = refuse_closed
) -> tuple[DataConfig, Listing]:
    """The settings and the clips of a folder or a list, taken for what most of its files are.

    Args:
        path: a folder of words in the layout of Speech Commands, sounds or images, or a CSV.
        settings: of a recipe's `data`, but for its kind; with `folds` fold 1 is the test set where
            they name none.
        on_closed: what to do with a folder that cannot be opened.

    Raises:
        UserError: nothing of that kind is there, or a setting is wrong or not of that kind.
    """
    closed: dict[Path, OSError] = {}

    def note(folder: Path, error: OSError) -> None:
        closed.setdefault(folder, error)
        on_closed(folder, error)

    values: dict[str, Any] = {"fold": 1} if settings.get("folds") else {}
    values |= {**settings, "folder": str(path)}
    config = validated(DATA_KINDS[_layout(path, settings, note)], values, "data")
    listing = list_clips(config, note)
    if not listing.files and not listing.unmatched:
        _refuse_empty(path, closed)
    return config, listing


def layout_of(config: DataConfig) -> Layout:
    """The name of a kind of data."""
    return cast(Layout, next(name for name, kind in DATA_KINDS.items() if type(config) is kind))


def _layout(path: Path, settings: Mapping[str, Any], on_closed: OnClosed) -> Layout:
    if path.is_file():
        return "manifest"
    if settings.get("pattern"):
        n_images = len(ids_below(path, IMAGE_SUFFIXES, on_closed))
        return "images" if n_images > len(ids_below(path, SOUND_SUFFIXES, on_closed)) else "sounds"
    sounds = list_class_folders(path, SOUND_SUFFIXES, on_closed)
    if len(list_class_folders(path, IMAGE_SUFFIXES, on_closed)) > len(sounds):
        return "images"
    if settings.keys() & Labelling.model_fields.keys():  # words have their official split
        return "sounds"
    n_words = sum("_nohash_" in file.path.name for file in sounds)
    return "words" if 2 * n_words > len(sounds) and sounds[0].id.count("/") == 1 else "sounds"


def _refuse_empty(path: Path, closed: Mapping[Path, OSError]) -> None:
    for folder, error in closed.items():
        refuse_closed(folder, error)
    left = first_few(map(str, passed_over(path, [], SOUND_SUFFIXES)))
    raise UserError(
        f"{path} holds neither sounds nor images: expected word/speaker_nohash_n.wav, "
        f"class/file or train/class/file, names that data.pattern reads, or MNIST's four idx files"
        f"{left and f', got {left}'}"
    )
