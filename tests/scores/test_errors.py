"""The list of wrongly labelled clips."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from convscope.errors import UserError
from convscope.run import RESULTS, Run
from convscope.scores.errors import errors_table, wrong_clips, wrong_clips_of
from convscope.terminal import PlainConsole

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
def test_a_class_is_meant_however_its_accents_are_spelled(option: str) -> None:
    classes = ("cafe\u0301", "bird", "the\u0301")
    typed = {"actual": "caf\u00e9", "predicted": "th\u00e9"}[option]
    assert len(wrong_clips(LOGITS, LABELS, IDS, classes, **{option: typed})) == 1


@pytest.mark.parametrize("option", ["actual", "predicted"])
def test_an_unknown_class_is_answered_with_the_one_that_was_meant(option: str) -> None:
    message = (
        rf"{option}: 'brid' is not a class of this run \(did you mean 'bird'\?\); known: bed, bi"
    )
    with pytest.raises(UserError, match=message):
        ids(**{option: "brid"})


def test_probabilities_of_huge_logits_do_not_overflow() -> None:
    logits = np.array([[3e38, 0, 0]], dtype=np.float32)
    [clip] = wrong_clips(logits, np.array([1]), np.array(["x"]), CLASSES)
    assert (clip.probability, clip.margin) == (1, 1)


def test_the_logits_are_left_as_found() -> None:
    before = LOGITS.copy()
    wrong_clips(LOGITS, LABELS, IDS, CLASSES)
    np.testing.assert_array_equal(LOGITS, before)


# Of a run


def make_run(folder: Path, not_scored: int | None = None) -> Run:
    """A finished run with the predictions above, of which one may not count."""
    run = Run(folder)
    run.write_json("scores.json", {"classes": [{"name": name} for name in CLASSES]})
    stored = {"logits": LOGITS, "labels": LABELS, "ids": IDS, "scored": np.arange(5) != not_scored}
    run.write_with("predictions.npz", lambda file: np.savez(file, **stored))
    for name in RESULTS:
        if not run.path(name).exists():
            run.write(name, b"")
    run.finish()
    return run


def test_the_errors_of_a_run_are_those_of_its_predictions(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    assert wrong_clips_of(run) == wrong_clips(LOGITS, LABELS, IDS, CLASSES)
    assert [clip.id for clip in wrong_clips_of(run, actual="bed")] == ["bed/1.wav"]


def test_clips_that_the_scores_leave_out_are_no_errors(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", not_scored=2)
    assert [clip.id for clip in wrong_clips_of(run)] == ["bed/1.wav", "cat/4.wav"]


def test_damaged_predictions_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    run.write("predictions.npz", b"junk")
    with pytest.raises(UserError, match=r"changed after its end: predictions\.npz differs"):
        wrong_clips_of(run)


def test_a_run_that_is_not_done_has_no_errors_to_show(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.write_status(state="failed")
    with pytest.raises(
        UserError, match="expected a run that is done, got one that is failed; train"
    ):
        wrong_clips_of(run)


def test_errors_are_plain_json_and_a_table_that_cuts_nothing_off() -> None:
    clips = wrong_clips(LOGITS, LABELS, [f"[b]{name}" for name in IDS], CLASSES)
    rows = [clip.to_dict() for clip in clips]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    text = io.StringIO()
    PlainConsole(file=text, width=80).print(errors_table(clips))
    first = text.getvalue().splitlines()[2]
    assert first.split() == ["[b]bird/2.wav", "bird", "cat", "0.9647", "0.9470"]
