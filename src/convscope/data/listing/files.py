"""Which files a folder holds: their class, their split, and what a decoder makes of one."""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn, TypeAlias

from numpy.typing import DTypeLike

from convscope.data.hosts import Folder, folder_here
from convscope.data.listing.notes import DecodedClip
from convscope.data.listing.splits import hashed_split, held_out_split
from convscope.errors import UserError
from convscope.names import find_path, normalised
from convscope.types import Shape, Split

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how much is done and how much there is in all."""

OnClosed: TypeAlias = Callable[[Path, OSError], object]
"""Called with a folder that cannot be opened, and why; where it returns, the folder is empty."""

SOUND_SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
        *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".voc"),
    }
)
"""What libsndfile reads, but for what needs settings of its own, such as .raw."""

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng"),
        *(".bmp", ".gif", ".webp", ".tif", ".tiff"),
    }
)
"""Of the formats that are decoded."""

SPLIT_FOLDERS: dict[str, Split] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


class Unreadable(Exception):
    """A file that cannot be used; its message says why, to follow the file's name."""


@dataclass(frozen=True)
class ClipFile:
    """One file of a data set.

    Attributes:
        path: where it lies.
        id: its path below the data folder, with forward slashes.
        label: the name of its class, normalised, however a folder or a list spells it.
        split: the part that it belongs to.
        fields: what else its path or its row says of it, by name; the label as well.
    """

    path: Path
    id: str
    label: str
    split: Split
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", normalised(self.label))


@dataclass(frozen=True)
class Decoder:
    """How a file becomes a clip.

    Attributes:
        name: says all settings that decide the result: two decoders of one name decode alike.
        shape: of every clip, channels first.
        dtype: of every clip.
        decode: the clip of a file; raises `Unreadable`. It is called from several threads at once.
    """

    name: str
    shape: Shape
    dtype: DTypeLike
    decode: Callable[[Path], DecodedClip]


def require_folder(folder: Folder, or_file: bool = False) -> Path:
    """The folder of a recipe's data, which is there.

    Args:
        folder: as the recipe names it; `~` is the user's home.
        or_file: whether a file will do as well.

    Raises:
        UserError: no folder is named, or none is there under that name, or out of reach.
    """
    folder = folder_here(folder)
    if folder is None:
        raise UserError("data.folder is missing: give it in the recipe or as data.folder=DIR")
    path = find_path(Path(folder).expanduser())
    try:
        is_there = path.exists()
    except OSError as error:  # a folder above it is closed
        refuse_closed(path, error)
    if not is_there:
        raise UserError(f"data.folder: {folder} does not exist: expected the folder of the data")
    if not path.is_dir() and not or_file:
        raise UserError(f"data.folder: {folder} is a file: expected the folder of the data")
    return path


def clip_path(folder: Folder, id: str) -> Path:
    """Where a clip lies: ids count from the data folder, of a manifest from that of its CSV file.

    Args:
        folder: as the recipe names it; `~` is the user's home.
        id: of the clip.
    """
    root = find_path(Path(folder_here(folder) or ".").expanduser())
    return (root.parent if root.is_file() else root) / id


def refuse_closed(folder: Path, error: OSError) -> NoReturn:
    """Raise a UserError that names the folder."""
    raise UserError(
        f"data.folder: {folder} cannot be read ({error.strerror}): "
        f"expected a folder that you may open"
    ) from None


def list_class_folders(
    root: Path, suffixes: Collection[str], on_closed: OnClosed = refuse_closed
) -> list[ClipFile]:
    """The files of `split/class/file` where there is a split folder `train`, else of `class/file`.

    Split folders are `train`, `val`, `valid` or `validation`, and `test`; other folders beside
    them are passed over. Without them, `split_by_name` decides; with fewer than two held-out
    parts, `settle_splits`.

    Args:
        root: the data folder.
        suffixes: endings of the files that count, such as `.wav`, in lower case.
        on_closed: what to do with a folder that cannot be opened.

    Raises:
        UserError: a split has two folders, or, unless `on_closed` is another, one cannot be read.
    """
    parts = _split_folders(root, on_closed)
    if parts is None:
        return files_by_class(root, root, suffixes, split_by_name, on_closed)
    return settle_splits(
        [
            file
            for split, folder in parts.items()
            for file in files_by_class(root, folder, suffixes, _always(split), on_closed)
        ]
    )


def settle_splits(files: list[ClipFile]) -> list[ClipFile]:
    """Three splits, where the files' own splits may be fewer.

    One held-out part only is the test set, and 10 % of the training files, by a hash of the id,
    become validation. Without a held-out part, `split_by_name` decides.
    """
    held_out = {file.split for file in files} - {"train"}
    if len(held_out) == 2:
        return files
    if not held_out:
        return [replace(file, split=split_by_name(file.path.name)) for file in files]
    return [replace(f, split=held_out_split(f.id) if f.split == "train" else "test") for f in files]


def split_by_name(file_name: str) -> Split:
    """The split by a hash of the file's name without its ending."""
    return hashed_split(os.path.splitext(file_name)[0])


def _always(split: Split) -> Callable[[str], Split]:
    return lambda _: split


def files_by_class(
    root: Path,
    folder: Path,
    suffixes: Collection[str],
    split_of: Callable[[str], Split],
    on_closed: OnClosed = refuse_closed,
) -> list[ClipFile]:
    """The files of `folder/class/file`, sorted; ids count from `root`.

    Args:
        root: the data folder.
        folder: `root`, or a folder of a split below it.
        suffixes: endings of the files that count, in lower case.
        split_of: the split of a file by its name.
        on_closed: what to do with a folder that cannot be opened.
    """
    prefix = "" if folder == root else f"{folder.relative_to(root).as_posix()}/"
    return [
        ClipFile(class_folder / name, f"{prefix}{label}/{name}", label, split_of(name))
        for label in class_folders(folder, on_closed)
        for class_folder in [folder / label]
        for name in _file_names(class_folder, suffixes, on_closed)
    ]


def class_folders(folder: Path, on_closed: OnClosed = refuse_closed) -> list[str]:
    """Names of the folders in `folder`, sorted; not of hidden ones or `_background_noise_`."""
    entries = entries_of(folder, on_closed)
    return sorted(e.name for e in entries if e.name[0] not in "._" and e.is_dir())


def class_folder_ids(root: Path) -> list[str]:
    """The class folders, counted from the data folder: `cat`, or `train/cat` of split folders.

    Those that cannot be opened are empty.
    """

    def pass_over(_folder: Path, _error: OSError) -> None:
        pass

    parts = _split_folders(root, pass_over) or {}
    below = [folder.name for folder in parts.values()]
    if not below:
        return class_folders(root, pass_over)
    return [f"{part}/{name}" for part in below for name in class_folders(root / part, pass_over)]


def _file_names(folder: Path, suffixes: Collection[str], on_closed: OnClosed) -> list[str]:
    return sorted(
        e.name
        for e in entries_of(folder, on_closed)
        if os.path.splitext(e.name)[1].lower() in suffixes
        and not e.name.startswith(".")
        and not e.is_dir()
    )


def _split_folders(root: Path, on_closed: OnClosed) -> dict[Split, Path] | None:
    """Where each split lies; None where the folders of `root` are classes."""
    found: dict[Split, Path] = {}
    for name in class_folders(root, on_closed):
        split = SPLIT_FOLDERS.get(name.lower())
        if split is None:
            continue
        if split in found:
            raise UserError(
                f"data.folder: {root} holds both {found[split].name} and {name}, "
                f"two folders for one split: keep one of them"
            )
        found[split] = root / name
    # A class may well be called test: only a train that holds folders makes them splits.
    is_split = "train" in found and class_folders(found["train"], on_closed)
    return found if is_split else None


def entries_of(folder: Path, on_closed: OnClosed) -> list["os.DirEntry[str]"]:
    """What lies in a folder; nothing in one that cannot be opened and that `on_closed` excuses."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        on_closed(folder, error)
        return []
