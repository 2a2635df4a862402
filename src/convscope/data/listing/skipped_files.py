"""What lies in a data folder and is no clip of it: by folder and ending, and why.

Told is whatever may have been meant as a clip. Not told: hidden files (`._x.wav` of a Mac,
`.DS_Store`), what file managers leave, and texts: notes, tables, licences and transcripts, by their
endings or, without one, by names such as README. Folders whose names begin with `_` are set aside
by whoever named them so: `data check` counts them, a training does not warn of them.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.data.listing.files import ClipFile, class_folder_ids
from convscope.names import normalised

_TEXTS = {
    *(".txt", ".md", ".rst", ".tex", ".pdf", ".html", ".log"),  # notes
    *(".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".xml"),  # tables
    *(".textgrid", ".lab", ".eaf", ".trs", ".phn", ".wrd"),  # transcripts
    *(".md5", ".sha256", ".py", ".sh", ".ini", ".db"),  # sums, scripts, Windows' own
}

_TEXT_NAMES = {"readme", "license", "licence", "copying", "authors", "makefile"}

LINK = "link to a folder"


@dataclass(frozen=True)
class PassedOver:
    """Files of one folder and one ending that are no clips of the data set.

    Attributes:
        folder: of a class, counted from the data folder with forward slashes; or what else lies in
            the data folder; `.` for files that lie there themselves.
        ending: in lower case, such as `.m4a`; empty of files without one.
        n_files: how many there are.
        example: the path of the first.
        reason: why they are no clips.
    """

    folder: str
    ending: str
    n_files: int
    example: str
    reason: str

    @property
    def is_set_aside(self) -> bool:
        """Whether a folder's name says that it holds no clips."""
        return any(part.startswith("_") for part in self.example.split("/")[:-1])

    def __str__(self) -> str:
        what = f"{self.n_files} {self.ending or 'files without ending'}"
        return f"{what} in {self.folder} ({self.reason}, such as {self.example})"


def passed_over(
    root: Path, files: Sequence[ClipFile], suffixes: Collection[str]
) -> tuple[PassedOver, ...]:
    """What lies below a data folder beside its clips, in the order of its folders.

    Args:
        root: the data folder.
        files: its clips.
        suffixes: endings of files that are read, in lower case.
    """
    taken = {file.id for file in files}
    folders = set(class_folder_ids(root))
    found: dict[tuple[str, str, str], list[str]] = {}
    for id in sorted(_ids_below(root, folders)):
        if id not in taken and not _is_text(id):
            ending = LINK if id.endswith("/") else os.path.splitext(id)[1].lower()
            folder = _class_folder(id, folders)
            reason = _reason(folder, ending, suffixes)
            place = folder or id.rpartition("/")[0].split("/")[0] or "."
            found.setdefault((place, ending, reason), []).append(id)
    return tuple(
        PassedOver(place, ending, len(ids), ids[0], reason)
        for (place, ending, reason), ids in sorted(found.items())
    )


def classes_without_clips(root: Path, files: Sequence[ClipFile]) -> tuple[str, ...]:
    """Names of the class folders that gave no clip, in no split."""
    labels = {normalised(id.rpartition("/")[2]) for id in class_folder_ids(root)}
    return tuple(sorted(labels - {normalised(file.label) for file in files}))


def links_out(root: Path) -> tuple[str, ...]:
    """Class folders that are links to a place outside the data folder, each with that place."""
    real = Path(os.path.realpath(root))
    places = {id: Path(os.path.realpath(root / id)) for id in class_folder_ids(root)}
    return tuple(f"{id} -> {at}" for id, at in places.items() if not at.is_relative_to(real))


def _ids_below(root: Path, folders: Collection[str]) -> Iterator[str]:
    """All files that are not hidden, and links to folders that are not followed, with a / behind.

    Links to folders are followed where those are class folders: deeper ones might lead anywhere.
    """
    for path, names, files in os.walk(root, followlinks=True):
        inside = Path(path).relative_to(root).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        yield from (f"{prefix}{name}" for name in files if not name.startswith("."))
        shown = [name for name in names if not name.startswith(".")]
        links = {name for name in shown if os.path.islink(os.path.join(path, name))}
        links = {name for name in links if f"{prefix}{name}" not in folders}
        yield from (f"{prefix}{name}/" for name in links)
        names[:] = [name for name in shown if name not in links]


def _is_text(id: str) -> bool:
    stem, ending = os.path.splitext(id.rpartition("/")[2].lower())
    return ending in _TEXTS or (not ending and stem in _TEXT_NAMES)


def _class_folder(id: str, folders: Collection[str]) -> str | None:
    """The class folder that something lies in, however deep."""
    parts = id.rstrip("/").split("/")
    above = ("/".join(parts[:n]) for n in range(1, len(parts)))
    return next((folder for folder in above if folder in folders), None)


def _reason(folder: str | None, ending: str, suffixes: Collection[str]) -> str:
    if ending == LINK:
        return "only class folders may be links"
    if ending not in suffixes:
        return "not read"
    return "in no class folder" if folder is None else "deeper than in the class folder"
