"""Columns: rounding is no feature, projections keep distances, memory is asked first."""

from pathlib import Path

import numpy as np
import pytest

from convscope.brain.features import columns
from convscope.brain.features.columns import Columns, check_memory, projected, varying
from convscope.errors import UserError


def test_a_mean_that_a_layer_took_away_is_no_feature() -> None:
    rng = np.random.default_rng(0)
    rounding = 4e-8 * rng.normal(size=(20, 1))  # of values of size 1
    small = 1e-3 * rng.normal(size=(20, 1))
    large = 1e4 + 1e-3 * rng.normal(size=(20, 1))  # rounding of large values
    kept = varying(np.hstack([rounding, small, large]), np.array([1.0, 1e-3, 1e4]))
    assert kept.n_constant == 2
    assert kept.values[:, 0] == pytest.approx(small[:, 0])


def test_columns_are_the_rows_that_came_in_less_what_only_rounds() -> None:
    rng = np.random.default_rng(0)
    made = Columns("act1", 20)
    rows = rng.normal(size=(20, 3))
    for row in rows:
        rounding = 3e-6 * rng.normal()  # of values of size 50 that cancel
        made.add(np.append(row, rounding), np.array([1.0, 1, 1, 50]))
    found = made.varying()
    assert found.n_constant == 1
    assert found.values == pytest.approx(rows, rel=1e-6)
    assert made.n_bytes == 20 * 4 * 4


def test_a_projection_keeps_distances_and_leaves_narrow_layers_as_they_are() -> None:
    rows = np.random.default_rng(0).normal(size=(20, 6000))
    small = np.stack([projected(row, 800) for row in rows])
    assert small.shape == (20, 800)
    ratio = np.linalg.norm(small[0] - small[1:], axis=1) / np.linalg.norm(
        rows[0] - rows[1:], axis=1
    )
    assert ratio == pytest.approx(np.ones(19), abs=0.12)
    assert (projected(rows[0, :50], 800) == rows[0, :50]).all()


def test_features_that_memory_could_not_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 8388608 kB\nMemAvailable: 3145728 kB\n")
    monkeypatch.setattr(columns, "MEMORY", told)
    check_memory(2**30)
    with pytest.raises(UserError, match=r"4.0 GiB are needed and 3.0 GiB are free: give features"):
        check_memory(2 * 2**30)
    monkeypatch.setattr(columns, "MEMORY", tmp_path / "nothing")
    check_memory(2**60)  # where the system does not tell
