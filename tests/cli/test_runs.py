"""What reads a finished run: errors, score, predict, export."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch

from convscope.data.dataset import Dataset
from convscope.export import export_onnx
from convscope.models.spec import make_spec
from convscope.run import MODEL, PREDICTIONS, Run
from convscope.training.checkpoint import load_trained
from convscope.training.config import TrainConfig
from convscope.training.fit import fit

Convscope = Callable[..., Any]


def test_score_on_the_same_data_gives_the_same_scores(
    convscope: Convscope, trained: Path, recordings: Path
) -> None:
    answer = convscope("score", trained, f"data.folder={recordings}", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["confusion"] == Run(trained).scores["confusion"]
    everything = convscope("score", trained, "--split", "all", "--json").json
    assert everything["n"] == 120


def test_score_refuses_clips_of_another_shape(convscope: Convscope, trained: Path) -> None:
    answer = convscope("score", trained, "data.seconds=0.5")
    assert answer.code == 2
    assert "the net was trained on clips of shape (1, 500)" in answer.err


def test_errors_lists_what_the_confusion_matrix_counts(convscope: Convscope, trained: Path) -> None:
    wrong = convscope("errors", trained, "--json").json
    matrix = np.array(Run(trained).scores["confusion"])
    assert len(wrong) == matrix.sum() - np.trace(matrix)
    refused = convscope("errors", trained, "--actual", "lwo")
    assert refused.code == 2
    assert "'lwo' is not a class of this run (did you mean 'low'?)" in refused.err


def test_errors_makes_a_page(convscope: Convscope, trained: Path, tmp_path: Path) -> None:
    answer = convscope("errors", trained, "--out", tmp_path / "page")
    assert answer.code == 0
    page = Path(answer.out.splitlines()[-1])
    assert page.read_text().startswith("<!")


def test_errors_says_where_each_clip_lies(
    convscope: Convscope, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    run = _all_wrong(trained, tmp_path / "run")
    wrong = convscope("errors", run, "--json").json
    assert wrong
    for clip in wrong:
        assert clip["file"] == str(recordings / clip["id"])
        assert Path(clip["file"]).is_file()


def test_a_page_that_cannot_be_made_leaves_standard_output_empty(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    answer = convscope("errors", trained, "--json", "--out", tmp_path / "file" / "page")
    assert (answer.code, answer.out) == (2, "")
    assert "page" in answer.err


def _all_wrong(trained: Path, folder: Path) -> Path:
    """A copy of the run in which every test clip got the wrong label."""
    shutil.copytree(trained, folder)
    with np.load(folder / PREDICTIONS) as stored:
        np.savez(folder / PREDICTIONS, **{**stored, "labels": 1 - stored["logits"].argmax(axis=1)})
    Run(folder).finish()
    return folder


def test_predict_goes_through_a_long_recording_window_by_window(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    times = np.arange(2000 * 6 // 10) / 2000  # 0.6 s: two windows of 0.25 s and a rest
    soundfile.write(tmp_path / "long.wav", 0.3 * np.sin(2 * np.pi * 100 * times), 2000)
    windows = convscope("predict", trained, tmp_path / "long.wav", "--json").json
    assert [window["start_seconds"] for window in windows] == [0.0, 0.25, 0.5]
    for window in windows:
        assert sum(window["probabilities"].values()) == pytest.approx(1)
        assert window["label"] == max(window["probabilities"], key=window["probabilities"].get)


def test_predict_names_a_file_it_cannot_read(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "no.wav").write_text("no sound")
    answer = convscope("predict", trained, tmp_path / "no.wav")
    assert answer.code == 2
    assert "no.wav" in answer.err


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_predict_answers_for_the_good_files_among_bad_ones(
    convscope: Convscope, trained: Path, tmp_path: Path, recordings: Path, more: list[str]
) -> None:
    good = sorted(recordings.glob("*/*.wav"))[:2]
    (tmp_path / "no.wav").write_text("no sound")
    files = good[0], tmp_path / "no.wav", good[1], tmp_path / "none.wav"
    answer = convscope("predict", trained, *files, *more)
    assert answer.code == 2
    assert all(file.name in answer.out for file in good)
    first, second = answer.err.splitlines()
    assert first.startswith(f"convscope: {tmp_path}/no.wav is no readable sound (")
    assert first.endswith("): expected a sound")
    assert second.startswith(f"convscope: {tmp_path}/none.wav cannot be read (No such file")


def test_a_file_of_a_single_sample_costs_the_others_nothing(
    convscope: Convscope, trained: Path, tmp_path: Path, recordings: Path
) -> None:
    soundfile.write(tmp_path / "single.wav", np.full(1, 0.5), 44_100)
    good = next(iter(sorted(recordings.glob("*/*.wav"))))
    answer = convscope("predict", trained, tmp_path / "single.wav", good)
    assert answer.code == 2
    assert good.name in answer.out
    [line] = answer.err.splitlines()
    assert "single.wav is too short: of 1 samples at 44,100 Hz none is left at" in line


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epochs=3", "train.epochs has no effect on a score: net, training and classes are"),
        ("model.dropout=0", "model.dropout has no effect on a score"),
        ("data.words=[a, b]", "data.words has no effect on a score"),
        ("data.classes=[a, b]", "data.classes has no effect on a score"),
        ("data.kind=[a]", "data.kind: expected one of words"),
        ("data.kind=sounds data.image_size=3", "data.image_size is not a known key"),
        ("epochs=3", "expected section.key=value"),
    ],
)
def test_score_refuses_what_would_do_nothing(
    convscope: Convscope, trained: Path, assignment: str, message: str
) -> None:
    answer = convscope("score", trained, *assignment.split())
    assert answer.code == 2
    assert message in answer.err


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("file/net.onnx", r"file cannot be written \(.*: .*, or give another --out"),
        ("folder", "--out: .*folder is a folder: give a file's name"),
    ],
)
def test_an_export_that_cannot_be_written_is_refused(
    convscope: Convscope, trained: Path, tmp_path: Path, out: str, message: str
) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra export")
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    answer = convscope("export", trained, "--out", tmp_path / out)
    assert (answer.code, answer.out) == (2, "")
    assert re.search(message, answer.err), answer.err


def test_an_exported_net_equals_the_torch_net(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra export")
    pytest.importorskip("onnxscript", reason="needs the extra export")
    path = tmp_path / "net.onnx"
    answer = convscope("export", trained, "--out", path)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1] == str(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    net = load_trained(Run(trained))
    for n_clips in (1, 5):
        clips = torch.rand(n_clips, 1, 500, generator=torch.Generator().manual_seed(0)) - 0.5
        with torch.inference_mode():
            expected = net.net(net.front(clips)).numpy()
        [logits] = session.run(None, {"clips": clips.numpy()})
        np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_an_exported_pool_is_padded_as_the_nets_is(
    tones: Callable[..., Dataset], tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra export")
    pytest.importorskip("onnxscript", reason="needs the extra export")
    sizes = {"conv_layers": 2, "kernel": 4, "base_channels": 2, "fc_hidden": 0}
    spec = make_spec({"family": "baseline1d", **sizes})
    data = tones()  # 397 samples reach the first pool, of which 1 is over; 97 the second, too
    run = fit(spec, data, TrainConfig(epochs=1, threads=1), tmp_path)
    path = export_onnx(run, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    net = load_trained(run)
    clips = net.front.scale(torch.from_numpy(data.clips[:5]))
    with torch.inference_mode():
        expected = net.net(net.front(clips)).numpy()
    [logits] = session.run(None, {"clips": clips.numpy()})
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("command", ["errors", "score", "predict", "export"])
def test_a_folder_that_is_no_run_is_refused(
    convscope: Convscope, tmp_path: Path, command: str
) -> None:
    more = [tmp_path / "x.wav"] if command == "predict" else []
    answer = convscope(command, tmp_path, *more)
    assert answer.code == 2
    assert "is no run: expected a folder with config.yaml" in answer.err


def test_a_run_that_is_not_done_cannot_answer(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_bytes((trained / "config.yaml").read_bytes())
    answer = convscope("predict", tmp_path, tmp_path / "x.wav")
    assert answer.code == 2
    assert "is not done" in answer.err


def test_weights_of_another_net_are_told_in_one_line(
    convscope: Convscope, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    net = torch.nn.Linear(3, 2)
    run.write(MODEL, safetensors.torch.save(net.state_dict()))
    run.finish()
    answer = convscope("predict", run.folder, next(recordings.rglob("*.wav")))
    assert answer.code == 2
    assert "do not fit the net" in answer.err
    assert answer.err.count("\n") == 1


def test_names_with_brackets_and_escape_sequences_are_shown(
    convscope: Convscope, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    names = ("[laughter]/[b]x.wav", "[noise]/\x1b[31mred.wav", "odd[/x].wav")
    for name in names:
        (tmp_path / name).parent.mkdir()
        shutil.copy(next(recordings.rglob("*.wav")), tmp_path / name)
    predicted = convscope("predict", trained, *(tmp_path / name for name in names))
    checked = convscope("data", "check", tmp_path)
    missing = convscope("predict", trained, tmp_path / "\x1b[2Jgone[/x].wav")
    assert (predicted.code, checked.code, missing.code) == (0, 0, 2)
    for answer in (predicted, checked):
        assert all(name.replace("\x1b", "\\x1b") in answer.out for name in names)
    assert all(f" {label} " in checked.out for label in ("[laughter]", "[noise]", "odd["))
    assert "\\x1b[2Jgone[/x].wav" in missing.err
    assert "\x1b" not in predicted.out + checked.out + missing.err


def test_a_class_is_meant_however_its_accents_are_spelled_and_so_is_a_run(
    convscope: Convscope, trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / "cafe\u0301")
    answer = convscope("errors", tmp_path / "caf\u00e9", "--json")
    assert answer.code == 0, answer.err
