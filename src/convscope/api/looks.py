"""Looks inside a net from Python: each part's arrays, pictures and sounds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from convscope.api.html import audio_html, image_html
from convscope.errors import UserError
from convscope.inside.results.index import Look
from convscope.inside.subject.run_subject import subject_of_run
from convscope.inside.subject.subject import Choice
from convscope.looking import chosen_parts
from convscope.looking import look as look_inside
from convscope.progress.bar import naming_bar
from convscope.run import Run
from convscope.settings import suggest
from convscope.types import Waveform

OPTIONS = ("layer", "unit", "n", "seed", "clips", "n_clips", "other", "out")
MOST_CLIPS = 512


class Picture:
    """A picture that was made, as PNG; `path.with_suffix(".svg")` has it as SVG."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _repr_png_(self) -> bytes:
        return self.path.read_bytes()

    def __repr__(self) -> str:
        return f"<picture {self.path}>"


class Sound:
    """A sound that was made, as WAV; a notebook shows a player.

    Attributes:
        path: of the file.
        waveform: (n_times,) float32 of full scale 1.
        rate_hz: samples a second.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.waveform: Waveform
        self.waveform, self.rate_hz = soundfile.read(path, dtype="float32")

    def _repr_html_(self) -> str:
        return audio_html(self.path.read_bytes(), self.path.stem)

    def __repr__(self) -> str:
        return f"<sound {self.path}: {len(self.waveform) / self.rate_hz:.2f} s>"


class LookPart:
    """What one part of a look made.

    Attributes:
        name: of the part.
        skipped: why it was not made; None where it was.
        paths: all files that it made.
    """

    def __init__(self, folder: Path, look: Look) -> None:
        self.name = look.part
        self.skipped = look.skipped
        self.paths = tuple(folder / name for name in look.files if name != "look.json")

    @cached_property
    def arrays(self) -> dict[str, dict[str, NDArray[Any]]]:
        """By the name of each `.npz`: its `values`, and an array for each of their axes."""
        return {path.stem: _arrays(path) for path in self._of(".npz")}

    @property
    def array(self) -> NDArray[Any]:
        """The values of the first array; `arrays` has all, with their axes and units.

        Raises:
            UserError: where the part made none.
        """
        for arrays in self.arrays.values():
            if "values" in arrays:
                return arrays["values"]
        raise self._has_no("array")

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """By name, the rows of each table."""
        return {path.stem: json.loads(path.read_text()) for path in self._of(".json")}

    @property
    def figures(self) -> dict[str, Picture]:
        """By name, each picture."""
        return {path.stem: Picture(path) for path in self._of(".png")}

    @property
    def sounds(self) -> dict[str, Sound]:
        """By name, each sound."""
        return {path.stem: Sound(path) for path in self._of(".wav")}

    def figure(self, which: str | int = 0) -> Picture:
        """One picture, by its name or its place.

        Raises:
            UserError: naming those that there are.
        """
        return Picture(self._one(".png", "picture", which))

    def sound(self, which: str | int = 0) -> Sound:
        """One sound, by its name or its place.

        Raises:
            UserError: naming those that there are.
        """
        return Sound(self._one(".wav", "sound", which))

    def _of(self, suffix: str) -> list[Path]:
        return [path for path in self.paths if path.suffix == suffix]

    def _one(self, suffix: str, kind: str, which: str | int) -> Path:
        paths = {path.stem: path for path in self._of(suffix)}
        if not paths:
            raise self._has_no(kind)
        names = list(paths)
        if isinstance(which, int) and which < len(names):
            return paths[names[which]]
        if which in paths:
            return paths[str(which)]
        close = suggest(which, names) if isinstance(which, str) else ""
        raise UserError(
            f"{self.name} has no {kind} {which!r}{close}: expected a number below {len(names)}, or "
            f"one of {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
        )

    def _has_no(self, kind: str) -> UserError:
        why = f" ({self.skipped})" if self.skipped else ""
        return UserError(f"the part {self.name} made no {kind}{why}: look at another part")

    def __repr__(self) -> str:
        return f"<{self.name}: {self.skipped or f'{len(self.paths)} files'}>"

    def _repr_html_(self) -> str:
        pictures = [image_html(path.read_bytes(), path.stem) for path in self._of(".png")]
        sounds = [audio_html(path.read_bytes(), path.stem) for path in self._of(".wav")]
        return "".join([*pictures, *sounds])


class Looks(Mapping[str, LookPart]):
    """The parts of a look by name.

    Attributes:
        folder: that holds all files.
    """

    def __init__(self, folder: Path, looks: Sequence[Look]) -> None:
        self.folder = folder
        self._parts = {look.part: LookPart(folder, look) for look in looks}

    def __getitem__(self, part: str) -> LookPart:
        try:
            return self._parts[part]
        except KeyError:
            raise UserError(
                f"{part!r} was not looked at: expected one of {', '.join(self._parts)}, or call "
                f"look({part!r})"
            ) from None

    def __contains__(self, part: object) -> bool:
        return part in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"<look at {', '.join(self._parts)} in {self.folder}>"

    def _repr_html_(self) -> str:
        return "".join(part._repr_html_() for part in self._parts.values())


def look_at_run(
    run: Run,
    what: Sequence[str],
    progress: bool,
    trust_code: bool,
    options: Mapping[str, Any],
) -> Looks:
    """The parts of a look at a run; see `OpenRun.look`.

    Raises:
        UserError: as `convscope look` does.
    """
    for name in options:
        if name not in OPTIONS:
            raise UserError(f"look has no option {name!r}{suggest(name, list(OPTIONS))}")
    chosen_parts(what)
    own = dict(options)
    out, clips = own.pop("out", None), own.pop("clips", None)
    n_clips = own.pop("n_clips", MOST_CLIPS)
    if own.get("other") is not None:
        own["other"] = Path(getattr(own["other"], "folder", own["other"]))
    choice = Choice(**own, trust_code=trust_code)
    subject = subject_of_run(run, clips and Path(clips), n_clips, trust_code=trust_code)
    folder = run.path("look") if out is None else Path(out)
    if not progress:
        return Looks(folder, look_inside(subject, what, choice, folder, lambda *_: None))
    with naming_bar() as tell:
        return Looks(folder, look_inside(subject, what, choice, folder, tell))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
