"""Arrays and names from the files that a study names: npz, npy, mat, CSV and text."""

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import UserError, first_few, in_one_line

MOST_BYTES = 2**34
"""A file may claim to hold 16 GiB, no more."""


def read_array(reference: str, folder: Path, where: str) -> NDArray[Any]:
    """The array of FILE, or FILE:KEY of an .npz or .mat.

    Args:
        reference: as the study file has it; relative to `folder`.
        folder: the study file's.
        where: the key of the study file, for messages.

    Raises:
        UserError: where there is no such file or key, or it holds objects, which would be code.
    """
    path, key = split_reference(reference, folder, where)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(
            f"{where}: {reference} is no array: expected one of {', '.join(_READERS)}, got "
            f"{path.suffix or 'no ending'}"
        )
    try:
        return reader(path, key, where)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{where}: {path} cannot be read ({in_one_line(error)}): is it whole, and what its "
            "ending says?"
        ) from None


def read_names(reference: str, folder: Path, where: str) -> tuple[str, ...]:
    """Names from FILE.npz:KEY, or a text file with one a line.

    Raises:
        UserError: as `read_array`; or where the array is no list of names.
    """
    path, _ = split_reference(reference, folder, where)
    if path.suffix.lower() in (".txt", ".csv", ".tsv", ""):
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{where}: {path} cannot be read ({in_one_line(error)})") from None
        return tuple(line.strip() for line in lines if line.strip())
    values = read_array(reference, folder, where)
    if values.ndim != 1 or values.dtype.kind not in "US":
        raise UserError(
            f"{where}: expected a list of names in {reference}, got an array of "
            f"{values.dtype} with shape {values.shape}"
        )
    if values.dtype.kind == "S":
        return tuple(value.decode("utf-8", "replace") for value in values.tolist())
    return tuple(map(str, values))


def file_at(name: str, folder: Path, where: str) -> Path:
    """The file that a study names, relative to the folder of the study file.

    Raises:
        UserError: where there is none.
    """
    path = place_of(name, folder)
    if not path.is_file():
        raise UserError(f"{where}: there is no file {path}: paths count from the study file")
    return path


def place_of(name: str, folder: Path) -> Path:
    """A path relative to the folder of the study file; ~ is the user's home where there is one."""
    try:
        return folder / Path(name).expanduser()
    except RuntimeError:
        return folder / name


def split_reference(reference: str, folder: Path, where: str) -> tuple[Path, str | None]:
    """The file and the key of FILE:KEY; a UserError where there is no such file."""
    name, colon, key = reference.rpartition(":")
    if not colon or "/" in key or "\\" in key:
        name, key = reference, ""
    return file_at(name, folder, where), key or None


def numbers(values: NDArray[Any], reference: str, where: str) -> NDArray[Any]:
    """The same; a UserError where they are no numbers, or there are none."""
    if values.dtype.kind not in "fiub":
        raise UserError(f"{where}: expected numbers in {reference}, got {values.dtype}")
    if not values.size:
        raise UserError(f"{where}: {reference} is empty: its shape is {values.shape}")
    return values


def single(values: NDArray[Any]) -> NDArray[np.float32]:
    """As responses are kept; what is beyond float32 becomes infinite, which `check` tells."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


def read_table(path: Path, where: str) -> dict[str, list[str]]:
    """Columns of a TSV or CSV file by their headings.

    Raises:
        UserError: where it cannot be read, a line has more or fewer fields than the first, or two
            columns have the same heading.
    """
    import csv

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
            rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{where}: {path} cannot be read ({in_one_line(error)})") from None
    if not rows:
        raise UserError(f"{where}: {path} is empty: expected a line of headings")
    heads, *lines = rows
    heads = [head.strip() for head in heads]
    for i, line in enumerate(lines, 2):
        if len(line) != len(heads):
            raise UserError(
                f"{where}: {path}, line {i}: expected {len(heads)} fields as in its first line, "
                f"got {len(line)}"
            )
    twice = sorted({head for head in heads if heads.count(head) > 1})
    if twice and not all(map(_is_number, heads)):
        raise UserError(
            f"{where}: {path} has {first_few(twice)} as the heading of two columns: expected each "
            "once; rename one"
        )
    return {head: [line[i].strip() for line in lines] for i, head in enumerate(heads)}


def column_of_numbers(values: list[str], path: Path, name: str, where: str) -> NDArray[np.float64]:
    """A column as numbers; `n/a` and nothing are nan.

    Raises:
        UserError: for a field that is no number, or infinite.
    """
    found = np.full(len(values), np.nan)
    for i, value in enumerate(values):
        if value.lower() in ("", "n/a", "nan"):
            continue
        number = float(value) if _is_number(value) else np.inf
        if np.isinf(number):
            raise UserError(
                f"{where}: {path}, line {i + 2}, {name}: expected a number, got {value!r:.40}"
            )
        found[i] = number
    return found


def _npz(path: Path, key: str | None, where: str) -> NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
    key = _only(key, names, path, where)
    with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
        return _checked(file, archive.getinfo(f"{key}.npy").file_size, path, where)


def _npy(path: Path, _key: str | None, where: str) -> NDArray[Any]:
    with path.open("rb") as file:
        return _checked(file, path.stat().st_size, path, where)


def _checked(file: Any, n_bytes: int, path: Path, where: str) -> NDArray[Any]:
    """An array whose header claims no more than there is: nothing is allocated before."""
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise UserError(f"{where}: {path} is of a version of NumPy's format that is not known")
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise UserError(
            f"{where}: {path} holds Python objects, which may be code: expected numbers or text; "
            "save it again with a dtype"
        )
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed > min(n_bytes, MOST_BYTES):
        raise UserError(
            f"{where}: {path} claims {claimed:,} bytes of data, of shape {shape}, and holds "
            f"{n_bytes:,}: it is cut short or damaged"
        )
    values = np.empty(math.prod(shape), dtype)
    content, start = values.view(np.uint8).data, 0
    while start < claimed:  # a compressed file may give less than it is asked for
        n_read = file.readinto(content[start:])
        if not n_read:
            raise UserError(f"{where}: {path} is cut short: expected {claimed:,} bytes")
        start += n_read
    return values.reshape(shape[::-1]).T if is_fortran else values.reshape(shape)


def _mat(path: Path, key: str | None, where: str) -> NDArray[Any]:
    with path.open("rb") as file:
        is_fsl = file.read(10).lstrip().startswith(b"/")
    if is_fsl:
        return _fsl(path, where)
    from scipy.io import loadmat, whosmat

    try:
        found = whosmat(path)
    except NotImplementedError:
        raise UserError(
            f"{where}: {path} is of MATLAB's version 7.3: save it with -v7, or as .npz"
        ) from None
    key = _only(key, [name for name, *_ in found], path, where)
    values = np.asarray(loadmat(path, variable_names=[key])[key])
    if values.dtype.hasobject and values.size and all(_is_text(cell) for cell in values.flat):
        return np.array([str(cell[0]) for cell in values.flat])
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _is_text(cell: Any) -> bool:
    """Whether a cell of MATLAB holds one text: scipy gives an array of one."""
    return isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.shape == (1,)


def _fsl(path: Path, where: str) -> NDArray[np.float64]:
    """FSL's design.mat: numbers behind /Matrix."""
    _, _, matrix = path.read_text().partition("/Matrix")
    rows = [[float(word) for word in line.split()] for line in matrix.splitlines() if line.strip()]
    if not rows:
        raise UserError(f"{where}: {path} has no numbers behind /Matrix: is it FSL's design.mat?")
    return np.array(rows)


def _csv(path: Path, _key: str | None, where: str) -> NDArray[np.float64]:
    columns = read_table(path, where)
    heads = list(columns)
    if all(_is_number(head) for head in heads):  # no line of headings
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        return np.loadtxt(path, delimiter=delimiter, ndmin=2)
    found = [column_of_numbers(columns[head], path, head, where) for head in heads]
    return np.stack(found, axis=1)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _only(key: str | None, names: list[str], path: Path, where: str) -> str:
    if key is None and len(names) == 1:
        return names[0]
    if key is None or key not in names:
        asked = "which of them is not said" if key is None else f"got {key}"
        raise UserError(
            f"{where}: {path} holds {first_few(names, 8)}: expected FILE:KEY with one of them, "
            f"{asked}"
        )
    return key


_READERS: dict[str, Callable[[Path, str | None, str], NDArray[Any]]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".mat": _mat,
    ".csv": _csv,
    ".tsv": _csv,
}
