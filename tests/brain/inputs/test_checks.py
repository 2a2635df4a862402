"""What is said of a study before anything is computed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import soundfile

from convscope.brain.hrf.convolve import convolved
from convscope.brain.hrf.drift import drift, without
from convscope.brain.inputs.checks import check, facts
from convscope.brain.inputs.regressors import best_lag, drift_share, inflation, looks_convolved
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
    assert "1 stimulus stands under several names, such as sound00 = sound09" in words
    assert "23 different stimuli are too few for 23 folds: lower encoding.n_folds" in words


def test_nan_and_constant_voxels_are_counted(bold_study: Path) -> None:
    values, write = volumes_of(bold_study.parent / "run1.nii.gz")
    values = values.copy()
    values[1, 1, 0, 3] = np.nan
    values[2, 2, 1] = 7.0
    write(values)
    words = said(bold_study)
    assert "1 of 31 targets hold NaN or infinity" in words
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
    assert "run-1: a is explained by the other columns to 100.0%, nearly by b alone" in words
    assert "(also b)" in words
    assert "the given design of run-1 has no constant: one was added" in words
    assert "a t of 11.4 down to 0.38" in words


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


def test_a_column_that_several_others_or_drifts_explain_is_told(
    bold_study: Path, change: Change
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    design = np.hstack([x, x.sum(axis=1, keepdims=True)])
    words = said(given(bold_study, change, design, ["a", "b", "c", "sum"]))
    assert "sum is explained by the other columns to 100.0%: the variance of its effect" in words
    slow = np.cos(np.pi * np.arange(60) / 60)[:, None] + 0.01 * x[:, :1]
    words = said(given(bold_study, change, slow, ["slow"], responses__already_convolved=True))
    assert "run-1: slow is explained by the other columns to 100.0%" in words
    words = said(given(bold_study, change, np.ones((60, 1)), ["one"]))
    assert "run-1: one cannot have an effect: the column does not vary" in words


def test_inflation_is_that_of_two_correlated_columns_by_hand() -> None:
    a, b = np.array([1.0, -1, 1, -1]), np.array([1.0, 1, -1, -1])
    design = np.stack([a, 0.6 * a + 0.8 * b, np.ones(4)], axis=1)  # r = 0.6
    assert inflation(design, 2) == pytest.approx([1 / (1 - 0.36)] * 2)


def test_drift_share_is_1_of_white_noise_and_0_without_slow_waves() -> None:
    noise = np.random.default_rng(0).normal(size=(150, 2000))
    assert drift_share(noise, 2.0, 128.0).mean() == pytest.approx(1, abs=0.05)
    filtered = without(noise, drift(150, 2.0, 128.0))
    assert drift_share(filtered, 2.0, 128.0) == pytest.approx(0, abs=1e-9)


def volumes_of(path: Path) -> tuple[np.ndarray, Callable[[np.ndarray], None]]:
    """The volumes of a file, and what writes others in their place."""
    image: Any = nibabel.load(path)
    values = np.asarray(image.dataobj)

    def write(others: np.ndarray) -> None:
        kept = others.astype(np.float32)
        nibabel.Nifti1Image(kept, image.affine, image.header).to_filename(path)

    return values, write


def adding(bold_study: Path, add: np.ndarray) -> None:
    for run in (1, 2):
        values, write = volumes_of(bold_study.parent / f"run{run}.nii.gz")
        write(values + add)


def test_predictors_that_were_not_convolved_are_told(bold_study: Path, change: Change) -> None:
    """Noise at the volumes, and a response to it 6 s later, said to be convolved."""
    neural = np.random.default_rng(0).normal(size=(60, 1))
    adding(bold_study, 40 * np.roll(neural[:, 0], 3))
    path = given(bold_study, change, neural, ["clicks"], responses__already_convolved=True)
    words = said(path)
    assert "look as if they had not been convolved" in words
    assert ": clicks (6 s later): set responses.already_convolved: false" in words


def test_drifts_that_nothing_takes_out_are_told(bold_study: Path, change: Change) -> None:
    adding(bold_study, np.linspace(0, 40, 60, dtype=np.float32))
    assert "the scanner drifts" not in said(bold_study)
    words = said(change(bold_study, glm__high_pass_seconds=None))
    assert "run-1: waves of 128 s and longer have" in words
    assert "nothing takes it out: set glm.high_pass_seconds: 128" in words


def test_volumes_that_were_filtered_are_told(bold_study: Path) -> None:
    for run in (1, 2):
        values, write = volumes_of(bold_study.parent / f"run{run}.nii.gz")
        series = values.reshape(-1, 60).T
        write(without(series, drift(60, 2.0, 100.0)).T.reshape(values.shape))
    assert "the slowest wave, of 240 s, is all but missing from the volumes" in said(bold_study)


def test_events_in_milliseconds_and_columns_without_end_are_told(
    bold_study: Path, change: Change
) -> None:
    (bold_study.parent / "run1_events.tsv").write_text(
        "onset\tduration\ttrial_type\n2\t4000\ta\n50\t4\tb\n"
    )
    words = said(bold_study)
    assert "run-1: 1 of 2 events go on after its end at 120 s, such as a at 2 s for 4000 s" in words
    motion = "\n".join(["\t".join(f"x{i}" for i in range(60))] + ["\t".join(["1"] * 60)] * 60)
    (bold_study.parent / "run1_motion.tsv").write_text(motion)
    assert "run-1: 64 columns explain 60 volumes whatever they are" in said(bold_study)


def test_the_same_confounds_for_several_people_are_told(bold_study: Path, change: Change) -> None:
    files = ["run1.nii.gz", "run2.nii.gz"]
    words = said(
        change(bold_study, responses__files=[], responses__subjects={"a": files, "b": files})
    )
    assert "the same confounds for all 2 subjects" in words


def test_stimuli_without_responses_and_sounds_without_sound_are_told(sounds_study: Path) -> None:
    folder = sounds_study.parent
    soundfile.write(folder / "sounds" / "more.wav", np.zeros(8000), 16000)
    soundfile.write(folder / "sounds" / "sound04.wav", np.zeros(8000), 16000)
    content = dict(np.load(folder / "responses.npz"))
    content["values"][7] = np.nan
    np.savez(folder / "responses.npz", **content)
    words = said(sounds_study)
    assert "1 files of the folder are none of the stimuli, such as more.wav" in words
    assert "1 sounds are silent: sound04" in words
    assert "1 stimuli have no response at all: sound07" in words
    assert "rank" not in words


def test_stimuli_that_no_event_names_are_told(bold_study: Path, change: Change) -> None:
    folder = bold_study.parent
    (folder / "sounds").mkdir()
    for i, name in enumerate("ab"):
        wave = np.random.default_rng(i).normal(0, 0.1, 8000)
        soundfile.write(folder / "sounds" / f"{name}.wav", wave, 16000)
    words = said(change(bold_study, stimuli={"folder": "sounds"}))
    assert "no event names one of the 2 stimuli" in words
    assert "add a column stim_file to the events" in words
    (folder / "run1_events.tsv").write_text("onset\tduration\tstim_file\n2\t4\ta.wav\n")
    assert "1 stimuli were never shown: b" in said(bold_study)


def test_the_filtered_run_of_real_data_is_known_for_what_it_is(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = real_data("fmri_glm")
    study = tmp_path / "blocks.yaml"
    study.write_text(
        f"""responses:
  kind: bold
  files: ["{folder}/fmri_filtered_func_data.nii.gz"]
  mask: "{folder}/fmri_mask.nii.gz"
  tr_seconds: 3
  design: ["{folder}/fmri_design.mat"]
  design_names: [a, a_derivative, b, b_derivative]
"""
    )
    words = said(study)
    assert "qform and sform codes are 0" in words
    assert "the given design of run-1 has no constant" in words
    assert "look already convolved" in words
    assert ": a (best at a lag of 0 s), b (best at a lag of 3 s);" in words
    assert "the slowest wave, of 270 s, is all but missing from the volumes" in words


def test_the_story_looks_convolved(real_data: Callable[[str], Path], tmp_path: Path) -> None:
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
    assert "look already convolved" in words
    assert ": sound_power (best at a lag of 0 s);" in words
    assert "set responses.already_convolved: true" in words
    study.write_text(study.read_text() + "  already_convolved: true\n")
    assert "look already convolved" not in said(study)
