"""Scores from confusion matrices: two printed tables, scikit-learn, and cases worked by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import classification_report, cohen_kappa_score

from convscope.errors import UserError
from convscope.scores.metrics import (
    ClassScores,
    Confusion,
    MeanScores,
    Scores,
    at_chance,
    confusion_matrix,
    scores,
    worst_confusions,
)
from convscope.types import ConfusionMatrix, Labels

REFERENCE = Path(__file__).parents[1] / "reference" / "confusion_matrices.json"
PRINTED: dict[str, Any] = json.loads(REFERENCE.read_text())
WORDS, IMAGES = PRINTED["words16_custom_ch32_do075"], PRINTED["images6_ch32_6conv"]


def printed_scores(table: dict[str, Any]) -> Scores:
    return scores(np.array(table["matrix"]), table["classes"])


def random_labels(n_classes: int, n_clips: int, seed: int) -> tuple[Labels, Labels]:
    """Actual and predicted labels, of which about half agree."""
    rng = np.random.default_rng(seed)
    actual, predicted = rng.integers(0, n_classes, (2, n_clips))
    return actual, np.where(rng.random(n_clips) < 0.5, actual, predicted)


# The printed tables. All 22 classes' precision, recall, F1 and support agree with their matrix.


@pytest.mark.parametrize("table", [WORDS, IMAGES], ids=["words", "images"])
def test_every_printed_score_comes_out_of_its_matrix(table: dict[str, Any]) -> None:
    for got in printed_scores(table).classes:
        printed = table["reported"][got.name]
        assert got.precision is not None
        assert got.recall is not None
        assert got.f1 is not None
        rounded = {
            "precision": round(got.precision, 2),
            "recall": round(got.recall, 2),
            "f1": round(got.f1, 2),
            "support": got.support,
        }
        assert rounded == printed, got.name


def test_the_words_accuracy_is_the_printed_one_on_the_4815_full_second_clips() -> None:
    got = printed_scores(WORDS)
    assert (round(got.accuracy, 4), got.n) == (0.9533, 4815)


def test_the_images_accuracy_contradicts_the_printed_one() -> None:
    """The table states 0.9044; its own matrix has 2932 of 3183 right, which is 0.9211."""
    got = printed_scores(IMAGES)
    assert (round(got.accuracy, 4), got.n) == (0.9211, 3183)
    assert IMAGES["accuracy"] == 0.9044


# Against scikit-learn


@given(n_classes=st.integers(2, 6), n_clips=st.integers(40, 120), seed=st.integers(0, 10_000))
def test_all_scores_are_those_of_scikit_learn(n_classes: int, n_clips: int, seed: int) -> None:
    actual, predicted = random_labels(n_classes, n_clips, seed)
    got = scores(confusion_matrix(actual, predicted, n_classes), [str(k) for k in range(n_classes)])
    expected = classification_report(
        actual, predicted, labels=range(n_classes), output_dict=True, zero_division=np.nan
    )
    rows: dict[str, ClassScores | MeanScores] = {each.name: each for each in got.classes}
    rows |= {"macro avg": got.macro, "weighted avg": got.weighted}
    for name, row in rows.items():
        assert row.precision == pytest.approx(expected[name]["precision"], abs=1e-12)
        assert row.recall == pytest.approx(expected[name]["recall"], abs=1e-12)
        assert row.f1 == pytest.approx(expected[name]["f1-score"], abs=1e-12)


# By hand


def test_rows_are_the_actual_class() -> None:
    matrix = confusion_matrix(np.array([0, 0, 2]), np.array([1, 1, 2]), n_classes=3)
    assert matrix.tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_the_scores_of_a_small_matrix_by_hand() -> None:
    got = scores(np.array([[3, 1], [2, 4]]), ["yes", "no"])
    yes, no = got.classes
    assert (got.accuracy, got.n) == (0.7, 10)
    assert (yes.precision, yes.recall, yes.f1, yes.support) == pytest.approx(
        (3 / 5, 3 / 4, 6 / 9, 4)
    )
    assert (no.precision, no.recall, no.f1, no.support) == pytest.approx((4 / 5, 4 / 6, 8 / 11, 6))
    assert got.macro.recall == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert got.weighted.precision == pytest.approx(0.4 * 3 / 5 + 0.6 * 4 / 5)
    assert got.interval == pytest.approx((0.3968, 0.8922), abs=5e-5)


def test_what_is_undefined_is_none_and_left_out_of_the_means() -> None:
    never_predicted, without_clips, neither, right = 0, 1, 2, 3
    matrix = np.zeros((4, 4), dtype=np.int64)
    matrix[never_predicted, without_clips] = 1
    matrix[right, right] = 1
    got = scores(matrix, ["never predicted", "without clips", "neither", "right"])
    assert [each.precision for each in got.classes] == [None, 0, None, 1]
    assert [each.recall for each in got.classes] == [0, None, None, 1]
    assert [each.f1 for each in got.classes] == [0, 0, None, 1]
    assert (got.macro.precision, got.macro.recall) == (0.5, 0.5)
    assert got.macro.f1 == pytest.approx(1 / 3)
    assert got.classes[neither].support == 0


def test_scores_are_plain_json_without_nan_and_with_these_keys() -> None:
    matrix = np.array([[2, 0, 0], [1, 0, 0], [0, 0, 0]])
    got = scores(matrix, ["a", "b", "c"]).to_dict()
    assert json.loads(json.dumps(got, allow_nan=False)) == got
    assert list(got) == ["accuracy", "interval", "n", "classes", "macro", "weighted", "confusion"]
    assert list(got["classes"][0]) == ["name", "precision", "recall", "f1", "support"]
    assert got["confusion"] == matrix.tolist()


def test_no_clips_cannot_be_scored() -> None:
    with pytest.raises(UserError, match="no clips to score: expected at least one, got 0"):
        scores(np.zeros((2, 2), dtype=np.int64), ["a", "b"])


def test_labels_beyond_the_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected labels from 0 to 1, got 0 to 2"):
        confusion_matrix(np.array([0, 2]), np.array([0, 1]), n_classes=2)


def test_labels_without_their_predictions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected as many predictions as labels, \(2,\)"):
        confusion_matrix(np.array([0, 1]), np.array([0]), n_classes=2)


# Confusions


def test_the_worst_confusions_of_the_printed_words() -> None:
    worst = worst_confusions(np.array(WORDS["matrix"]), WORDS["classes"], 3)
    assert worst == [
        Confusion("tree", "three", 15, 15 / 163),
        Confusion("three", "tree", 8, 8 / 377),
        Confusion("two", "zero", 8, 8 / 384),
    ]


def test_a_matrix_without_errors_has_no_confusions() -> None:
    assert worst_confusions(np.diag([4, 0, 5]), ["a", "b", "c"], 10) == []


# The mark chance


@pytest.mark.parametrize("supports", [[50, 50], [7, 200, 30]], ids=["balanced", "unbalanced"])
def test_a_net_that_predicts_one_class_is_at_chance(supports: list[int]) -> None:
    for k in range(len(supports)):
        matrix = np.zeros((len(supports),) * 2, dtype=np.int64)
        matrix[:, k] = supports
        assert at_chance(matrix)


def test_a_net_whose_answers_do_not_depend_on_the_clip_is_at_chance() -> None:
    answers = np.array([0.7, 0.2, 0.1])
    assert at_chance((np.array([[100], [900], [500]]) * answers).astype(np.int64))


@pytest.mark.parametrize("table", [WORDS, IMAGES], ids=["words", "images"])
def test_the_printed_nets_are_far_above_chance(table: dict[str, Any]) -> None:
    assert not at_chance(np.array(table["matrix"]))


def test_a_net_trained_on_balanced_classes_is_not_marked_for_a_commonest_class() -> None:
    """It is right on 3 of 5 clips of each class: less than the 0.8 of always saying `common`."""
    matrix = np.array([[480, 160, 160], [20, 60, 20], [20, 20, 60]])
    assert np.trace(matrix) / matrix.sum() < 0.8
    assert not at_chance(matrix)


def test_right_answers_that_are_too_few_to_tell_are_at_chance() -> None:
    assert at_chance(np.array([[1, 0], [0, 1]]))
    assert not at_chance(np.array([[5, 0], [0, 5]]))


def kappa(matrix: ConfusionMatrix) -> float:
    actual, predicted = np.nonzero(matrix)
    weights = matrix[actual, predicted]
    return float(cohen_kappa_score(actual, predicted, sample_weight=weights))


@given(seed=st.integers(0, 10_000))
def test_no_net_with_a_kappa_of_0_or_less_escapes_the_mark(seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(0, 9, (3, 3))
    matrix[0, 1] += 1
    assert at_chance(matrix) or kappa(matrix) > 0
