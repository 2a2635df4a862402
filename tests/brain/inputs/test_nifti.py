"""Volumes in the voxels of a mask, and files that do not fit."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from convscope.brain.inputs import nifti
from convscope.brain.inputs.nifti import read_mask, read_runs, read_volumes
from convscope.errors import UserError

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])


def written(path: Path, values: np.ndarray, tr: float = 2.0, unit: str = "sec") -> Path:
    image = nibabel.Nifti1Image(values, AFFINE)
    image.header.set_zooms((3.0,) * 3 + (tr,) * (values.ndim - 3))
    image.header.set_xyzt_units("mm", unit)
    image.to_filename(path)
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return written(tmp_path / "mask.nii", np.array([[[1, 0], [1, 1]]], dtype=np.uint8))


def volumes(n: int) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(1, 2, 2, n)).astype(np.float32)


def test_runs_read_in_parts_are_those_read_whole(
    tmp_path: Path, mask: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [volumes(7), volumes(4)]
    paths = [written(tmp_path / f"{i}.nii.gz", run) for i, run in enumerate(runs)]
    monkeypatch.setattr(nifti, "BYTES_AT_ONCE", 3 * 4 * 8)  # three volumes of four voxels
    values, lengths = read_runs(paths, read_mask(mask), 2.0)
    assert lengths == (7, 4)
    kept = [run[0].reshape(4, -1)[[0, 2, 3]].T for run in runs]
    assert (values == np.concatenate(kept)).all()


def test_scaled_integers_come_as_the_numbers_they_stand_for(tmp_path: Path, mask: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(12, dtype=np.int16).reshape(1, 2, 2, 3), AFFINE)
    image.header.set_slope_inter(0.5, 10.0)
    image.header["pixdim"][4] = 0
    image.to_filename(tmp_path / "scaled.nii")
    stored = np.asarray(nibabel.load(tmp_path / "scaled.nii").dataobj)  # type: ignore[attr-defined]
    values = read_volumes(tmp_path / "scaled.nii", read_mask(mask), 2.0)
    assert values[:, 0] == pytest.approx(stored[0, 0, 0])


@pytest.mark.parametrize(("tr", "unit"), [(2.0, "sec"), (2000.0, "msec"), (2e6, "usec")])
def test_the_tr_of_the_header_counts_in_its_unit(
    tmp_path: Path, mask: Path, tr: float, unit: str
) -> None:
    path = written(tmp_path / "run.nii", volumes(3), tr, unit)
    assert read_volumes(path, read_mask(mask), 2.0).shape == (3, 3)
    with pytest.raises(UserError, match=r"tr_seconds is 1.5, the header of .*run.nii says 2 s"):
        read_volumes(path, read_mask(mask), 1.5)


def test_a_header_that_was_told_no_tr_contradicts_none(tmp_path: Path, mask: Path) -> None:
    path = tmp_path / "run.nii"
    nibabel.Nifti1Image(volumes(3), AFFINE).to_filename(path)  # writes 1 without a unit
    assert read_volumes(path, read_mask(mask), 2.0).shape == (3, 3)
    content = bytearray(path.read_bytes())
    content[123] = 7 | 5 << 3  # units that do not exist
    path.write_bytes(content)
    assert read_volumes(path, read_mask(mask), 2.0).shape == (3, 3)


def test_files_of_another_kind_are_named(tmp_path: Path, mask: Path) -> None:
    nibabel.MGHImage(np.ones((1, 2, 2), np.float32), np.eye(4)).to_filename(tmp_path / "m.mgz")
    with pytest.raises(UserError, match=r"expected a NIfTI file .*m.mgz, which is MGHImage"):
        read_mask(tmp_path / "m.mgz")
    (tmp_path / "m.nii").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"m.nii is no NIfTI file"):
        read_mask(tmp_path / "m.nii")
    path = written(tmp_path / "run.nii", volumes(3).astype(np.complex64))
    with pytest.raises(UserError, match=r"expected real numbers in .*run.nii, got complex64"):
        read_volumes(path, read_mask(mask), 2.0)
    path = written(tmp_path / "run.nii", volumes(1))
    with pytest.raises(UserError, match=r"expected volumes over time .* \(1, 2, 2, 1\)"):
        read_volumes(path, read_mask(mask), 2.0)
