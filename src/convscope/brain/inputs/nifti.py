"""Volumes from NIfTI files, as (n_volumes, n_voxels) of the voxels in a mask."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.brain.records import Space
from convscope.errors import UserError, in_one_line

BYTES_AT_ONCE = 2**27
"""Of volumes that are decoded together, 128 MiB: more would stand beside what is kept of them."""

_UNIT_SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}
"""By the code of the header's unit of time."""


def read_mask(path: Path) -> Space:
    """Where targets lie: the voxels above 0.

    Raises:
        UserError: where it cannot be read, is no single volume, or holds no voxel.
    """
    image = _opened(path, "responses.mask")
    shape = tuple(size for i, size in enumerate(image.shape) if i < 3 or size > 1)
    if len(shape) != 3:
        raise UserError(f"responses.mask: expected one volume in {path}, got shape {image.shape}")
    values = _values(image, path, "responses.mask").reshape(shape)
    mask = np.nan_to_num(values) > 0
    if not mask.any():
        raise UserError(f"responses.mask: {path} holds no voxel above 0")
    header = image.header
    is_known = bool(int(header["qform_code"]) or int(header["sform_code"]))
    return Space(mask, np.asarray(image.affine, np.float64), is_known)


def read_runs(
    paths: Sequence[Path], space: Space, tr_seconds: float
) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """(n_volumes of all runs, n_voxels), and the volumes of each run.

    Kept once in memory: runs are decoded into their place, `BYTES_AT_ONCE` at a time.

    Raises:
        UserError: where one cannot be read, is cut short, has other voxels than the mask, or a TR
            that contradicts the study file.
    """
    images = [_checked(path, space, tr_seconds) for path in paths]
    lengths = tuple(image.shape[3] for image in images)
    values = np.empty((sum(lengths), int(space.mask.sum())), dtype=np.float32)
    start = 0
    for image, path in zip(images, paths, strict=True):
        _fill(values[start : start + image.shape[3]], image, path, space)
        start += image.shape[3]
    return values, lengths


def read_volumes(path: Path, space: Space, tr_seconds: float) -> NDArray[np.float32]:
    """(n_volumes, n_voxels) of one run; raises as `read_runs`."""
    return read_runs([path], space, tr_seconds)[0]


def _checked(path: Path, space: Space, tr_seconds: float) -> Any:
    image = _opened(path, "responses.files")
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise UserError(
            f"responses.files: expected volumes over time in {path}, got shape {image.shape}"
        )
    _check_space(image, path, space)
    _check_tr(image, path, tr_seconds)
    return image


def _fill(values: NDArray[np.float32], image: Any, path: Path, space: Space) -> None:
    n_at_once = max(1, BYTES_AT_ONCE // (8 * space.mask.size))
    for start in range(0, len(values), n_at_once):
        part = slice(start, min(start + n_at_once, len(values)))
        values[part] = _values(image, path, "responses.files", part)[space.mask].T


def _opened(path: Path, where: str) -> Any:
    """A NIfTI file of numbers; its voxels are not read yet."""
    try:
        import nibabel
    except ImportError:
        raise UserError(
            f"{where}: NIfTI needs the package nibabel: pip install 'convscope[brain]'"
        ) from None
    try:
        image = nibabel.load(path, keep_file_open=True)  # else each part inflates all before it
    except Exception as error:
        raise UserError(f"{where}: {path} is no NIfTI file ({in_one_line(error)})") from None
    if not isinstance(image, nibabel.Nifti1Pair):
        raise UserError(
            f"{where}: expected a NIfTI file (.nii, .nii.gz), got {path}, which is "
            f"{type(image).__name__}: convert it"
        )
    if image.get_data_dtype().kind not in "fiu":
        raise UserError(
            f"{where}: expected real numbers in {path}, got {image.get_data_dtype()}: was the "
            "magnitude image meant?"
        )
    return image


def _values(image: Any, path: Path, where: str, volumes: slice | None = None) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = image.dataobj
            return np.asarray(data if volumes is None else data[..., volumes])
    except Exception as error:
        raise UserError(
            f"{where}: {path} is damaged or cut short ({in_one_line(error)}): its header promises "
            f"shape {image.shape}; copy it again"
        ) from None


def _check_space(image: Any, path: Path, space: Space) -> None:
    if image.shape[:3] != space.mask.shape:
        raise UserError(
            f"responses.mask has shape {space.mask.shape}, {path} has volumes of shape "
            f"{image.shape[:3]}: expected the same voxels; resample one to the other"
        )
    if not np.allclose(image.affine, space.affine, atol=1e-3):
        raise UserError(
            f"responses.mask and {path} have the same shape but lie at different places (their "
            "affines differ): resample one to the other"
        )


def _check_tr(image: Any, path: Path, tr_seconds: float) -> None:
    said = _tr_of(image.header)
    if said is not None and abs(said - tr_seconds) > 1e-3:
        raise UserError(
            f"responses.tr_seconds is {tr_seconds:g}, the header of {path} says {said:g} s: "
            "correct the one that is wrong"
        )


def _tr_of(header: Any) -> float | None:
    """The header's TR in s; None where it says none: 1 without a unit is what software writes that
    was told nothing."""
    unit = int(header["xyzt_units"]) & 0b111000
    value = float(header["pixdim"][4])
    if not value > 0 or not np.isfinite(value) or (unit not in _UNIT_SECONDS and value == 1):
        return None
    return value * _UNIT_SECONDS.get(unit, 1.0)
