"""convscope data check and make-words; doctor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Convscope = Callable[..., Any]


def test_check_counts_classes_and_splits_and_names_bad_files(
    convscope: Convscope, recordings: Path, tmp_path: Path
) -> None:
    for word in recordings.iterdir():
        (tmp_path / word.name).mkdir()
        for file in sorted(word.iterdir())[:5]:
            (tmp_path / word.name / file.name).write_bytes(file.read_bytes())
    (tmp_path / "low" / "00000000_nohash_9.wav").write_text("no sound")
    answer = convscope("data", "check", tmp_path, "--json")
    assert answer.code == 0
    assert "00000000_nohash_9.wav" in str(answer.json["unreadable"])
    assert "00000000_nohash_9.wav" in convscope("data", "check", tmp_path).out


def test_check_refuses_a_missing_folder(convscope: Convscope, tmp_path: Path) -> None:
    answer = convscope("data", "check", tmp_path / "none")
    assert answer.code == 2
    assert "none" in answer.err


def test_make_words_prints_its_folder_last(convscope: Convscope, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="needs the extra words")
    answer = convscope("data", "make-words", tmp_path / "words", "--clips", 16, "--workers", 1)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1] == str(tmp_path / "words")
    assert len(list((tmp_path / "words").glob("*/*.wav"))) == 16


def test_doctor_says_what_works_and_how_to_get_the_rest(convscope: Convscope) -> None:
    findings = convscope("doctor", "--json").json
    assert {each["what"] for each in findings} >= {
        "Python", "torch", "GPU", "training steps", "sound files", "cache",
    }  # fmt: skip
    for each in findings:
        assert each["works"] or each["remedy"]
    assert "torch" in convscope("doctor").out


def test_a_manifest_is_written_from_names_and_checked(
    convscope: Convscope, recordings: Path, tmp_path: Path
) -> None:
    sound = next(recordings.rglob("*.wav")).read_bytes()
    for i in range(24):
        (tmp_path / f"{i % 2}_{'abc'[i % 3]}_{i}.wav").write_bytes(sound)
    pattern, out = "{label}_{speaker}_{take}", tmp_path / "all.csv"
    answer = convscope(
        *("data", "manifest", tmp_path, "--pattern", pattern, "--out", out),
        *("data.split=stratified", "data.group=speaker", "data.rename={0: zero}"),
    )
    assert (answer.code, answer.out) == (0, f"{out}\n")
    lines = out.read_text().splitlines()
    assert lines[0] == "path,label,split,speaker,take"
    assert len(lines) == 25
    report = convscope("data", "check", out, "data.group=speaker", "--json").json
    assert report["groups"] == {"train": 1, "validation": 1, "test": 1}
    again = convscope("data", "check", tmp_path, f"data.pattern={pattern}", "data.group=speaker")
    assert "groups by speaker: " in again.out
    folds = convscope("data", "check", out, "data.folds={by: speaker}")
    assert "fold 3" in folds.out
