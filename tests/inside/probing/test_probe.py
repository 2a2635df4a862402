"""What simple classifiers make of features."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

from convscope.errors import UserError
from convscope.inside.probing.part_probe import look_probe
from convscope.inside.probing.probe import CLASSIFIERS, embedded, probe
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Examples, Subject
from convscope.scores.intervals import wilson

N = 300
IS_TEST = np.arange(N) % 3 == 0


def blobs(spread: float, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Three classes around three points; features on very different scales."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, N)
    middles = 4 * np.eye(3)[labels]
    values = (middles + spread * rng.normal(size=(N, 3))) * [1e-3, 1, 1e3]
    return values.astype(np.float32), labels


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_that_lie_apart_are_told_apart_whatever_the_scales(name: str) -> None:
    values, labels = blobs(spread=0.3)
    found = probe(values, labels, IS_TEST, name)
    assert found.accuracy == 1.0
    assert found.interval == wilson(100, 100)
    assert (found.n_train, found.n_test) == (200, 100)
    assert found.chance == np.bincount(labels[IS_TEST]).max() / 100


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_that_have_nothing_to_do_with_features_are_guessed(name: str) -> None:
    values, _ = blobs(spread=0.3)
    labels = np.random.default_rng(5).integers(0, 3, N)
    found = probe(values, labels, IS_TEST, name)
    assert found.interval.low < 1 / 3 < found.interval.high


def test_clips_to_test_are_not_trained_on() -> None:
    values, labels = blobs(spread=0.3)
    labels[IS_TEST] = (labels[IS_TEST] + 1) % 3
    assert probe(values, labels, IS_TEST, "knn").accuracy == 0.0


def test_too_few_clips_are_refused_in_words() -> None:
    values, labels = blobs(spread=0.3)
    with pytest.raises(
        UserError, match=r"at least 10 clips of two classes .* got 300 of 3 .* and 0"
    ):
        probe(values, labels, np.zeros(N, np.bool_))
    with pytest.raises(UserError, match="got 200 of 1 classes and 100 to test"):
        probe(values, np.zeros(N, np.int64), IS_TEST)


def test_neighbours_on_the_map_are_neighbours_in_the_features() -> None:
    values, labels = blobs(spread=0.3)
    places = embedded(values[:120], seed=0)
    distances = np.linalg.norm(places[:, None] - places, axis=2) + np.eye(120) * 1e9
    assert (labels[:120][distances.argmin(axis=1)] == labels[:120]).mean() > 0.95
    np.testing.assert_array_equal(places, embedded(values[:120], seed=0))


@pytest.fixture
def loud_or_not() -> Callable[[], Subject]:
    """A net of one filter, and sounds that are loud or soft."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 2
    clips = (rng.normal(size=(N, 1, 64)) * (1 + 4 * labels[:, None, None])).astype(np.float32)
    net = nn.Sequential(
        nn.Conv1d(1, 2, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2, 2)
    )
    ids = np.array([f"{i}.wav" for i in range(N)])
    return lambda: Subject(
        name="loud",
        net=net,
        scale=lambda clips: clips,
        front=nn.Identity(),
        domain="waveform",
        shape=(1, 64),
        clip_shape=(1, 64),
        classes=("soft", "loud"),
        examples=Examples(clips, labels, ids),
        rate_hz=64,
    )


def test_each_layer_gets_a_row_for_each_classifier_and_one_layer_a_map(
    loud_or_not: Callable[[], Subject], tmp_path: Path
) -> None:
    writer = ResultWriter(tmp_path)
    look_probe(loud_or_not(), Choice(), writer)
    rows = [line.split(",") for line in (tmp_path / "probe.csv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["act1"] * 3 + ["penultimate"] * 3 + ["logits"] * 3
    assert all(float(row[4]) > 0.9 for row in rows if row[0] == "penultimate")
    assert {path.name for path in writer.made} == {
        *(f"probe.{ending}" for ending in ("csv", "json", "png", "svg")),
        *(f"probe_map_penultimate.{ending}" for ending in ("csv", "npz", "png", "svg")),
    }


def test_of_a_chosen_layer_alone(loud_or_not: Callable[[], Subject], tmp_path: Path) -> None:
    look_probe(loud_or_not(), Choice(layer="act1"), ResultWriter(tmp_path))
    rows = (tmp_path / "probe.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["act1"] * 3
    assert (tmp_path / "probe_map_act1.png").is_file()
