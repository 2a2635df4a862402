"""Where results are kept: every result is an array first, then a picture, then a sound."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from convscope.figures import style, to_png, to_svg
from convscope.inside.results.progress import Tell, silent
from convscope.run import write_atomically

LARGEST_CSV = 2**18
"""Numbers: some 3 MB; of more the `.npz` alone is written, a fifth as large."""


@dataclass(frozen=True)
class Axis:
    """One axis of an array.

    Attributes:
        name: such as unit, time, frequency.
        values: (n,) numbers or names along it.
        unit: of the values: Hz, s; empty of names and counts.
    """

    name: str
    values: NDArray[Any]
    unit: str = ""

    @property
    def heading(self) -> str:
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class Result:
    """An array that says what it is.

    Attributes:
        values: one axis for each of `axes`.
        axes: in order.
        name: what the values are, such as magnitude.
        unit: of the values; empty of counts and pure numbers.
    """

    values: NDArray[Any]
    axes: tuple[Axis, ...]
    name: str
    unit: str = ""

    def __post_init__(self) -> None:
        expected = tuple(len(axis.values) for axis in self.axes)
        if self.values.shape != expected:
            raise ValueError(f"{self.name}: axes of {expected}, values of {self.values.shape}")


def axis(name: str, values: ArrayLike, unit: str = "") -> Axis:
    """An axis from any sequence."""
    return Axis(name, np.asarray(values), unit)


class ResultWriter:
    """A folder of results; each file is written whole or not at all.

    Args:
        folder: where; it is made when the first file comes.
        aside: where files wait that are to come into the folder together; None: they do not.
        tell: is told by who fills the writer how far that is.
    """

    def __init__(self, folder: Path, aside: Path | None = None, tell: Tell = silent) -> None:
        self.folder = folder
        self.tell = tell
        self._writing_to = aside or folder
        self.made: list[Path] = []

    def array(self, name: str, result: Result) -> None:
        """`name.npz`, with its axes and units, and `name.csv`, the last axis along the rows, where
        it has at most `LARGEST_CSV` numbers."""
        arrays: dict[str, Any] = {each.name: each.values for each in result.axes}
        about = {
            "values": {"name": result.name, "unit": result.unit},
            "axes": [{"name": each.name, "unit": each.unit} for each in result.axes],
        }
        buffer = io.BytesIO()
        arrays |= {"values": result.values, "about": np.array(json.dumps(about))}
        np.savez_compressed(buffer, **arrays)
        self._write(f"{name}.npz", buffer.getvalue())
        if result.values.size <= LARGEST_CSV:
            self._write(f"{name}.csv", _csv(result).encode())

    def arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """`name.npz`: several arrays that are no grid of values, by their names."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **dict(arrays))  # type: ignore[arg-type]  # its stubs: a flag
        self._write(f"{name}.npz", buffer.getvalue())

    def table(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """`name.csv` and `name.json`: rows of named values, units in their names."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write(f"{name}.csv", text.getvalue().encode())
        self._write(f"{name}.json", (json.dumps(list(rows), indent=1) + "\n").encode())

    def figure(self, name: str, figure: Figure) -> None:
        """`name.png` and `name.svg`."""
        _lay_out(figure)
        self._write(f"{name}.png", to_png(figure))
        self._write(f"{name}.svg", to_svg(figure).encode())

    def sound(self, name: str, waveform: NDArray[np.floating[Any]], rate_hz: int) -> None:
        """`name.wav`: (n_times,) of full scale 1, 16 bit; what is louder is cut off."""
        buffer = io.BytesIO()
        soundfile.write(buffer, np.clip(waveform, -1, 1), rate_hz, format="WAV", subtype="PCM_16")
        self._write(f"{name}.wav", buffer.getvalue())

    def text(self, name: str, text: str) -> None:
        """A file of text."""
        self._write(name, text.encode())

    def _write(self, name: str, content: bytes) -> None:
        path = self._writing_to / name
        write_atomically(path, lambda file: file.write(content))
        self.made.append(path)


@style()
def _lay_out(figure: Figure) -> None:
    """Places are found once: matplotlib would draw the whole figure once more to find them."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)


def _csv(result: Result) -> str:
    """A row for each place on all axes but the last, a column for each on the last."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    *leading, last = result.axes
    writer.writerow(
        [each.heading for each in leading] + [f"{last.heading} {v}" for v in last.values]
    )
    for place in np.ndindex(*(len(each.values) for each in leading)):
        head = [each.values[i] for each, i in zip(leading, place, strict=True)]
        writer.writerow(head + _texts(result.values[place]))
    return text.getvalue()


def _texts(values: NDArray[Any]) -> list[Any]:
    if np.issubdtype(values.dtype, np.floating):
        return list(map("{:.7g}".format, values.tolist()))
    return list(values.tolist())
