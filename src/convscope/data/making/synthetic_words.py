"""Spoken words without a data set: espeak-ng as a stand-in for Speech Commands.

A speaker is a voice at a microphone in a room and says every word once. The files lie as the real
ones do, `word/<speaker>_nohash_0.wav`, each 1 s of 16 kHz mono PCM, so that whatever reads the one
set reads the other, split rule included.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import wave
import zlib
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.data.disk import writing_to
from convscope.data.listing.files import Progress
from convscope.data.listing.splits import official_split
from convscope.data.making.espeak import Espeak
from convscope.data.making.speakers import SAMPLE_RATE, draw_speaker, speak_word
from convscope.errors import UserError
from convscope.types import Split

REPORT_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "bed", "bird", "cat", "dog", "house", "tree",
)  # fmt: skip
"""The sixteen words of the lab reports."""

_VERSION = 1  # raise it with any change to the sound: no folder is to hold a mixture
_MARKER = ".convscope-words.json"
_PART = ".convscope-words-{}.part"  # hidden, as the marker is: no reader takes them for clips
_SPLIT_CYCLE: tuple[Split, ...] = ("train", "validation", "test") + ("train",) * 7
_NAMES, _SPEAKER, _CLIP = range(3)  # what a seed's random numbers are for
_MOST_WORKERS = 8
_CLIPS_WORTH_A_WORKER = 50
_OTHERWISE = "name another folder"


def make_words(
    folder: Path,
    n_clips: int,
    seed: int,
    words: Sequence[str] = REPORT_WORDS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Speak words into a folder: `n_clips` in all, evenly over the words, about 80/10/10 by split.

    From ten clips a word on, every word is in every split. The same seed gives the same bytes, and
    a smaller set is the beginning of a larger one. What is there already is not made again, so
    that a call goes on where another stopped; of two calls at once, one waits for the other.

    Args:
        folder: new, empty, or of an earlier call with the same seed and words.
        n_clips: at least one a word.
        seed: 0 or more.
        words: in small letters; each becomes a folder.
        workers: processes; if not given, one for each CPU core, 8 at most.
        progress: called with how many clips are done, and with `n_clips`.

    Returns:
        The folder.

    Raises:
        UserError: the arguments make no sense, the folder holds something else or cannot be
            written, its disk is full, or espeak-ng is not there. Clips that are whole stay.
        RuntimeError: espeak-ng or a worker died.
    """
    _check_arguments(n_clips, seed, words, workers)
    _check_machine()
    clips = _plan(n_clips, seed, words)
    with _claimed(folder, seed, words, clips):
        missing = [clip for clip in clips if not (folder / clip.path).exists()]
        with writing_to(folder, _OTHERWISE):
            for word in words:
                (folder / word).mkdir(exist_ok=True)
        spoken = _speak_in_workers(folder, seed, missing, workers or _worthwhile(len(missing)))
        with closing(spoken):  # an interrupt, too, is to end the workers first
            for n_done, _ in enumerate(spoken, n_clips - len(missing) + 1):
                if progress:
                    progress(n_done, n_clips)
    return folder


class _Clip(NamedTuple):
    path: str  # below the folder
    speaker: int
    word: str


def _plan(n_clips: int, seed: int, words: Sequence[str]) -> list[_Clip]:
    """Speaker by speaker, each in the order of the words."""
    names = _speaker_names(-(-n_clips // len(words)), seed)
    turns = [(speaker, word) for speaker in range(len(names)) for word in words][:n_clips]
    return [_Clip(f"{word}/{names[s]}_nohash_0.wav", s, word) for s, word in turns]


def _speaker_names(n_speakers: int, seed: int) -> list[str]:
    """Eight hex digits each, drawn until their hash puts the speaker into the split due."""
    rng = np.random.default_rng([seed, _NAMES])
    names: dict[str, None] = {}
    while len(names) < n_speakers:
        name = f"{rng.integers(2**32):08x}"
        if official_split(name) == _SPLIT_CYCLE[len(names) % len(_SPLIT_CYCLE)]:
            names[name] = None
    return list(names)


# Workers: fresh processes, for the caller may have threads, and a process with threads must not
# fork. One whose caller is gone fails to report its next clip, and ends.

_WORKER = (
    "import json, sys; job = json.load(sys.stdin); sys.path[:] = job.pop('path'); "
    "from convscope.data.making.synthetic_words import work; work(**job)"
)


def _worthwhile(n_clips: int) -> int:
    """How many workers so many clips are worth here."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(cores, _MOST_WORKERS, n_clips // _CLIPS_WORTH_A_WORKER))


def _speak_in_workers(
    folder: Path, seed: int, clips: Sequence[_Clip], n_workers: int
) -> Generator[None]:
    """Yields once a clip, as soon as it is whole on the disk."""
    reader, writer = os.pipe()
    workers: list[subprocess.Popen[str]] = []
    try:
        with os.fdopen(reader) as reports:
            try:
                for k in range(min(n_workers, len(clips))):
                    workers.append(_start_worker(folder, seed, clips[k::n_workers], writer))
            finally:
                os.close(writer)
            for report in reports:
                if report != "\n":
                    raise _error(**json.loads(report))
                yield
    finally:
        codes = [worker.wait() for worker in workers]
        _remove_parts(folder)
    if any(codes):
        raise RuntimeError(f"a worker ended with {codes}; what is spoken stays: call again")


def _error(is_users: bool, message: str) -> Exception:
    return UserError(message) if is_users else RuntimeError(message)


def _start_worker(
    folder: Path, seed: int, clips: Sequence[_Clip], report: int
) -> subprocess.Popen[str]:
    job = {
        "path": sys.path,
        "folder": str(folder),
        "seed": seed,
        "clips": clips,
        "report": report,
    }
    worker = subprocess.Popen(
        [sys.executable, "-P", "-c", _WORKER],
        stdin=subprocess.PIPE,
        pass_fds=[report],
        process_group=0,  # Ctrl-C is the caller's; a worker then ends between two clips
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        text=True,
    )
    assert worker.stdin is not None
    with suppress(BrokenPipeError), worker.stdin:  # one that died at once is told by its code
        json.dump(job, worker.stdin)
    return worker


def work(folder: str, seed: int, clips: Sequence[Sequence[Any]], report: int) -> None:
    """A worker's life: speak clips, report each by an empty line, an error by what it is."""
    try:
        espeak = Espeak()
        for clip in clips:
            _write_clip(espeak, Path(folder), seed, _Clip(*clip))
            os.write(report, b"\n")
    except BrokenPipeError:
        return
    except Exception as error:
        told = {"is_users": isinstance(error, UserError), "message": str(error)[:400]}
        with suppress(BrokenPipeError):
            os.write(report, json.dumps(told).encode() + b"\n")  # whole, being short


def _write_clip(espeak: Espeak, folder: Path, seed: int, clip: _Clip) -> None:
    speaker = draw_speaker(np.random.default_rng([seed, _SPEAKER, clip.speaker]))
    rng = np.random.default_rng([seed, _CLIP, clip.speaker, zlib.crc32(clip.word.encode())])
    samples = speak_word(espeak, speaker, clip.word, rng)
    with writing_to(folder, _OTHERWISE):
        _write_whole(folder / clip.path, folder / _PART.format(os.getpid()), samples)


def _write_whole(path: Path, part: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    os.replace(part, path)


# What may be asked, and where it may lie


def _check_arguments(n_clips: int, seed: int, words: Sequence[str], workers: int | None) -> None:
    odd = [word for word in words if not re.fullmatch("[a-z]+", word)]
    if odd:
        raise UserError(f"expected words of the letters a to z, got {odd[0]!r}: spell it so")
    if not words or len(set(words)) < len(words):
        raise UserError(f"expected words, each once, got {', '.join(words) or 'none'}: mend that")
    if n_clips < len(words):
        raise UserError(
            f"expected at least one clip for each of the {len(words)} words, got {n_clips}: "
            "ask for more clips or fewer words"
        )
    if seed < 0:
        raise UserError(f"expected a seed of 0 or more, got {seed}: choose another")
    if workers is not None and workers < 1:
        raise UserError(f"expected 1 worker or more, got {workers}: choose another number")


def _check_machine() -> None:
    if not hasattr(os, "fork"):
        raise UserError(
            f"expected Linux or macOS, got {sys.platform}: espeak-ng repeats itself only in forked "
            "processes; make the words on another machine and copy the folder"
        )
    if importlib.util.find_spec("espeakng_loader") is None:
        raise UserError(
            "expected espeak-ng to speak the words, it is not installed: "
            "pip install 'convscope[words]'"
        )


@contextmanager
def _claimed(
    folder: Path, seed: int, words: Sequence[str], clips: Sequence[_Clip]
) -> Generator[None]:
    """The folder is this set's and, meanwhile, this call's.

    A hidden file says what the folder is for, and is locked: the lock goes with its process.
    """
    with _open_marker(folder, clips) as marker:
        with writing_to(folder, _OTHERWISE):
            _claim(folder, marker, json.dumps(_purpose(seed, words)))
            _refuse_strangers(folder, clips)
            _remove_parts(folder)
        yield


def _open_marker(folder: Path, clips: Sequence[_Clip]) -> FileIO:
    """Unbuffered: on a full disk writing fails, and closing does not fail once more."""
    if folder.is_file():
        raise UserError(f"expected a folder, {folder} is a file: choose another")
    with writing_to(folder, _OTHERWISE):
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _MARKER).exists():
            _refuse_strangers(folder, clips)
        return (folder / _MARKER).open("ab+", buffering=0)


def _claim(folder: Path, marker: FileIO, purpose: str) -> None:
    import fcntl  # Windows has none, and may yet import this module

    fcntl.flock(marker, fcntl.LOCK_EX)
    marker.seek(0)
    found = marker.read().decode()
    if not found:
        marker.write(purpose.encode())
    elif found != purpose:
        raise UserError(f"expected a folder for {purpose}, {folder} is for {found}: choose one")


def _purpose(seed: int, words: Sequence[str]) -> dict[str, Any]:
    """All that decides a clip's samples, but for its place in the set."""
    return {
        "seed": seed,
        "words": list(words),
        "version": _VERSION,
        "espeakng_loader": importlib.metadata.version("espeakng_loader"),
    }


def _refuse_strangers(folder: Path, clips: Sequence[_Clip]) -> None:
    known = {clip.path for clip in clips} | {clip.word for clip in clips}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*")}
    if strangers := sorted(found - known):
        raise UserError(
            f"expected in {folder} nothing but these {len(clips)} clips, found {len(strangers)} "
            f"other, first {strangers[0]}: choose a new folder, or ask for no fewer clips than "
            "it holds"
        )


def _remove_parts(folder: Path) -> None:
    for part in folder.glob(_PART.format("*")):
        part.unlink(missing_ok=True)
