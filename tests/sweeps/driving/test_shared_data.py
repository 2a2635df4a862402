"""Clips that several processes share: the same bytes, no copy where there is a file, none left."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.data.dataset import Dataset
from convscope.errors import UserError
from convscope.sweeps.driving.shared_data import SharedDataset, attach, share
from convscope.types import Clips

Tones = Any


def attached(shared: SharedDataset) -> Dataset:
    """As a worker sees it, to which the descriptor is handed."""
    with shared.file:
        return attach(shared.head, os.dup(shared.file.fileno()))


def assert_same(one: Dataset, other: Dataset) -> None:
    np.testing.assert_array_equal(one.clips, other.clips)
    assert one.clips.dtype == other.clips.dtype
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.fingerprint == other.fingerprint


def mapped(clips: Clips, path: Path) -> Clips:
    path.write_bytes(clips.tobytes())
    return np.asarray(np.memmap(path, clips.dtype, "r", shape=clips.shape))


def test_clips_in_memory_are_shared_through_a_file_that_leaves_nothing(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    dataset = tones()
    shared = share(dataset)
    assert list((tmp_path / "cache").iterdir()) == []
    assert len(shared.head.dataset.clips) == 0
    assert_same(attached(shared), dataset)


def test_a_map_of_the_cache_is_shared_as_it_is(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "nowhere"))
    dataset = replace(tones(), clips=mapped(tones().clips, tmp_path / "clips.bin"))
    shared = share(dataset)
    assert shared.file.name == str(tmp_path / "clips.bin")
    assert_same(attached(shared), dataset)


def test_a_part_of_a_map_begins_where_it_begins(tones: Tones, tmp_path: Path) -> None:
    whole = tones()
    clips = mapped(whole.clips, tmp_path / "clips.bin")[50:]
    part = replace(whole, clips=clips, labels=whole.labels[50:])
    shared = share(part)
    assert shared.head.offset == 50 * 400 * 2
    assert_same(attached(shared), part)


def test_a_map_whose_file_was_replaced_is_written_anew(tones: Tones, tmp_path: Path) -> None:
    dataset = replace(tones(), clips=mapped(tones().clips, tmp_path / "clips.bin"))
    (tmp_path / "clips.bin").unlink()
    assert_same(attached(share(dataset)), dataset)


def test_a_cache_without_a_place_is_told_in_words(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match=r"cannot be written .* set CONVSCOPE_CACHE"):
        share(tones())
