"""convscope brain: studies of small sounds, from the file to the page."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from convscope.brain.encoding.encode import encode

Convscope = Callable[..., Any]

RATE_HZ = 2000


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 sounds of half a second; responses follow their power and the loudness of high bands."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    (folder / "sounds").mkdir()
    loud = rng.random((30, 2))
    times = np.arange(RATE_HZ // 2) / RATE_HZ
    for i, (low, high) in enumerate(loud):
        wave = low * np.sin(2 * np.pi * 100 * times) + high * np.sin(2 * np.pi * 700 * times)
        wave = 0.2 * wave + rng.normal(0, 0.01, len(times))
        soundfile.write(folder / "sounds" / f"s{i:02d}.wav", wave, RATE_HZ)
    values = loud @ rng.normal(size=(2, 3)) + 0.1 * rng.normal(size=(30, 3))
    np.savez(
        folder / "responses.npz",
        values=values.astype(np.float32),
        names=np.array(["left", "right", "both"]),
        kinds=np.array(["a", "b", "c"] * 10),
    )
    (folder / "tones.yaml").write_text(
        yaml.safe_dump(
            {
                "stimuli": {"folder": "sounds", "categories": "responses.npz:kinds"},
                "responses": {
                    "kind": "per_stimulus",
                    "file": "responses.npz:values",
                    "targets": "responses.npz:names",
                },
                "features": {"n_untrained": 1, "equal_rank": 2},
                "encoding": {
                    "n_folds": 5,
                    "n_draws": 1,
                    "n_bootstrap": 50,
                    "n_permutations": 20,
                    "penalties": [0.01, 1000.0, 4],
                },
            }
        )
    )
    return folder / "tones.yaml"


@pytest.fixture
def net(trained: Path, tmp_path: Path) -> Path:
    """A run of its own for each test."""
    return Path(shutil.copytree(trained, tmp_path / trained.name))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_check_prints_what_fits_what(convscope: Convscope, study: Path, tmp_path: Path) -> None:
    answer = convscope("brain", "check", study)
    assert answer.code == 0, answer.err
    assert "30 sounds" in answer.out
    assert "note: one subject" in answer.out
    told = convscope("brain", "check", study, "--json", "--out", tmp_path / "pictures").json
    assert told["facts"]["targets"] == "3"
    assert (tmp_path / "pictures" / "responses.png").is_file()


def test_encode_says_the_answer_keeps_everything_and_goes_on_to_the_same_bytes(
    convscope: Convscope, study: Path, net: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = convscope("brain", "encode", study, net)
    assert answer.code == 0, answer.err
    *sentences, page = answer.out.splitlines()
    folder = net / "brain" / "tones"
    assert Path(page) == folder / "index.html"
    assert "spectral_all" in sentences[0]
    assert "over 30 stimuli" in sentences[0]
    whole = bytes_of(folder)
    assert {"manifest.json", "summary.json", "spaces.csv", "nets.csv", "unique.csv"} <= set(whole)
    html = whole["index.html"].decode()
    for words in (
        "spectral_all",
        "untrained_calibrated",
        "permuted",
        "categories",
        "noise ceiling",
    ):
        assert words in html.replace("Noise ceiling", "noise ceiling"), words
    assert "http" not in html.replace("http-equiv", "").replace("http://www.w3.org", "")

    done = encode
    calls = []

    def killed(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) > 8:
            raise KeyboardInterrupt
        return done(*args, **options)

    shutil.rmtree(folder)
    monkeypatch.setattr("convscope.brain.analyses.running.encode", killed)
    interrupted = convscope("brain", "encode", study, net)
    assert interrupted.code == 130
    assert "goes on from here" in interrupted.err
    assert not (folder / "manifest.json").exists()
    monkeypatch.setattr("convscope.brain.analyses.running.encode", done)
    assert convscope("brain", "encode", study, net).code == 0
    assert bytes_of(folder) == whole


def test_the_board_and_the_sweep_show_what_encode_found(
    convscope: Convscope, study: Path, net: Path, tmp_path: Path
) -> None:
    out = tmp_path / "all"
    answer = convscope("brain", "sweep", study, net, "--out", out)
    assert answer.code == 0, answer.err
    assert "of 1" in answer.out
    assert "1 net cannot say whether smaller ones predict the brain better." in answer.out
    assert Path(answer.out.splitlines()[-1]) == out / "index.html"
    assert {"sweep.csv", "sweep.png"} <= set(bytes_of(out))
    row = convscope("board", net, "--brain", "--json").json[0]
    summary = json.loads((net / "brain" / "tones" / "summary.json").read_text())
    assert row["brain_score"] == summary["score"]
    assert row["control"] == "spectral_all"


def test_rsa_prints_every_space_and_how_it_was_scaled(
    convscope: Convscope, study: Path, net: Path
) -> None:
    answer = convscope("brain", "rsa", study, net, "--json")
    assert answer.code == 0, answer.err
    assert "each feature scaled to standard deviation 1, 30 stimuli" in answer.json["how"]
    roles = {row["role"] for row in answer.json["rows"]}
    assert {"trained", "untrained", "acoustic", "categories", "permuted"} <= roles


def test_glm_writes_maps_of_regions(convscope: Convscope, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    design = (np.arange(80) // 10 % 2)[:, None].astype(float)
    bold = 100 + 3 * design @ [[1.0, 0.0]] + rng.normal(size=(80, 2))
    np.savez(tmp_path / "b.npz", bold=bold.astype(np.float32), design=design)
    (tmp_path / "s.yaml").write_text(
        "responses: {kind: bold, file: 'b.npz:bold', tr_seconds: 2, design: ['b.npz:design'], "
        "design_names: [on], already_convolved: true}\n"
    )
    out = tmp_path / "glm"
    answer = convscope("brain", "glm", tmp_path / "s.yaml", "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert answer.json[0]["contrast"] == "on"
    assert answer.json[0]["n_above"] == 1
    assert {"1-on.csv", "contrasts.csv", "design.png"} <= set(bytes_of(out))


MISTAKES: dict[str, tuple[list[str], str]] = {
    "no study": (["brain", "encode", "none.yaml", "NET"], "none.yaml: there is no such study file"),
    "no run": (["brain", "encode", "STUDY", "nowhere"], "nowhere is no run"),
    "no place": (["brain", "encode", "STUDY"], "--out DIR is missing: there is no run"),
    "idle option": (
        ["brain", "encode", "STUDY", "NET", "--input", "1x400"],
        "--input has no effect beside a run",
    ),
    "glm of stimuli": (["brain", "glm", "STUDY"], "glm needs volumes (responses.kind: bold)"),
    "no command": (["brain", "encoed", "STUDY"], "'encoed' is no command (did you mean 'encode'?)"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told_in_one_line_and_nothing_is_written(
    convscope: Convscope, study: Path, net: Path, mistake: str
) -> None:
    words, message = MISTAKES[mistake]
    before = bytes_of(net)
    answer = convscope(*({"STUDY": study, "NET": net}.get(word, word) for word in words))
    assert answer.code == 2
    assert message in answer.err
    assert answer.err.count("convscope: ") == 1
    assert answer.err.splitlines()[-1].startswith("convscope: ")
    assert bytes_of(net) == before


def test_a_layer_that_is_not_there_and_shuffled_volumes_are_refused(
    convscope: Convscope, study: Path, net: Path, tmp_path: Path
) -> None:
    settings = yaml.safe_load(study.read_text())
    settings["stimuli"]["folder"] = str(study.parent / "sounds")
    for section in ("stimuli", "responses"):
        settings[section] = {
            key: f"{study.parent}/{value}" if "npz" in str(value) else value
            for key, value in settings[section].items()
        }
    settings["features"] = {"layers": ["act99"]}
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(settings))
    answer = convscope("brain", "encode", path, net)
    assert answer.code == 2
    assert "features.layers: act99 is no layer of" in answer.err
    np.savez(tmp_path / "b.npz", bold=np.random.default_rng(0).normal(size=(80, 2)))
    volumes = tmp_path / "volumes.yaml"
    volumes.write_text(
        "responses: {kind: bold, file: 'b.npz:bold', tr_seconds: 2, design: ['b.npz:bold']}\n"
        "encoding: {folds: stimulus}\n"
    )
    answer = convscope("brain", "encode", volumes, "--out", tmp_path / "out")
    assert answer.code == 2
    assert "smooth noise then predicts held-out volumes with r 0.57" in answer.err
    assert not (tmp_path / "out").exists()
