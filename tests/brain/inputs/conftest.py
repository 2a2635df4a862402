"""Small studies that tests write down and read again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import soundfile
import yaml

MakeStudy = Callable[..., Path]


def write_study(folder: Path, **changes: Any) -> Path:
    """A study file; `responses.kind` and the like are laid over what is there."""
    path = folder / "study.yaml"
    values = yaml.safe_load(path.read_text()) if path.exists() else {}
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            values.setdefault(section, {})[name] = value
        else:
            values[section] = value
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def sounds_study(tmp_path: Path) -> Path:
    """24 sounds of half a second, three categories, responses of 5 targets."""
    rng = np.random.default_rng(0)
    (tmp_path / "sounds").mkdir()
    names = [f"sound{i:02d}" for i in range(24)]
    for i, name in enumerate(names):
        wave = 0.3 * np.sin(2 * np.pi * (200 + 100 * i) * np.arange(8000) / 16000)
        soundfile.write(
            tmp_path / "sounds" / f"{name}.wav", wave + rng.normal(0, 0.02, 8000), 16000
        )
    np.savez(
        tmp_path / "responses.npz",
        values=rng.normal(size=(24, 5)).astype(np.float32),
        sounds=np.array(names),
        categories=np.array(["a", "b", "c"] * 8),
        targets=np.array(["t1", "t2", "t3", "t4", "t5"]),
    )
    return write_study(
        tmp_path,
        stimuli={
            "folder": "sounds",
            "files": "responses.npz:sounds",
            "categories": "responses.npz:categories",
        },
        responses={
            "kind": "per_stimulus",
            "file": "responses.npz:values",
            "targets": "responses.npz:targets",
        },
    )


@pytest.fixture
def bold_study(tmp_path: Path) -> Path:
    """Two runs of 60 volumes of 4 × 4 × 2 voxels at a TR of 2 s, with events and confounds."""
    rng = np.random.default_rng(0)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    mask = np.ones((4, 4, 2), np.uint8)
    mask[0, 0, 0] = 0
    nibabel.Nifti1Image(mask, affine).to_filename(tmp_path / "mask.nii.gz")
    for run in (1, 2):
        image = nibabel.Nifti1Image(rng.normal(100, 5, (4, 4, 2, 60)).astype(np.float32), affine)
        image.header.set_zooms((3.0, 3.0, 3.0, 2.0))
        image.header.set_xyzt_units("mm", "sec")
        image.to_filename(tmp_path / f"run{run}.nii.gz")
        rows = [f"{12 * i + 2 * run}\t4\t{'ab'[i % 2]}" for i in range(9)]
        (tmp_path / f"run{run}_events.tsv").write_text(
            "\n".join(["onset\tduration\ttrial_type", *rows]) + "\n"
        )
        motion = "\n".join(["x\ty", "n/a\t0.1", *(f"{0.01 * i}\t0.1" for i in range(59))])
        (tmp_path / f"run{run}_motion.tsv").write_text(motion + "\n")
    return write_study(
        tmp_path,
        responses={
            "kind": "bold",
            "files": ["run1.nii.gz", "run2.nii.gz"],
            "mask": "mask.nii.gz",
            "tr_seconds": 2.0,
            "events": ["run1_events.tsv", "run2_events.tsv"],
            "confounds": ["run1_motion.tsv", "run2_motion.tsv"],
        },
    )


@pytest.fixture
def change() -> Callable[..., Path]:
    """`change(study, responses__tr_seconds=3.0)`: the study file with other values."""
    return lambda path, **changes: write_study(path.parent, **changes)
