"""convscope data check on one folder in which everything is wrong that a lab's disk can hold."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

Convscope = Callable[..., Any]

NAMED_IN_ORDER = (
    "[laughter]",
    "café",
    "cat: its folder gives none",
    "3 .wav in bird (deeper than in the class folder, such as bird/more/0.wav)",
    "3 .m4a in cat (not read",
    "1 .wav in dog (deeper than in the class folder, such as dog/odd[/x].wav)",
    "dog/huge_rate.wav: claims a rate of 2,147,483,647 Hz",
    "dog/one.wav: is too short",
    "dog/cut.wav: ends after",
    "dog/cancels.wav: is silent once it is mono: its channels cancel each other",
    "dog/escape\\x1b[31m.wav: is silent",
    "dog/late.wav: is silent at 16,000 Hz, cut to its length: what it holds lies outside",
    "dog/take #3 caf\\udce9.wav: is silent",
)
"""What can be mended by moving files first, then what cannot be read, then what reads wrong."""


@pytest.fixture
def everything_wrong(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, 16000)
    for name in ("[laughter]", "cafe\u0301", "dog"):  # as a Mac's disk spells café
        for i in range(4):
            write(tmp_path / name / f"{i}.wav", noise)
    for i in range(3):
        write(tmp_path / "bird" / "more" / f"{i}.wav", noise)
        (tmp_path / "cat").mkdir(exist_ok=True)
        (tmp_path / "cat" / f"{i}.m4a").write_bytes(b"unread")
    write(tmp_path / "bird" / "0.wav", noise)
    dog = tmp_path / "dog"
    write(dog / "cancels.wav", np.stack([noise, -noise], axis=1))
    write(dog / "one.wav", noise[:1], 44100)
    write(dog / "odd[" / "x].wav", noise)
    write(dog / "escape\x1b[31m.wav", 0 * noise)
    write(dog / "late.wav", np.concatenate([0 * noise, noise]))
    write(dog / "cut.wav", noise)
    os.truncate(dog / "cut.wav", 16000)
    write(dog / "huge_rate.wav", noise)
    with (dog / "huge_rate.wav").open("r+b") as file:
        file.seek(24)
        file.write(struct.pack("<I", 2**31 - 1))
    write(dog / "latin1.wav", 0 * noise)
    os.rename(os.fsencode(dog / "latin1.wav"), os.fsencode(dog) + b"/take #3 caf\xe9.wav")
    return tmp_path


def write(path: Path, samples: NDArray[np.float64], rate_hz: int = 16000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz)


def test_one_folder_with_every_fault_has_each_named_in_the_order_in_which_to_mend_them(
    convscope: Convscope, everything_wrong: Path
) -> None:
    answer = convscope("data", "check", everything_wrong, "data.seconds=1")
    assert answer.code == 0, answer.err
    places = [answer.out.find(words) for words in NAMED_IN_ORDER]
    missed = [words for words, place in zip(NAMED_IN_ORDER, places, strict=True) if place < 0]
    assert not missed, answer.out
    assert places == sorted(places), answer.out
