"""What is said of a study before anything is computed."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import soundfile

from convscope.brain.hrf.convolve import convolved
from convscope.brain.inputs.checks import best_lag, check, facts, looks_convolved
from convscope.brain.inputs.study import load_study

Change = Callable[..., Path]


def said(path: Path) -> str:
    return "\n".join(
        f"{each.level}: {each.what}: {each.remedy}" for each in check(load_study(path))
    )


def test_a_sound_study_has_its_counts_and_a_note_on_what_it_lacks(sounds_study: Path) -> None:
    found = {each.name: each.value for each in facts(load_study(sounds_study))}
    assert (found["stimuli"], found["seconds"], found["categories"]) == ("24 sounds", "0.50", "3")
    assert "there is no noise ceiling" in said(sounds_study)


def test_denoised_responses_have_no_ceiling(sounds_study: Path, change: Change) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(24, 3)) @ rng.normal(size=(3, 5))
    np.savez(sounds_study.parent / "r.npz", values=values.astype(np.float32))
    words = said(change(sounds_study, responses__file="r.npz:values"))
    assert "the responses have rank 3, for 24 stimuli and 5 targets" in words
    assert "no noise ceiling exists" in words


def test_the_same_sound_under_two_names_and_too_few_stimuli_are_told(
    sounds_study: Path, change: Change
) -> None:
    folder = sounds_study.parent / "sounds"
    wave, rate = soundfile.read(folder / "sound00.wav")
    soundfile.write(folder / "sound09.wav", wave, rate)
    words = said(change(sounds_study, encoding__n_folds=23))
    assert "1 stimuli stand under several names, such as sound00 = sound09" in words
    assert "23 different stimuli are too few for 23 folds: lower encoding.n_folds" in words


def test_nan_and_constant_voxels_are_counted(bold_study: Path) -> None:
    path = bold_study.parent / "run1.nii.gz"
    image = nibabel.load(path)
    values = np.asarray(image.dataobj).copy()  # type: ignore[attr-defined]
    values[1, 1, 0, 3] = np.nan
    values[2, 2, 1] = 7.0
    nibabel.Nifti1Image(values, image.affine, image.header).to_filename(path)  # type: ignore[attr-defined]
    words = said(bold_study)
    assert "1 of 31 targets hold NaN" in words
    assert "do not vary" not in words  # they do in the other run


@pytest.mark.parametrize("tr", [1.0, 2.0, 3.0])
def test_convolved_regressors_are_told_from_others(tr: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        neural = (rng.random((300, 1)) < 0.15) * rng.normal(size=(300, 1))
        assert not looks_convolved(neural[:, 0], tr)
        assert looks_convolved(convolved(neural, np.zeros(300), tr, "glover")[:, 0], tr)


def test_the_lag_of_a_neural_regressor_is_that_of_the_response() -> None:
    rng = np.random.default_rng(0)
    neural = rng.normal(size=(300, 1))
    bold = convolved(neural, np.zeros(300), 2.0, "glover") + 0.1 * rng.normal(size=(300, 5))
    assert best_lag(neural[:, 0], bold) in (2, 3)  # 5 s at a TR of 2 s
    assert best_lag(convolved(neural, np.zeros(300), 2.0, "glover")[:, 0], bold) == 0


def given(
    bold_study: Path, change: Change, design: np.ndarray, names: list[str], **more: object
) -> Path:
    np.save(bold_study.parent / "design.npy", design)
    return change(
        bold_study,
        responses__events=[],
        responses__design=["design.npy", "design.npy"],
        responses__design_names=names,
        **more,
    )


def test_twins_and_a_missing_constant_in_a_given_design_are_told(
    bold_study: Path, change: Change
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 1))
    words = said(
        given(bold_study, change, np.hstack([x, x + 1e-3 * rng.normal(size=(60, 1))]), ["a", "b"])
    )
    assert "run-1: a and b are nearly the same column" in words
    assert "the given design of run-1 has no constant: one was added" in words
    assert "0.38 in place of 11.4" in words


def test_stimuli_that_two_runs_share_are_told_unless_one_repeats_the_other(
    bold_study: Path, change: Change
) -> None:
    folder = bold_study.parent
    (folder / "sounds").mkdir()
    for name in ("a", "b"):
        wave = np.random.default_rng(len(name)).normal(0, 0.1, 8000)
        soundfile.write(folder / "sounds" / f"{name}.wav", wave, 16000)
    for run in (1, 2):
        rows = "\n".join(f"{10 * i}\t2\tx\t{'ab'[i % 2]}.wav" for i in range(6))
        (folder / f"run{run}_events.tsv").write_text(
            f"onset\tduration\ttrial_type\tstim_file\n{rows}\n"
        )
    path = change(bold_study, stimuli={"folder": "sounds"})
    assert "run-1 and run-2 share" in said(path)
    assert "set repeats: {run-2: run-1}" in said(path)
    assert "share" not in said(change(bold_study, repeats={"run-2": "run-1"}))


def test_the_story_looks_convolved_and_blocks_too(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = real_data("alice")
    study = tmp_path / "alice.yaml"
    study.write_text(
        f"""responses:
  kind: bold
  file: "{folder}/roi_bold.npz:bold"
  axes: [subject, sample, target]
  targets: "{folder}/roi_bold.npz:rois"
  tr_seconds: 2
  design: ["{folder}/roi_bold.npz:sound_power"]
  design_names: [sound_power]
"""
    )
    words = said(study)
    assert "sound_power: it is as slow as BOLD" in words
    assert "set responses.already_convolved: true" in words
    study.write_text(study.read_text() + "  already_convolved: true\n")
    assert "sound_power: it is as slow" not in said(study)
