"""Words spoken by espeak-ng: the set's layout, its promises, and what happens when it fails."""

import collections
import errno
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from convscope.data.listing.splits import official_split
from convscope.data.making import synthetic_words
from convscope.data.making.espeak import ACCENTS, MEN, WOMEN
from convscope.data.making.speakers import draw_speaker
from convscope.data.making.synthetic_words import REPORT_WORDS, make_words
from convscope.errors import UserError

pytest.importorskip("espeakng_loader", reason="needs espeak-ng: pip install 'convscope[words]'")

N_CLIPS = 160


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_words(tmp_path_factory.mktemp("words"), N_CLIPS, seed=0, workers=1)


def contents(folder: Path) -> dict[str, bytes]:
    """Of every file but the hidden marker."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if path.name != ".convscope-words.json"
    }


def fresh_python(code: str, *arguments: str) -> str:
    """What code prints in a process without threads; espeak-ng is only called in such ones."""
    head = f"import sys; sys.path[:] = {sys.path!r}\n"
    command = [sys.executable, "-c", head + code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# The set


def test_clips_are_spread_evenly_over_the_words(made: Path) -> None:
    counts = collections.Counter(name.split("/")[0] for name in contents(made))
    assert counts == dict.fromkeys(REPORT_WORDS, 10)


def test_every_word_is_in_every_split_eighty_ten_ten(made: Path) -> None:
    splits = collections.Counter(
        (name.split("/")[0], official_split(Path(name).name)) for name in contents(made)
    )
    for word in REPORT_WORDS:
        assert [splits[word, split] for split in ("train", "validation", "test")] == [8, 1, 1]


def test_names_and_format_are_those_of_speech_commands(made: Path) -> None:
    for name in contents(made):
        assert re.fullmatch(r"[a-z]+/[0-9a-f]{8}_nohash_0\.wav", name)
        info = soundfile.info(made / name)
        assert (info.samplerate, info.channels, info.frames) == (16_000, 1, 16_000)
        assert (info.format, info.subtype) == ("WAV", "PCM_16")


def test_clips_are_neither_silent_nor_clipped_nor_alike(made: Path) -> None:
    clips = [soundfile.read(made / name)[0] for name in contents(made)]
    peaks = np.array([np.abs(clip).max() for clip in clips])
    assert peaks.min() > 0.07
    assert peaks.max() < 0.91
    assert peaks.std() > 0.1
    assert len({clip.tobytes() for clip in clips}) == N_CLIPS


def test_a_smaller_set_by_more_workers_is_the_beginning_of_the_larger(
    made: Path, tmp_path: Path
) -> None:
    smaller = contents(make_words(tmp_path, 40, seed=0, workers=3))
    assert len(smaller) == 40
    assert smaller.items() <= contents(made).items()


def test_another_seed_has_other_speakers(made: Path, tmp_path: Path) -> None:
    other = contents(make_words(tmp_path, 16, seed=1, workers=1))
    assert not {Path(name).name for name in other} & {Path(name).name for name in contents(made)}


def test_a_remainder_goes_to_the_first_words(tmp_path: Path) -> None:
    folder = make_words(tmp_path, 5, seed=0, words=["yes", "no"], workers=1)
    assert [len(list((folder / word).iterdir())) for word in ("yes", "no")] == [3, 2]


def test_a_long_word_fits_into_the_second(tmp_path: Path) -> None:
    word = "antidisestablishmentarianism"
    for path in make_words(tmp_path, 3, seed=0, words=[word], workers=1).rglob("*.wav"):
        assert soundfile.info(path).frames == 16_000


def test_speakers_are_as_often_women_as_men_and_of_many_voices() -> None:
    speakers = [draw_speaker(np.random.default_rng(seed)) for seed in range(1_000)]
    women = sum(speaker.voice.split("+")[1] in WOMEN for speaker in speakers)
    assert 440 < women < 560
    assert len({speaker.voice for speaker in speakers}) > 300
    assert draw_speaker(np.random.default_rng(7)) == speakers[7]


def described(clip: NDArray[np.float64]) -> tuple[float, float, float]:
    """Level in dB, length of what is within 20 dB of the loudest 20 ms in s, centroid in Hz."""
    clip = np.pad(clip[:16_000], (0, max(0, 16_000 - len(clip))))
    frames = np.sqrt(np.mean(clip.reshape(-1, 320) ** 2, axis=1))
    loud = np.flatnonzero(frames > 0.1 * frames.max())
    power = np.abs(np.fft.rfft(clip)[80:]) ** 2
    centroid = np.sum(power * np.arange(80, 80 + len(power))) / power.sum()
    level = 20 * np.log10(np.sqrt(np.mean(clip**2)))
    return level, (loud[-1] - loud[0] + 1) * 0.02, centroid


def test_typical_clips_are_as_loud_long_and_bright_as_real_ones(
    made: Path, real_data: Callable[[str], Path]
) -> None:
    def quartiles(folder: Path) -> NDArray[np.float64]:
        paths = sorted(path for path in folder.rglob("*_nohash_*"))[::4]
        clips = [described(soundfile.read(path)[0]) for path in paths]
        table: NDArray[np.float64] = np.percentile(np.array(clips), [25, 50, 75], axis=0)
        return table

    ours, real = quartiles(made), quartiles(real_data("words_reports16"))
    assert np.all(real[0] < ours[1])
    assert np.all(ours[1] < real[2])
    assert np.all(ours[0] < real[1])
    assert np.all(real[1] < ours[2])


# Going on, and refusing to


def test_going_on_makes_only_what_is_missing(made: Path, tmp_path: Path) -> None:
    folder = make_words(tmp_path, 16, seed=0, workers=1)
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.wav")}
    (folder / ".convscope-words-1.part").write_bytes(b"left by a worker that was killed")
    calls: list[tuple[int, int]] = []
    make_words(folder, 20, seed=0, workers=1, progress=lambda *call: calls.append(call))
    assert calls == [(17, 20), (18, 20), (19, 20), (20, 20)]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert contents(folder).items() <= contents(made).items()


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "thesis.wav").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"found 1 other, first house/thesis\.wav: choose a new"):
        make_words(tmp_path, 16, seed=0)
    assert contents(tmp_path) == {"house/thesis.wav": b"mine"}
    assert not list(tmp_path.glob(".*"))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"expected a folder, .*file is a file"):
        make_words(tmp_path / "file", 16, seed=0)


def test_other_arguments_are_refused_in_the_same_folder(made: Path) -> None:
    with pytest.raises(UserError, match=r'for \{"seed": 1, .* is for \{"seed": 0, '):
        make_words(made, N_CLIPS, seed=1)
    with pytest.raises(UserError, match=r"found 80 other, .* no fewer clips than it holds"):
        make_words(made, 80, seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_clips": 15}, "at least one clip for each of the 16 words, got 15"),
        ({"n_clips": 0}, "at least one clip for each of the 16 words, got 0"),
        ({"seed": -1}, "a seed of 0 or more, got -1"),
        ({"workers": 0}, "1 worker or more, got 0"),
        ({"words": []}, "words, each once, got none"),
        ({"words": ["cat", "dog", "cat"]}, "words, each once, got cat, dog, cat"),
        ({"words": ["cat", "../dog"]}, "letters a to z, got '../dog'"),
    ],
)
def test_nonsense_is_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        make_words(**{"folder": tmp_path, "n_clips": 16, "seed": 0, **change})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_without_espeak_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=re.escape("pip install 'convscope[words]'")):
        make_words(tmp_path, 16, seed=0)


# Workers


def test_workers_need_no_torch() -> None:
    code = "import convscope.data.making.synthetic_words; print('torch' in sys.modules)"
    assert fresh_python(code) == "False\n"


def test_a_failing_worker_is_an_error_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    folder = tmp_path / "words"

    def sabotage(n_done: int, n_clips: int) -> None:
        if n_done == 1:
            (folder / "tree").rename(tmp_path / "tree")

    with pytest.raises(UserError, match=r"words cannot be written \(No such file or directory\)"):
        make_words(folder, 400, seed=0, workers=1, progress=sabotage)
    assert not list(folder.glob(".*.part"))


DISK_FILLS = """
import os
replace, left = os.replace, [3]

def full(source, target):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(28, "No space left on device")
    replace(source, target)

os.replace = full
"""


def test_on_a_full_disk_whole_clips_stay_and_a_later_call_goes_on(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(synthetic_words, "_WORKER", f"{DISK_FILLS}\n{synthetic_words._WORKER}")
        with pytest.raises(UserError, match=r": the disk became full: make room .* name another"):
            make_words(tmp_path, 16, seed=0, workers=1)
    assert len(contents(tmp_path)) == 3, "three whole clips, and no part of a fourth"
    make_words(tmp_path, 16, seed=0, workers=1)
    assert len(contents(tmp_path)) == 16
    assert contents(tmp_path).items() <= contents(made).items()


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/words cannot be written \(Not a directory\): make"):
        make_words(tmp_path / "file" / "words", 16, seed=0)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"cannot be written \(Permission denied\): make it a fold"):
        make_words(tmp_path / "words", 16, seed=0)


def test_a_worker_that_fails_otherwise_is_no_fault_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import convscope.data.making.espeak as e; e._load = None\n"
    worker = synthetic_words._WORKER.replace("from convscope", f"exec({code!r}); from convscope")
    monkeypatch.setattr(synthetic_words, "_WORKER", worker)
    with pytest.raises(RuntimeError, match="'NoneType' object is not callable"):
        make_words(tmp_path, 16, seed=0, workers=1)


def test_an_interrupt_ends_the_workers(tmp_path: Path) -> None:
    def interrupt(n_done: int, n_clips: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_words(tmp_path, 4_000, seed=0, workers=2, progress=interrupt)
    assert 0 < len(contents(tmp_path)) < 4_000
    assert all(name.endswith(".wav") for name in contents(tmp_path))


def test_workers_of_a_killed_caller_end_and_leave_whole_clips(made: Path, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from convscope.data.making.synthetic_words import make_words\n"
        "make_words(Path(sys.argv[1]), 4_000, 0, workers=2, progress=lambda *_: print('.'))\n"
    )
    command = [sys.executable, "-u", "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        assert caller.stderr is not None
        caller.stdout.readline()
        caller.kill()
        errors = caller.stderr.read()  # the workers hold it, too: this returns when they are gone
    assert errors == b""
    left = contents(tmp_path)
    assert 0 < len(left) < 4_000
    assert all(name.endswith(".wav") for name in left)
    whole = contents(made)
    assert all(left[name] == whole[name] for name in left.keys() & whole.keys())


# espeak-ng itself


SPEAK = """
import hashlib, json
import numpy as np
from convscope.data.making.espeak import Espeak, Utterance
espeak = Espeak()
def speak(text, voice, **settings):
    samples = espeak.speak(Utterance(text, voice, **settings))
    return hashlib.sha1(samples.tobytes()).hexdigest(), int(np.abs(samples.astype(int)).max())
"""


def test_equal_utterances_are_equal_whatever_was_said_before() -> None:
    ask = SPEAK + "print(json.dumps([speak('seven', v) for v in sys.argv[1:]]))"
    breathy = ["en-us+f3", "en+whisper", "en-us+klatt4"]
    once = json.loads(fresh_python(ask, *breathy, *breathy))
    again = json.loads(fresh_python(ask, *reversed(breathy)))
    assert once == [*again[::-1], *again[::-1]]


def test_the_seed_decides_the_breath() -> None:
    code = SPEAK + "print(len({speak('six', 'en-us+f3', seed=seed) for seed in (1, 2, 1)}))"
    assert fresh_python(code) == "2\n"


def test_every_voice_speaks_loud_enough_without_clipping_and_unlike_the_others() -> None:
    voices = [*ACCENTS, *(f"en-us+{variant}" for variant in (*WOMEN, *MEN))]
    code = SPEAK + "print(json.dumps([speak('three', voice) for voice in sys.argv[1:]]))"
    spoken = json.loads(fresh_python(code, *voices))
    # New York says most words as the rest of America does.
    assert len({samples for samples, _ in spoken}) >= len(voices) - 1
    for voice, (_, peak) in zip(voices, spoken, strict=True):
        assert 1_000 < peak < 32_000, voice


@pytest.mark.parametrize(
    ("voice", "synthesise", "status"),
    [
        ("nobody", "Espeak._synthesise", "1"),
        ("en-us", "lambda *_: os.kill(os.getpid(), 11)", "-11"),
        ("en-us", "lambda *_: True", "0"),
    ],
)
def test_a_child_that_dies_is_an_error_that_names_word_and_voice(
    voice: str, synthesise: str, status: str
) -> None:
    code = f"""
import os
from convscope.data.making.espeak import Espeak, Utterance
Espeak._synthesise = {synthesise}
try:
    Espeak().speak(Utterance('house', {voice!r}))
except RuntimeError as error:
    print(error)
"""
    message = f"espeak-ng ended with {status} and 0 bytes speaking 'house' in voice '{voice}'\n"
    assert fresh_python(code) == message
