"""What is in a data folder, and which of its files are broken or suspicious, by name."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from convscope.data.checking.file_facts import FileFacts, examine, image_facts, sound_facts
from convscope.data.checking.mnist import check_mnist, idx_files
from convscope.data.config import DataConfig, ImagesConfig, ManifestConfig, SoundConfig
from convscope.data.dataset import BadFile
from convscope.data.labelling import Labelling
from convscope.data.listing.fields import (
    CrossingGroup,
    crossing_groups,
    groups_by_split,
    values_of,
)
from convscope.data.listing.files import ClipFile, Progress, require_folder
from convscope.data.listing.find import Layout, find_clips, layout_of
from convscope.data.listing.listing import Listing, has_pattern, left_beside
from convscope.data.listing.notes import NoteKind
from convscope.data.listing.skipped_files import PassedOver, classes_without_clips, links_out
from convscope.data.splitting.folds import fold_numbers
from convscope.data.splitting.split import chosen_clips
from convscope.types import SPLITS, Split

CLIPPED_SHARE = 0.001
"""A sound is clipped if this share of its samples stands at the full scale of 16 bits."""

_BATCH = 256  # files between two calls of progress


@dataclass(frozen=True)
class Duplicates:
    """Files of the same contents.

    Attributes:
        files: their names.
        across_classes: whether they are of several classes.
        across_splits: whether they are in several splits: a test clip that was trained on.
    """

    files: tuple[str, ...]
    across_classes: bool
    across_splits: bool


@dataclass(frozen=True)
class FolderReport:
    """What is in a data folder; `dataclasses.asdict` makes it plain data.

    Attributes:
        folder: as it was named.
        layout: what it was taken for.
        n_files: sounds, images or idx files, broken ones too.
        counts: files that can be used, of MNIST clips, by class and split.
        rate_hz: the commonest rate; None for images.
        seconds: the commonest length; None for images.
        unreadable: files that cannot be read, folders that cannot be opened, and why.
        empty: files of 0 bytes or without samples.
        truncated: sounds whose end is missing, and what is there.
        silent: sounds of which training hears nothing, and why.
        levels: images that become nearly black, or are cut off, and the grey levels they use.
        remark: what other libraries remarked while they read a file.
        clipped: sounds of which `CLIPPED_SHARE` or more stands at full scale.
        off_rate: sounds of another than the commonest rate.
        odd_length: sounds of another than the commonest length.
        duplicates: groups of files of the same contents.
        no_clips: class folders without any clip.
        passed_over: what else lies there and may have been meant as clips.
        links_out: class folders that are links to a place outside, with that place.
        unmatched: files that do not match `data.pattern`.
        group: the field whose groups stay on one side; None where none is named.
        groups: how many of them have clips in each split.
        crossing: groups with clips in several splits.
        folds: files of each fold by class, broken ones too; None without `data.folds`.
    """

    folder: str
    layout: Layout
    n_files: int
    counts: dict[str, dict[Split, int]]
    rate_hz: int | None = None
    seconds: float | None = None
    unreadable: tuple[BadFile, ...] = ()
    empty: tuple[str, ...] = ()
    truncated: tuple[BadFile, ...] = ()
    silent: tuple[BadFile, ...] = ()
    levels: tuple[BadFile, ...] = ()
    remark: tuple[BadFile, ...] = ()
    clipped: tuple[str, ...] = ()
    off_rate: tuple[str, ...] = ()
    odd_length: tuple[str, ...] = ()
    duplicates: tuple[Duplicates, ...] = ()
    no_clips: tuple[str, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    links_out: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    group: str | None = None
    groups: dict[Split, int] | None = None
    crossing: tuple[CrossingGroup, ...] = ()
    folds: dict[str, list[int]] | None = None


def check_folder(
    folder: str | Path,
    workers: int | None = None,
    progress: Progress | None = None,
    settings: Mapping[str, Any] | None = None,
) -> FolderReport:
    """Read every file below a folder and say what is there.

    Args:
        folder: words in the layout of Speech Commands (then with their official split), class/file
            or split/class/file with sounds or images, a CSV manifest, or MNIST's idx files.
        workers: threads that read, None for one a core; the report does not depend on it.
        progress: called with the number of files read and of all files.
        settings: of a recipe's `data`: files are looked at as training would take them. Without
            `seconds` a sound is heard whole.

    Raises:
        UserError: the folder is not there, cannot be read, or holds none of these; or a setting
            that such data do not have.
    """
    path = require_folder(str(folder), or_file=True)
    if found := idx_files(path):
        counts, bad = check_mnist(path, progress)
        return FolderReport(str(folder), "mnist", len(found), counts, unreadable=tuple(bad))
    settings = settings or {}
    closed: dict[Path, OSError] = {}
    config, listing = find_clips(path, settings, closed.setdefault)
    files = chosen_clips(listing, _classes(config, listing), config)
    facts_of = _facts_of(config, is_cut="seconds" in settings)
    facts = _examine_all(files, facts_of, workers, progress)
    every = list(zip(files, facts, strict=True))
    usable = [(file, fact) for file, fact in every if fact.usable]
    rate_hz = _commonest(fact.rate_hz for _, fact in usable)
    seconds = _commonest(fact.seconds for _, fact in usable)
    return FolderReport(
        folder=str(folder),
        layout=layout_of(config),
        n_files=len(files),
        counts=_counts(files, [file for file, _ in usable]),
        rate_hz=rate_hz,
        seconds=seconds,
        unreadable=(
            *(_closed(path, *one) for one in closed.items()),
            *(BadFile(file.id, fact.reason) for file, fact in every if fact.reason),
        ),
        empty=tuple(file.id for file, fact in every if fact.empty),
        truncated=_noted(usable, "truncated"),
        silent=_noted(usable, "silent"),
        levels=_noted(usable, "levels"),
        remark=_noted(usable, "remark"),
        clipped=tuple(file.id for file, fact in usable if fact.clipped_share >= CLIPPED_SHARE),
        off_rate=tuple(file.id for file, fact in usable if fact.rate_hz != rate_hz),
        odd_length=tuple(file.id for file, fact in usable if fact.seconds != seconds),
        duplicates=_duplicates(usable),
        unmatched=listing.unmatched,
        **_beside(config, listing),
        **_of_groups(config, files),
    )


def _classes(config: DataConfig, listing: Listing) -> set[str]:
    """Those of the recipe, else all."""
    return {file.label for file in listing.files} & set(
        config.names or (file.label for file in listing.files)
    )


def _beside(config: DataConfig, listing: Listing) -> dict[str, Any]:
    """What lies beside the clips; a manifest names its files itself."""
    if isinstance(config, ManifestConfig):
        return {}
    found: dict[str, Any] = {
        "passed_over": left_beside(listing, config),
        "links_out": links_out(listing.root),
    }
    if not has_pattern(config):
        found["no_clips"] = classes_without_clips(listing.root, listing.files)
    return found


def _of_groups(config: DataConfig, files: Sequence[ClipFile]) -> dict[str, Any]:
    """Groups by split, those in several, and the clips of each fold."""
    if not isinstance(config, Labelling):
        return {}
    found: dict[str, Any] = {}
    if by := config.group or (config.folds and config.folds.n and config.folds.by):
        groups = values_of(files, "data.group", by)
        found |= {"group": by, "groups": groups_by_split(files, groups)}
        found["crossing"] = crossing_groups(files, groups)
    if config.folds:
        numbers = fold_numbers(files, config.folds, config.group)
        found["folds"] = _by_fold(files, numbers)
    return found


def _by_fold(files: Sequence[ClipFile], numbers: Sequence[int]) -> dict[str, list[int]]:
    counts = Counter((file.label, fold) for file, fold in zip(files, numbers, strict=True))
    labels = sorted({file.label for file in files})
    folds = range(1, max(numbers, default=0) + 1)
    return {label: [counts[label, fold] for fold in folds] for label in labels}


def _closed(root: Path, folder: Path, error: OSError) -> BadFile:
    return BadFile(folder.relative_to(root).as_posix(), f"cannot be read ({error.strerror})")


def _facts_of(config: DataConfig, is_cut: bool) -> Callable[[Path], FileFacts]:
    """What examines one file, as training would take it; a sound whole unless it is cut."""
    if isinstance(config, ImagesConfig):
        return partial(image_facts, white_level=config.white_level)
    assert isinstance(config, SoundConfig), f"no facts of {type(config).__name__}"
    return partial(sound_facts, rate_hz=config.rate_hz, n_times=config.n_times if is_cut else None)


def _examine_all(
    files: Sequence[ClipFile],
    facts_of: Callable[[Path], FileFacts],
    workers: int | None,
    progress: Progress | None,
) -> list[FileFacts]:
    facts: list[FileFacts] = []
    with ThreadPoolExecutor(workers) as threads:
        for start in range(0, len(files), _BATCH):
            paths = [file.path for file in files[start : start + _BATCH]]
            facts += threads.map(partial(examine, facts_of=facts_of), paths)
            if progress:
                progress(len(facts), len(files))
    return facts


def _noted(usable: Iterable[tuple[ClipFile, FileFacts]], kind: NoteKind) -> tuple[BadFile, ...]:
    return tuple(
        BadFile(file.id, note.text)
        for file, fact in usable
        for note in fact.notes
        if note.kind == kind
    )


def _counts(files: Iterable[ClipFile], usable: Iterable[ClipFile]) -> dict[str, dict[Split, int]]:
    """Usable files by class and split; a class whose files are all broken has zeros."""
    labels = sorted({file.label for file in files})
    counts: dict[str, dict[Split, int]] = {label: dict.fromkeys(SPLITS, 0) for label in labels}
    for file in usable:
        counts[file.label][file.split] += 1
    return counts


def _duplicates(usable: Iterable[tuple[ClipFile, FileFacts]]) -> tuple[Duplicates, ...]:
    groups: defaultdict[str, list[ClipFile]] = defaultdict(list)
    for file, fact in usable:
        groups[fact.sha256].append(file)
    return tuple(
        Duplicates(
            files=tuple(file.id for file in group),
            across_classes=len({file.label for file in group}) > 1,
            across_splits=len({file.split for file in group}) > 1,
        )
        for group in groups.values()
        if len(group) > 1
    )


_T = TypeVar("_T", bound=Hashable)


def _commonest(values: Iterable[_T]) -> _T | None:
    counts = Counter(values).most_common(1)
    return counts[0][0] if counts else None
