"""Responses of known size: each number can be worked by hand."""

import numpy as np
import pytest

from convscope.inside.units.selectivity import selectivity, sparseness

LABELS = np.array([0, 0, 1, 1, 2, 2])


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float64)[:, None]


def test_a_unit_that_answers_to_one_class_alone_belongs_to_it() -> None:
    responses = column(0, 0, 3, 5, 0, 0)
    found = selectivity(responses, responses, LABELS)
    assert found.means.tolist() == [[0, 4, 0]]
    assert found.used.tolist() == [[0, 1, 0]]
    assert found.preferred.tolist() == found.owner.tolist() == [1]
    assert found.index.tolist() == [1]


def test_a_unit_that_answers_to_all_alike_has_no_class_of_its_own() -> None:
    responses = column(2, 2, 2, 2, 2, 2)
    found = selectivity(responses, responses, LABELS)
    assert found.index.tolist() == [0]
    assert found.owner.tolist() == [-1]
    assert found.sparseness.tolist() == [0]


def test_the_index_sets_the_largest_mean_against_the_mean_of_the_others() -> None:
    """Class means 1, 5, 2: (5 − 1.5) / (5 + 1.5)."""
    responses = column(1, 1, 4, 6, 2, 2)
    assert selectivity(responses, responses, LABELS).index == pytest.approx([3.5 / 6.5])


def test_a_unit_that_another_class_drives_too_often_has_no_owner() -> None:
    """With three classes the two highest of six peaks count as driven."""
    peaks = column(0, 1, 9, 2, 8, 0)
    found = selectivity(peaks, peaks, LABELS, uses=0.4, shuns=0.1)
    assert found.used.tolist() == [[0, 0.5, 0.5]]
    assert found.owner.tolist() == [-1]
    assert selectivity(peaks, column(0, 1, 9, 2, 1, 0), LABELS, uses=0.4).owner.tolist() == [1]


def test_a_unit_that_is_never_positive_prefers_none() -> None:
    found = selectivity(np.zeros((6, 1)), column(*[-1.0] * 6), LABELS)
    assert found.preferred.tolist() == found.owner.tolist() == [-1]
    assert np.isnan(found.index).all()
    assert np.isnan(found.sparseness).all()


def test_clips_of_unknown_class_and_classes_without_clips_are_left_out() -> None:
    labels = np.array([4, 4, 7, 7, -1, -1])
    responses = column(1, 1, 3, 3, 99, 99)
    found = selectivity(responses, responses, labels)
    assert found.classes.tolist() == [4, 7]
    assert found.means.tolist() == [[1, 3]]
    assert found.preferred.tolist() == [7]


def test_sparseness_is_1_of_a_single_answer_and_0_of_a_steady_one() -> None:
    responses = np.array([[0, 1], [0, 1], [7, 1], [0, 1]], np.float64)
    assert sparseness(responses) == pytest.approx([1, 0])


def test_sparseness_of_a_worked_case() -> None:
    """r = 1, 2, 3: a = 4 / (14 / 3) = 6/7; (1 − 6/7) / (1 − 1/3) = 3/14."""
    assert sparseness(column(1, 2, 3)) == pytest.approx([3 / 14])
