"""Volumes from NIfTI files, as (n_volumes, n_voxels) of the voxels in a mask."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.brain.records import Space
from convscope.errors import UserError, in_one_line

VOLUMES_AT_ONCE = 50

_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}


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


def read_volumes(path: Path, space: Space, tr_seconds: float) -> NDArray[np.float32]:
    """(n_volumes, n_voxels) of one run.

    Raises:
        UserError: where it cannot be read, is cut short, has other voxels than the mask, or a TR
            that contradicts the study file.
    """
    image = _opened(path, "responses.files")
    if len(image.shape) != 4:
        raise UserError(
            f"responses.files: expected volumes over time in {path}, got shape {image.shape}"
        )
    _check_space(image, path, space)
    _check_tr(image, path, tr_seconds)
    n_volumes = image.shape[3]
    values = np.empty((n_volumes, int(space.mask.sum())), dtype=np.float32)
    for start in range(0, n_volumes, VOLUMES_AT_ONCE):
        part = slice(start, min(start + VOLUMES_AT_ONCE, n_volumes))
        block = _values(image, path, "responses.files", part)
        values[part] = block[space.mask].T
    return values


def _opened(path: Path, where: str) -> Any:
    try:
        import nibabel
    except ImportError:
        raise UserError(
            f"{where}: NIfTI needs the package nibabel: pip install 'convscope[brain]'"
        ) from None
    try:
        return nibabel.load(path)
    except FileNotFoundError:
        raise UserError(f"{where}: there is no file {path}") from None
    except Exception as error:
        raise UserError(f"{where}: {path} is no NIfTI file ({in_one_line(error)})") from None


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
    unit = image.header.get_xyzt_units()[1]
    said = float(image.header.get_zooms()[3]) * _SECONDS.get(unit, 1.0)
    if said > 0 and abs(said - tr_seconds) > 1e-3:
        raise UserError(
            f"responses.tr_seconds is {tr_seconds:g}, the header of {path} says {said:g} s: "
            "correct the one that is wrong"
        )
