"""Studies: what is read, and what is said where it does not fit together."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import soundfile

from convscope.brain.inputs.study import load_study
from convscope.errors import UserError

Change = Callable[..., Path]


def test_stimuli_and_responses_come_in_the_same_order(sounds_study: Path) -> None:
    study = load_study(sounds_study)
    assert study.name == "study"
    assert study.stimuli is not None
    assert (len(study.stimuli), study.stimuli.kind) == (24, "sound")
    assert study.stimuli.names[3] == "sound03"
    assert study.stimuli.files[3].name == "sound03.wav"
    assert study.stimuli.seconds == pytest.approx(np.full(24, 0.5))
    assert study.targets == ("t1", "t2", "t3", "t4", "t5")
    values = np.load(sounds_study.parent / "responses.npz")["values"]
    assert (study.recordings[0].mean == values).all()


def test_volumes_of_runs_stand_behind_each_other_in_the_order_of_the_mask(bold_study: Path) -> None:
    study = load_study(bold_study)
    assert [run.n_volumes for run in study.runs] == [60, 60]
    values = study.recordings[0].values
    assert values.shape == (1, 120, 31)
    first = np.asarray(nibabel.load(bold_study.parent / "run1.nii.gz").dataobj)  # type: ignore[attr-defined]
    assert values[0, 5, 0] == pytest.approx(first[0, 0, 1, 5])
    assert study.run_of.tolist() == [0] * 60 + [1] * 60
    assert study.runs[0].events[0].onset_seconds == 2.0
    assert study.runs[1].events[1].trial_type == "b"
    assert study.runs[0].confounds[0, 0] == pytest.approx(study.runs[0].confounds[1:, 0].mean())
    assert study.space is not None
    assert study.space.is_known


def test_axes_say_what_each_axis_of_an_array_is(sounds_study: Path, change: Change) -> None:
    folder = sounds_study.parent
    values = np.random.default_rng(0).normal(size=(5, 2, 24, 3)).astype(np.float32)
    np.savez(folder / "more.npz", values=values)
    study = load_study(
        change(
            sounds_study,
            responses__file="more.npz:values",
            responses__axes=["target", "repeat", "sample", "subject"],
        )
    )
    assert len(study.recordings) == 3
    assert study.recordings[2].values.shape == (2, 24, 5)
    assert (study.recordings[2].values[1, 7] == values[:, 1, 7, 2]).all()


def test_components_times_weights_are_voxels(sounds_study: Path, change: Change) -> None:
    weights = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    np.savez(sounds_study.parent / "weights.npz", w=weights)
    path = change(sounds_study, responses__weights="weights.npz:w", responses__targets=None)
    study = load_study(path)
    values = np.load(sounds_study.parent / "responses.npz")["values"]
    assert study.recordings[0].values[0] == pytest.approx(values @ weights, rel=1e-5)
    assert study.targets[39] == "voxel 40"


def test_the_hash_is_of_content_wherever_it_lies(sounds_study: Path, tmp_path: Path) -> None:
    first = load_study(sounds_study).hash
    shutil.copytree(sounds_study.parent, tmp_path / "elsewhere" / "copy")
    copy = tmp_path / "elsewhere" / "copy" / "study.yaml"
    assert load_study(copy).hash == first
    wave, rate = soundfile.read(copy.parent / "sounds" / "sound05.wav")
    soundfile.write(copy.parent / "sounds" / "sound05.wav", wave * 0.9, rate)
    assert load_study(copy).hash != first


def test_the_hash_is_of_where_voxels_lie_and_not_of_where_files_lie(
    bold_study: Path, change: Change
) -> None:
    first = load_study(bold_study).hash
    folder = bold_study.parent
    events = [str(folder / f"run{run}_events.tsv") for run in (1, 2)]
    assert load_study(change(bold_study, responses__events=events)).hash == first
    for name in ("mask", "run1", "run2"):
        image = nibabel.load(folder / f"{name}.nii.gz")
        moved = image.affine @ np.diag([-1.0, 1, 1, 1])  # type: ignore[attr-defined]
        values = np.asarray(image.dataobj)  # type: ignore[attr-defined]
        nibabel.Nifti1Image(values, moved, image.header).to_filename(folder / f"{name}.nii.gz")
    assert load_study(bold_study).hash != first


@pytest.mark.parametrize("name", ["...yaml", "my study.yaml"])
def test_a_file_whose_name_is_none_for_a_folder_needs_one(sounds_study: Path, name: str) -> None:
    path = sounds_study.rename(sounds_study.parent / name)
    with pytest.raises(UserError, match=r"expected a name of letters.*: set name in"):
        load_study(path)


def test_two_files_that_differ_by_their_ending_alone_are_refused(sounds_study: Path) -> None:
    folder = sounds_study.parent / "sounds"
    wave, rate = soundfile.read(folder / "sound00.wav")
    soundfile.write(folder / "sound00.flac", wave, rate)
    with pytest.raises(UserError, match=r"sound00.flac and sound00.wav differ by their ending al"):
        load_study(sounds_study)


def test_the_same_sound_in_another_format_is_the_same_stimulus(sounds_study: Path) -> None:
    folder = sounds_study.parent / "sounds"
    wave, rate = soundfile.read(folder / "sound00.wav", dtype="int16")
    (folder / "sound01.wav").unlink()
    soundfile.write(folder / "sound01.flac", wave, rate)
    study = load_study(sounds_study)
    assert study.stimuli is not None
    assert study.stimuli.hashes[0] == study.stimuli.hashes[1] != study.stimuli.hashes[2]


def test_arrays_of_all_kinds_of_files_are_read(sounds_study: Path, change: Change) -> None:
    from scipy.io import savemat

    folder = sounds_study.parent
    values = np.load(folder / "responses.npz")["values"]
    np.save(folder / "v.npy", values)
    savemat(folder / "v.mat", {"v": values})
    lines = [",".join(f"t{i}" for i in range(5)), *(",".join(map(str, row)) for row in values)]
    (folder / "v.csv").write_text("\n".join(lines))
    for name in ("v.npy", "v.mat:v", "v.csv"):
        study = load_study(change(sounds_study, responses__file=name))
        assert study.recordings[0].values[0] == pytest.approx(values, rel=1e-6), name


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"responses__filez": "x"}, r"study.yaml.responses.filez is not a known key"),
    "another kind": ({"responses__kind": "eeg"}, r"responses.kind: expected"),
    "no file there": (
        {"responses__file": "no.npz:values"},
        r"responses.file: there is no file .*no.npz",
    ),
    "no key there": (
        {"responses__file": "responses.npz:nothing"},
        r"holds values, sounds, categories, targets: expected FILE:KEY .* got nothing",
    ),
    "unequal counts": (
        {"responses__axes": ["target", "sample"], "responses__targets": None},
        r"has responses to 5 stimuli, and there are 24 stimuli",
    ),
    "axes too many": (
        {"responses__axes": ["subject", "sample", "target"]},
        r"3 axes, and responses.npz:values has shape \(24, 5\)",
    ),
    "no stimuli": ({"stimuli": {}}, r"stimuli.folder is missing: responses of the kind per_stim"),
    "targets too few": (
        {"responses__targets": "responses.npz:categories"},
        r"expected a name for each of 5 targets, got 24",
    ),
    "two sources": ({"responses__files": ["a.nii"]}, r"got file and files"),
    "keys of volumes": (
        {"responses__events": ["a.tsv"], "responses__tr_seconds": 2.0},
        r"responses: tr_seconds, events cannot be used with kind per_stimulus: leave it out",
    ),
    "a mask of an array": (
        {"responses__mask": "mask.nii"},
        r"responses: mask cannot be used with an array \(file\)",
    ),
    "a home of nobody": (
        {"responses__file": "~nobody-here/x.npy"},
        r"responses.file: there is no file .*~nobody-here/x.npy: paths count from the study file",
    ),
    "no kind": (
        {"responses": {"file": "x.npy"}},
        r"study.yaml.responses.kind is missing: expected",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_does_not_fit_is_told_with_both_sides(
    sounds_study: Path, change: Change, mistake: str
) -> None:
    changes, words = MISTAKES[mistake]
    with pytest.raises(UserError, match=words):
        load_study(change(sounds_study, **changes))


def test_a_stimulus_that_is_not_there_is_named(sounds_study: Path) -> None:
    (sounds_study.parent / "sounds" / "sound07.wav").unlink()
    with pytest.raises(UserError, match=r"stimuli.files names sound07, which is not in .*sounds"):
        load_study(sounds_study)


BOLD_MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a TR that contradicts the header": (
        {"responses__tr_seconds": 3.0},
        r"responses.tr_seconds is 3, the header of .*run1.nii.gz says 2 s",
    ),
    "events of one run alone": (
        {"responses__events": ["run1_events.tsv"]},
        r"responses.events: expected one file for each of 2 runs, got 1",
    ),
    "a confound that is not there": (
        {"responses__confound_columns": ["z"]},
        r"run1_motion.tsv lacks z: it has x, y",
    ),
    "weights of volumes": (
        {"responses__weights": "w.npz:w"},
        r"weights cannot be used with NIfTI \(files, subjects\)",
    ),
    "a repeat of no run": (
        {"repeats": {"run-3": "run-1"}},
        r"repeats: run-3: run-1: expected two of the runs run-1, run-2",
    ),
}


@pytest.mark.parametrize("mistake", BOLD_MISTAKES)
def test_what_does_not_fit_of_volumes_is_told_with_both_sides(
    bold_study: Path, change: Change, mistake: str
) -> None:
    changes, words = BOLD_MISTAKES[mistake]
    with pytest.raises(UserError, match=words):
        load_study(change(bold_study, **changes))


def test_a_mask_of_another_shape_or_place_is_refused(bold_study: Path) -> None:
    folder = bold_study.parent
    nibabel.Nifti1Image(np.ones((5, 4, 2), np.uint8), np.eye(4)).to_filename(folder / "mask.nii.gz")
    with pytest.raises(UserError, match=r"mask has shape \(5, 4, 2\), .* volumes of shape \(4, 4,"):
        load_study(bold_study)
    nibabel.Nifti1Image(np.ones((4, 4, 2), np.uint8), np.eye(4)).to_filename(folder / "mask.nii.gz")
    with pytest.raises(UserError, match=r"the same shape but lie at different places"):
        load_study(bold_study)


def test_a_nifti_that_is_cut_short_is_refused(bold_study: Path) -> None:
    path = bold_study.parent / "run2.nii.gz"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UserError, match=r"run2.nii.gz is damaged or cut short"):
        load_study(bold_study)


def test_events_outside_of_their_run_are_named_by_line(bold_study: Path) -> None:
    path = bold_study.parent / "run1_events.tsv"
    path.write_text(path.read_text() + "4000\t4\ta\n")
    with pytest.raises(
        UserError, match=r"line 11: an event at 4000 s lies outside of run-1, .* 120 s"
    ):
        load_study(bold_study)
    path.write_text("onset\tduration\nsoon\t4\n")
    with pytest.raises(UserError, match=r"line 2, onset: expected a number, got 'soon'"):
        load_study(bold_study)


def test_objects_in_an_array_are_refused_and_claims_are_not_believed(
    sounds_study: Path, change: Change
) -> None:
    folder = sounds_study.parent
    np.savez(folder / "objects.npz", values=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match=r"holds Python objects, which may be code"):
        load_study(change(sounds_study, responses__file="objects.npz:values"))
    with (folder / "huge.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(b"\0" * 800)
    with pytest.raises(
        UserError, match=r"huge.npy claims 8,000,000,000,000,000 bytes .* cut short"
    ):
        load_study(change(sounds_study, responses__file="huge.npy"))
