"""The list of wrongly labelled clips."""

import numpy as np
import pytest
from scipy.special import softmax as scipy_softmax

from convscope.errors import UserError
from convscope.scores.errors import softmax, wrong_clips

CLASSES = ("bed", "bird", "cat")
LABELS = np.array([0, 0, 1, 2, 2])
LOGITS = np.array([[9, 0, 0], [0, 1, 0], [0, 0, 4], [0, 0, 9], [0, 1, 0]], dtype=np.float32)
IDS = np.array([f"{CLASSES[label]}/{i}.wav" for i, label in enumerate(LABELS)])


def ids(actual: str | None = None, predicted: str | None = None) -> list[str]:
    return [clip.id for clip in wrong_clips(LOGITS, LABELS, IDS, CLASSES, actual, predicted)]


def test_only_wrong_clips_are_listed_the_most_confident_first_and_equal_ones_as_they_come() -> None:
    assert ids() == ["bird/2.wav", "bed/1.wav", "cat/4.wav"]


def test_a_clip_says_what_it_is_what_it_was_taken_for_and_how_surely() -> None:
    clip = wrong_clips(LOGITS, LABELS, IDS, CLASSES)[0]
    total = np.exp(4) + 2
    assert (clip.actual, clip.predicted) == ("bird", "cat")
    assert clip.probability == pytest.approx(np.exp(4) / total, rel=1e-12)
    assert clip.margin == pytest.approx((np.exp(4) - 1) / total, rel=1e-12)


def test_the_list_can_be_kept_to_one_actual_or_one_predicted_class() -> None:
    assert ids(actual="bed") == ["bed/1.wav"]
    assert ids(predicted="bird") == ["bed/1.wav", "cat/4.wav"]
    assert ids(actual="cat", predicted="bird") == ["cat/4.wav"]
    assert ids(actual="cat", predicted="bed") == []


@pytest.mark.parametrize("option", ["actual", "predicted"])
def test_an_unknown_class_is_answered_with_the_one_that_was_meant(option: str) -> None:
    message = (
        rf"{option}: 'brid' is not a class of this run \(did you mean 'bird'\?\); known: bed, bi"
    )
    with pytest.raises(UserError, match=message):
        ids(**{option: "brid"})


def test_probabilities_are_double_precision_and_do_not_overflow() -> None:
    logits = np.random.default_rng(0).normal(0, 300, (50, 7)).astype(np.float32)
    got = softmax(logits)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, scipy_softmax(logits.astype(np.float64), axis=1), rtol=1e-12)
    np.testing.assert_allclose(got.sum(axis=1), 1, rtol=1e-12)


def test_the_logits_are_left_as_found() -> None:
    before = LOGITS.copy()
    wrong_clips(LOGITS, LABELS, IDS, CLASSES)
    np.testing.assert_array_equal(LOGITS, before)
