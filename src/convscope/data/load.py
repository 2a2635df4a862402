"""From a recipe's data to clips in memory, whatever kind they are."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from convscope.data.caching.cache import Decoded, decode_files
from convscope.data.checking.warn import (
    refuse_empty_classes,
    warn_of_crossing_groups,
    warn_of_leaks,
    warn_of_passed_over,
    warn_of_unknown_ids,
)
from convscope.data.checking.warn_of_notes import warn_of_notes
from convscope.data.config import (
    DataConfig,
    ImagesConfig,
    ManifestConfig,
    MnistConfig,
    SoundConfig,
    SoundsConfig,
    WordsConfig,
)
from convscope.data.dataset import BadFile, Dataset
from convscope.data.decoding.sound_files import sound_decoder
from convscope.data.exclude import find_excluded
from convscope.data.hosts import Folder
from convscope.data.labelling import Labelling
from convscope.data.listing.files import ClipFile, Decoder, Progress
from convscope.data.listing.listing import Listing, has_pattern, left_beside, list_clips
from convscope.data.listing.skipped_files import classes_without_clips
from convscope.data.splitting.split import chosen_clips
from convscope.errors import UserError, first_few
from convscope.types import SPLITS

_EXPECTED: dict[type[DataConfig], str] = {
    WordsConfig: "word/speaker_nohash_n.wav (or .flac, .ogg)",
    SoundsConfig: "class/file or train/class/file, with .wav, .flac, .ogg, .mp3 or the like, or "
    "names that data.pattern reads",
    ManifestConfig: "a row for each file, path,label,split",
    ImagesConfig: "class/file or train/class/file, with .jpg or .png, or names that data.pattern "
    "reads",
}


def load_dataset(
    config: DataConfig,
    workers: int | None = None,
    progress: Progress | None = None,
    for_training: bool = True,
) -> Dataset:
    """The clips that a recipe asks for, in the order of their ids.

    A file that cannot be used is left out and named in the data set; clips that the recipe excludes
    are left out and counted.

    Args:
        config: the recipe's data.
        workers: threads that decode, None for one a core; the result does not depend on it.
        progress: called with the number of files decoded and of all files.
        for_training: whether there must be clips to train and to validate on.

    Raises:
        UserError: no such folder, no clips of a class, too many bad files, no place for the
            decoded clips, or no training possible.
    """
    config = config.here()
    if isinstance(config, MnistConfig):
        from convscope.data.decoding.mnist import load_mnist

        dataset = load_mnist(config)
        known: Iterable[str] = dataset.ids.tolist()
        digests: dict[str, str] = {}
    else:
        listing = list_clips(config)
        _tell_passed_over(config, listing, for_training)
        classes = _classes(config, listing.files)
        chosen = chosen_clips(listing, classes, config)
        decoded = decode_files(chosen, listing.root, _decoder(config), workers, progress)
        dataset = _dataset(config, classes, decoded, listing.unmatched)
        known = (file.id for file in listing.files)
        digests = decoded.digests
        if for_training and isinstance(config, Labelling) and config.group:
            warn_of_crossing_groups(config.folder, config.group, chosen)
    dataset = _excluding(dataset, known)
    _refuse_many_bad_files(dataset)
    warn_of_notes(dataset)
    if for_training:
        warn_of_leaks(dataset, digests)
        require_trainable(dataset)
    return dataset


def class_names(config: DataConfig) -> tuple[str, ...]:
    """The classes in the order of the logits; the folder is listed where only it knows them.

    Raises:
        UserError: as `load_dataset` does for a folder that is missing or empty.
    """
    if config.names is not None:
        return config.names
    config = config.here()
    return _classes(config, list_clips(config).files)


def require_trainable(dataset: Dataset) -> None:
    """Raise a UserError unless all classes can be trained, and some validated and tested."""
    key = f"data.{dataset.config.names_key}"
    counts = np.zeros((dataset.n_classes, len(SPLITS)), np.int64)
    np.add.at(counts, (dataset.labels, dataset.splits), 1)
    for name, (n_train, n_validation, n_test) in zip(dataset.classes, counts, strict=True):
        if n_train + n_validation + n_test == 1:
            raise UserError(
                f"{key}: {name!r} has only one clip in {dataset.config.folder}: expected several "
                f"of each class: add clips of it or leave it out"
            )
        if n_train == 0:
            raise UserError(
                f"{key}: {name!r} has no training clips in {dataset.config.folder}, only "
                f"{n_validation} to validate and {n_test} to test: add clips or leave it out"
            )
    _require_held_out(dataset.config.folder, *counts.sum(axis=0))
    _require_scored(dataset)


def _require_held_out(folder: Folder, n_train: int, n_validation: int, n_test: int) -> None:
    if n_validation == 0:
        raise UserError(
            f"data.folder: no validation clips in {folder}, {n_train} to train and {n_test} to "
            f"test: expected some, to stop training by: add clips"
        )
    if n_test == 0:
        raise UserError(
            f"data.folder: no test clips in {folder}, {n_train} to train and {n_validation} to "
            f"validate: expected some, to score the net on: add clips"
        )


def _require_scored(dataset: Dataset) -> None:
    """Test clips there are; `data.only_full_second` may leave none of them."""
    config, scored = dataset.config, dataset.scored("test")
    if isinstance(config, SoundConfig) and not scored.any():
        raise UserError(
            f"data.only_full_second=true: none of the {len(scored)} test clips in {config.folder} "
            f"has exactly the data.seconds={config.seconds:g} asked for: expected some, to score "
            f"the net on: set data.only_full_second=false"
        )


def _decoder(config: DataConfig) -> Decoder:
    """How the files are decoded."""
    if isinstance(config, ImagesConfig):
        from convscope.data.decoding.images import image_decoder

        decode = image_decoder(config)
        return Decoder(decode.name, config.shape, np.uint8, decode)
    assert isinstance(config, SoundConfig), f"no loader for {type(config).__name__}"
    return sound_decoder(config)


def _tell_passed_over(config: DataConfig, listing: Listing, for_training: bool) -> None:
    """Of folders; a manifest names its files itself."""
    if isinstance(config, ManifestConfig):
        return
    left = left_beside(listing, config)
    if for_training and config.names is None and not has_pattern(config):
        empty = classes_without_clips(listing.root, listing.files)
        refuse_empty_classes(config, empty, left, _EXPECTED[type(config)])
    warn_of_passed_over(config, left)


def _classes(config: DataConfig, files: Sequence[ClipFile]) -> tuple[str, ...]:
    """The classes in the order of the logits, each of which has files."""
    there = sorted({file.label for file in files})
    if not there:
        raise UserError(
            f"data.folder: {config.folder} is empty or holds other things: expected "
            f"{_EXPECTED[type(config)]}"
        )
    names = tuple(there) if config.names is None else config.names
    if len(names) < 2:
        raise UserError(
            f"data.folder: {config.folder} holds only one class, {names[0]!r}: "
            f"expected at least two folders with files"
        )
    for name in names:
        if name not in there:
            close = difflib.get_close_matches(name, there, n=1)
            meant = f" (did you mean {close[0]!r}?)" if close else ""
            raise UserError(
                f"data.{config.names_key}: no clips of {name!r} in {config.folder}{meant}: "
                f"there are {', '.join(there)}"
            )
    return names


def _excluding(dataset: Dataset, known: Iterable[str]) -> Dataset:
    """The data set without the clips that its recipe excludes; ids of no clip are named."""
    config = dataset.config
    if not config.exclude:
        return dataset
    ids, unknown = find_excluded(config.exclude, list(known))
    warn_of_unknown_ids(config, unknown)
    return replace(dataset.without(ids), config=config)


def _refuse_many_bad_files(dataset: Dataset) -> None:
    config, bad = dataset.config, dataset.left_out
    n_files = len(bad) + len(dataset.ids)
    if len(bad) <= config.max_bad_share * n_files:
        return
    named = first_few([f"{file.path} {file.reason}" for file in bad])
    raise UserError(
        f"data.folder: {len(bad)} of {n_files} files in {config.folder} cannot be used ({named}), "
        f"over data.max_bad_share={config.max_bad_share:g}: mend or remove them; "
        f"convscope data check {config.folder} names all"
    )


def _dataset(
    config: DataConfig, classes: tuple[str, ...], decoded: Decoded, unmatched: Sequence[str]
) -> Dataset:
    files = decoded.files
    others = tuple(BadFile(id, "does not match data.pattern") for id in unmatched)
    label_of = {name: i for i, name in enumerate(classes)}
    split_of = {name: i for i, name in enumerate(SPLITS)}
    return Dataset(
        config=config,
        classes=classes,
        clips=decoded.clips,
        labels=np.array([label_of[file.label] for file in files], np.int64),
        splits=np.array([split_of[file.split] for file in files], np.int8),
        ids=np.array([file.id for file in files], np.str_),
        exact=decoded.exact,
        fingerprint=decoded.fingerprint,
        left_out=(*others, *decoded.left_out),
        noted=decoded.noted,
    )
