"""What is in a data folder, and which of its files are broken or suspicious, by name."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from convscope.data.checking.file_facts import FileFacts, examine, image_facts, sound_facts
from convscope.data.checking.mnist import check_mnist, idx_files
from convscope.data.config import DATA_KINDS, ImagesConfig, SoundConfig
from convscope.data.dataset import BadFile
from convscope.data.listing.files import (
    SOUND_SUFFIXES,
    ClipFile,
    OnClosed,
    Progress,
    list_class_folders,
    refuse_closed,
    require_folder,
)
from convscope.data.listing.manifest import list_manifest
from convscope.data.listing.notes import NoteKind
from convscope.data.listing.skipped_files import (
    PassedOver,
    classes_without_clips,
    links_out,
    passed_over,
)
from convscope.data.listing.words import list_words
from convscope.errors import UserError, first_few
from convscope.settings import validated
from convscope.types import SPLITS, Split

Layout: TypeAlias = Literal["words", "sounds", "manifest", "images", "mnist"]

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
    layout, files, closed = _list_files(path)
    facts = _examine_all(files, _facts_of(layout, settings or {}), workers, progress)
    every = list(zip(files, facts, strict=True))
    usable = [(file, fact) for file, fact in every if fact.usable]
    rate_hz = _commonest(fact.rate_hz for _, fact in usable)
    seconds = _commonest(fact.seconds for _, fact in usable)
    return FolderReport(
        folder=str(folder),
        layout=layout,
        n_files=len(files),
        counts=_counts(files, [file for file, _ in usable]),
        rate_hz=rate_hz,
        seconds=seconds,
        unreadable=(
            *closed,
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
        no_clips=() if layout == "manifest" else classes_without_clips(path, files),
        passed_over=_passed_over(path, layout, files),
        links_out=() if layout == "manifest" else links_out(path),
    )


def _passed_over(path: Path, layout: Layout, files: Sequence[ClipFile]) -> tuple[PassedOver, ...]:
    from convscope.data.decoding.images import SUFFIXES as IMAGE_SUFFIXES

    if layout == "manifest":
        return ()
    return passed_over(path, files, IMAGE_SUFFIXES if layout == "images" else SOUND_SUFFIXES)


def _list_files(path: Path) -> tuple[Layout, list[ClipFile], list[BadFile]]:
    """The files of a folder, taken for what most of them are, and folders that stayed closed."""
    if path.is_file():
        return "manifest", list_manifest(path), []
    closed: dict[Path, OSError] = {}
    layout, files = _list_class_folders(path, closed.setdefault)
    if not files:
        for folder, error in closed.items():
            refuse_closed(folder, error)
        left = first_few(map(str, passed_over(path, [], SOUND_SUFFIXES)))
        raise UserError(
            f"{path} holds neither sounds nor images: expected word/speaker_nohash_n.wav, "
            f"class/file or train/class/file, or MNIST's four idx files"
            f"{left and f', got {left}'}"
        )
    return layout, files, [_closed(path, *one) for one in closed.items()]


def _list_class_folders(path: Path, on_closed: OnClosed) -> tuple[Layout, list[ClipFile]]:
    from convscope.data.decoding.images import SUFFIXES as IMAGE_SUFFIXES

    sounds = list_class_folders(path, SOUND_SUFFIXES, on_closed)
    images = list_class_folders(path, IMAGE_SUFFIXES, on_closed)
    if len(images) > len(sounds):
        return "images", images
    n_words = sum("_nohash_" in file.path.name for file in sounds)
    if 2 * n_words > len(sounds) and sounds[0].id.count("/") == 1:
        return "words", list_words(path, on_closed)
    return "sounds", sounds


def _closed(root: Path, folder: Path, error: OSError) -> BadFile:
    return BadFile(folder.relative_to(root).as_posix(), f"cannot be read ({error.strerror})")


def _facts_of(layout: Layout, settings: Mapping[str, Any]) -> Callable[[Path], FileFacts]:
    """What examines one file, as training under these settings would take it."""
    config = validated(DATA_KINDS[layout], settings, "data")
    if isinstance(config, ImagesConfig):
        return partial(image_facts, white_level=config.white_level)
    assert isinstance(config, SoundConfig), f"no facts of {layout}"
    n_times = config.n_times if "seconds" in settings else None
    return partial(sound_facts, rate_hz=config.rate_hz, n_times=n_times)


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
