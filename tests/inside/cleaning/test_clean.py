"""Clips that are mislabelled, broken or ambiguous, and the list to leave out."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.data.dataset import Dataset
from convscope.data.exclude import read_exclusions
from convscope.errors import UserError
from convscope.inside.cleaning.broken import broken
from convscope.inside.cleaning.clean import (
    entropy,
    label_scores,
    mislabelled,
    softmax,
    suspects,
    unseen_probabilities,
)
from convscope.inside.cleaning.part import look_clean, look_clean_refit
from convscope.inside.cleaning.refit import dealt, refit_probabilities
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.run_subject import subject_of_run
from convscope.inside.subject.subject import Choice, Subject
from convscope.run import Run
from convscope.training.cell import Cell, make_cell
from convscope.training.fit import fit

Tones = Callable[..., Dataset]
TIMES = np.arange(1000) / 1000
TONE = 8000 * np.sin(2 * np.pi * 20 * TIMES)


def planted(n: int = 600, share: float = 0.02) -> tuple[NDArray[np.float32], ...]:
    """Features in three clouds, labels of which some are swapped, and which."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, n)
    values = (6 * np.eye(3)[true] + rng.normal(size=(n, 3))).astype(np.float32)
    swapped = np.zeros(n, np.bool_)
    swapped[rng.choice(n, round(share * n), replace=False)] = True
    labels = np.where(swapped, (true + 1) % 3, true)
    return values, labels, swapped  # type: ignore[return-value]


def test_swapped_labels_are_the_most_suspect() -> None:
    values, labels, swapped = planted()
    said = unseen_probabilities(values, labels, 3)  # type: ignore[arg-type]
    scores = label_scores(labels, said)  # type: ignore[arg-type]
    most = np.argsort(scores)[: int(swapped.sum())]
    assert swapped[most].all()
    marked = mislabelled(labels, said)  # type: ignore[arg-type]
    assert marked[swapped == 1].all()
    assert marked.sum() < 2 * swapped.sum()


def test_a_probe_has_not_seen_the_clip_that_it_judges() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(120, 200)).astype(np.float32)  # so many that each can be learned
    labels = np.arange(120) % 3
    said = unseen_probabilities(values, labels, 3)
    assert (said.argmax(axis=1) == labels).mean() < 0.5


def test_probabilities_of_a_class_without_clips_are_zero() -> None:
    values, labels, _ = planted(60, 0)
    said = unseen_probabilities(values, np.where(labels == 2, 3, labels), 4)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert (said[:, 2] == 0).all()
    assert not mislabelled(np.where(labels == 2, 3, labels), said).any()


def test_a_class_of_one_clip_is_refused() -> None:
    with pytest.raises(UserError, match="2 classes, the rarest of 1 clips: give more clips"):
        unseen_probabilities(np.eye(4, dtype=np.float32), np.array([0, 0, 0, 1]), 2)


def test_softmax_and_entropy() -> None:
    np.testing.assert_allclose(softmax(np.log([[1.0, 3.0]])), [[0.25, 0.75]])
    assert softmax(np.array([[1000.0, 0.0]], np.float32)).tolist() == [[1, 0]]
    half = -(0.5 * np.log(0.5) + 2 * 0.25 * np.log(0.25)) / np.log(3)
    found = entropy(np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25]]))
    np.testing.assert_allclose(found, [0, 1, half], atol=1e-12)


def test_suspects_come_broken_first_then_by_score() -> None:
    good = [0.98, 0.02]
    said = np.array([good] * 20 + [[0.03, 0.97], [0.01, 0.99], [0.45, 0.55]] + [good[::-1]] * 20)
    labels = np.array([0] * 22 + [1] * 21)
    found, scores = suspects(labels, [(np.arange(43), said)], {5: "silent"})
    assert [(each.index, each.kind) for each in found] == [
        (5, "broken"),
        (21, "mislabelled"),
        (20, "mislabelled"),
        (22, "ambiguous"),
    ]
    assert found[1].suggested == 1
    assert found[1].reason == "its label has 1.0%, the likeliest 99.0%"
    assert (scores[5], scores[21], scores[0]) == (0.0, 0.01, 0.98)


def test_groups_are_judged_each_by_itself() -> None:
    said = np.array([[0.9, 0.1]] * 10 + [[0.1, 0.9]] * 10)
    labels = np.repeat([0, 1], 10)
    labels[0] = 1
    odd, even = np.arange(1, 20, 2), np.arange(0, 20, 2)
    found, _ = suspects(labels, [(odd, said[odd]), (even, said[even])], {})
    assert [each.index for each in found] == [0]


def test_without_cleanlab_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(UserError, match=r"clean needs .*: pip install 'convscope\[clean\]'"):
        label_scores(np.array([0, 1]), np.eye(2))


BROKEN_SOUNDS = {
    "silent": 30 * np.sin(2 * np.pi * 20 * TIMES),
    "clipped": np.clip(10 * TONE, -32768, 32767),
    "DC offset": TONE + 1000,
    "too short": np.where((TIMES > 0.3) & (TIMES < 0.45), TONE, 0),
}


@pytest.mark.parametrize("reason", BROKEN_SOUNDS)
def test_a_broken_sound_is_found_among_good_ones(reason: str) -> None:
    clips = np.stack([TONE, BROKEN_SOUNDS[reason], 0.5 * TONE]).astype(np.int16)[:, None]
    ids = np.array(["a", "b", "c"])
    assert broken(clips, ids, np.zeros(3, np.int64), batch=2) == {1: reason}


def test_an_image_of_one_colour_is_found() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (3, 3, 8, 8)).astype(np.uint8)
    images[1] = np.array([200, 10, 90], np.uint8)[:, None, None]
    images[2, 0] = 50  # one channel alone says nothing
    assert broken(images, np.array(["a", "b", "c"]), np.zeros(3, np.int64)) == {1: "one colour"}


def test_copies_under_two_labels_are_all_broken_and_under_one_all_but_the_first() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (6, 1, 8, 8)).astype(np.uint8)
    images[3], images[4], images[5] = images[0], images[1], images[1]
    found = broken(images, np.array(list("abcdef")), np.array([0, 1, 1, 1, 1, 1]), batch=2)
    assert found == {
        0: "same samples under another label: d",
        3: "same samples under another label: a",
        4: "same samples as b",
        5: "same samples as b",
    }


def test_folds_hold_each_clip_once_and_classes_and_splits_evenly(tones: Tones) -> None:
    data = tones()
    folds = list(dealt(data, 4, seed=0))
    assert sorted(np.concatenate(folds).tolist()) == list(range(200))
    for fold in folds:
        assert np.ptp(np.bincount(data.labels[fold])) <= 2
        assert np.bincount(data.splits[fold])[0] in (35, 36, 34)


@pytest.fixture
def cell(tones: Tones) -> Cell:
    return make_cell(
        {
            "data": tones().config.model_dump(mode="json"),
            "model": {"family": "custom", "conv_layers": 2, "base_channels": 8, "kernel": 31,
                      "batch_norm": True, "dropout": 0.0},
            "train": {"epochs": 8, "learning_rate": 0.003, "batch_size": 32, "threads": 1},
        }
    )  # fmt: skip


def swapped_tones(tones: Tones) -> Dataset:
    data = tones()
    labels = data.labels.copy()
    labels[[5, 60]] = (labels[[5, 60]] + 1) % 3
    return replace(data, labels=labels)


def test_nets_trained_anew_find_swapped_labels_and_say_what_they_left_out(
    tones: Tones, cell: Cell, tmp_path: Path
) -> None:
    data = swapped_tones(tones)
    told: list[float] = []
    folds = tmp_path / "folds"
    said = refit_probabilities(
        cell.model, data, cell.train, 2, folds, lambda done, total: told.append(done / total)
    )
    assert (told, told[-1]) == (sorted(told), 1)
    assert {5, 60} <= set(np.argsort(label_scores(data.labels, said))[:4])
    runs = [Run(path) for path in folds.iterdir()]
    excluded = [set(run.config["data"]["exclude"]) for run in runs]
    assert excluded[0] | excluded[1] == set(data.ids.tolist())
    assert not excluded[0] & excluded[1]
    assert all(run.environment["data"]["excluded"] == 100 for run in runs)


@pytest.fixture
def trained(tones: Tones, cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """A run on tones two of whose labels are swapped and one of which is silent."""
    data = swapped_tones(tones)
    clips = data.clips.copy()
    clips[100] = 0
    data = replace(data, clips=clips)
    for place in ("subject.run_subject", "results.labelled_clips", "cleaning.part"):
        monkeypatch.setattr(f"convscope.inside.{place}.load_dataset", lambda *_a, **_k: data)
    short = cell.train.model_copy(update={"epochs": 3})
    run = fit(cell.model, data, short, tmp_path / "runs")
    return subject_of_run(run, None, 30)


def test_the_part_leaves_a_list_that_a_recipe_takes(trained: Subject, tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path / "look")
    look_clean(trained, Choice(n=2), writer)
    names = {path.name for path in writer.made}
    assert {"clean.csv", "clean.json", "clean.npz", "clean.png", "clean.html"} <= names
    assert "clean_1.wav" in names
    left_out = read_exclusions(tmp_path / "look" / "exclude.txt")
    assert {"clip100.wav", "clip5.wav", "clip60.wav"} <= set(left_out)
    assert len(left_out) < 20
    text = (tmp_path / "look" / "exclude.txt").read_text()
    assert "# broken: silent\nclip100.wav\n" in text
    assert "which have seen the labels" in text
    page = (tmp_path / "look" / "clean.html").read_text()
    assert 'src="clean_1.wav"' in page
    with np.load(tmp_path / "look" / "clean.npz") as file:
        assert file["scores"].shape == file["ids"].shape == (200,)


def test_predictions_that_err_too_much_leave_no_label_out(
    trained: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convscope.inside.cleaning.part.TRUSTED", 1.0)
    look_clean(trained, Choice(n=1), ResultWriter(tmp_path / "look"))
    assert read_exclusions(tmp_path / "look" / "exclude.txt") == ["clip100.wav"]
    lines = (tmp_path / "look" / "exclude.txt").read_text().splitlines()
    assert lines[lines.index("# clip5.wav") - 1].startswith("# mislabelled, rather ")


def test_on_request_the_net_is_trained_anew(trained: Subject, tmp_path: Path) -> None:
    look_clean_refit(trained, Choice(n=1), ResultWriter(tmp_path / "look"))
    assert len(list((tmp_path / "look" / "clean_folds").iterdir())) == 5
    assert "trained anew" in (tmp_path / "look" / "exclude.txt").read_text()
