"""The stimuli of a study: which files they are, and which of them are the same."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from convscope.brain.inputs.arrays import place_of, read_names
from convscope.brain.records import Stimuli, StimulusKind
from convscope.brain.settings import StimuliSettings
from convscope.data.decoding.sound_files import read_sound
from convscope.data.listing.files import IMAGE_SUFFIXES, SOUND_SUFFIXES, Unreadable
from convscope.errors import UserError, first_few, in_one_line
from convscope.names import find_name

HASH_RATE_HZ = 16_000


@dataclass(frozen=True)
class _Content:
    """SHA-256 of a stimulus; duration and level of a sound."""

    hash: str
    seconds: float = np.nan
    level_db: float = np.nan


def read_stimuli(
    settings: StimuliSettings, folder: Path, progress: Callable[[int, int], None] | None = None
) -> Stimuli | None:
    """The stimuli that a study names; None where it names none.

    Args:
        settings: of the study file.
        folder: the study file's.
        progress: called with the stimuli read and all.

    Raises:
        UserError: where a file is missing or cannot be read, or numbers do not fit.
    """
    if settings.folder is None:
        return None
    place = place_of(settings.folder, folder)
    if not place.is_dir():
        raise UserError(f"stimuli.folder: {place} is no folder: expected one of sounds or images")
    there = _files(place)
    names = read_names(settings.files, folder, "stimuli.files") if settings.files else tuple(there)
    _check_unique(names)
    files = tuple(_found(name, there, place) for name in names)
    kinds: set[StimulusKind] = {_kind(path) for path in files}
    if len(kinds) > 1:
        raise UserError(f"stimuli: {place} holds sounds and images: expected one kind")
    kind = kinds.pop()
    contents = []
    for i, path in enumerate(files):
        contents.append(_content(path, kind))
        if progress:
            progress(i + 1, len(files))
    return Stimuli(
        kind=kind,
        names=names,
        files=files,
        hashes=tuple(each.hash for each in contents),
        seconds=np.array([each.seconds for each in contents]),
        categories=_categories(settings, folder, names),
        levels_db=np.array([each.level_db for each in contents]),
        unused=tuple(path for path in there.values() if path not in set(files)),
    )


def _files(place: Path) -> dict[str, Path]:
    """Sounds and images by their path in the folder without its ending.

    Raises:
        UserError: where there are none, or two differ by their ending alone.
    """
    found: dict[str, Path] = {}
    for path in sorted(place.rglob("*")):
        if path.suffix.lower() in SOUND_SUFFIXES.union(IMAGE_SUFFIXES) and path.is_file():
            name = path.relative_to(place).with_suffix("").as_posix()
            if name in found:
                raise UserError(
                    f"stimuli.folder: {found[name]} and {path.name} differ by their ending alone: "
                    "expected one of them; which was played?"
                )
            found[name] = path
    if not found:
        raise UserError(f"stimuli.folder: {place} holds neither sounds nor images")
    return found


def _found(name: str, there: dict[str, Path], place: Path) -> Path:
    for spelled in (name, name.removesuffix(Path(name).suffix)):
        key = find_name(spelled, there)
        if key is not None:
            return there[key]
    raise UserError(
        f"stimuli.files names {name or 'nothing'}, which is not in {place}: it holds {len(there)} "
        f"files, such as {first_few(there, 2)}"
    )


def _kind(path: Path) -> StimulusKind:
    return "sound" if path.suffix.lower() in SOUND_SUFFIXES else "image"


def _content(path: Path, kind: StimulusKind) -> _Content:
    """What is heard or seen, whatever the format."""
    try:
        if kind == "image":
            from PIL import Image

            with Image.open(path) as opened:
                pixels = np.asarray(opened.convert("RGB"))
            shape = repr(pixels.shape).encode()
            return _Content(hashlib.sha256(shape + pixels.tobytes()).hexdigest())
        sound = read_sound(path, HASH_RATE_HZ)
        samples = np.round(sound.waveform * 2**15).astype(np.int32)
        power = np.mean(np.square(sound.waveform, dtype=np.float64))
        return _Content(
            hashlib.sha256(samples.tobytes()).hexdigest(),
            sound.n_whole / HASH_RATE_HZ,
            10 * float(np.log10(power)) if power > 0 else -np.inf,
        )
    except Unreadable as error:
        raise UserError(f"stimuli: {path} {error}: mend it, or leave it out of the study") from None
    except (OSError, ValueError, soundfile.LibsndfileError) as error:
        raise UserError(f"stimuli: {path} cannot be read ({in_one_line(error)})") from None


def _categories(
    settings: StimuliSettings, folder: Path, names: tuple[str, ...]
) -> tuple[str, ...] | None:
    if settings.categories is None:
        return None
    labels = read_names(settings.categories, folder, "stimuli.categories")
    if len(labels) != len(names):
        raise UserError(
            f"stimuli.categories: expected a label for each of {len(names)} stimuli, got "
            f"{len(labels)}"
        )
    return labels


def _check_unique(names: tuple[str, ...]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"stimuli.files names {first_few(twice)} twice: expected each stimulus once"
        )
