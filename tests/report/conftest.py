"""Finished runs without a training: folders with made-up answers and real files."""

import re
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import soundfile
from PIL import Image

from convscope.run import ENVIRONMENT, MODEL, PREDICTIONS, SCORES, Run
from convscope.scores.metrics import at_chance, confusion_matrix, scores
from convscope.training.cell import Cell, make_cell

RATE_HZ = 4_000

MakeRun: TypeAlias = Callable[..., Run]


def write_tone(path: Path, frequency_hz: float) -> None:
    """A second of a tone that dies away, as a 16-bit WAV file."""
    times = np.arange(RATE_HZ) / RATE_HZ
    tone = 0.5 * np.sin(2 * np.pi * frequency_hz * times) * np.exp(-3 * times)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone, RATE_HZ, "PCM_16", format="WAV")


def write_image(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 32), (grey, 0, 255 - grey)).save(path)


def finish_run(folder: Path, cell: Cell, classes: Sequence[str], ids: Sequence[str]) -> Run:
    """A done run whose answers are right but for every third clip; the later, the less sure."""
    run = Run(folder / cell.name)
    labels = np.array([classes.index(id.split("/")[0]) for id in ids])
    answers = np.where(np.arange(len(ids)) % 3 == 0, (labels + 1) % len(classes), labels)
    logits = np.eye(len(classes), dtype=np.float32)[answers]
    logits *= np.linspace(6, 2, len(ids), dtype=np.float32)[:, None]
    matrix = confusion_matrix(labels, answers, len(classes))
    run.write_config(cell.config)
    run.write_json(ENVIRONMENT, {"python": "3.11", "device": "cpu", "classes": list(classes)})
    run.write_epochs([_epoch(number) for number in (1, 2, 3)])
    run.write(MODEL, b"weights")
    run.write_with(
        PREDICTIONS,
        lambda file: np.savez(
            file, logits=logits, labels=labels, ids=np.array(ids), scored=np.ones(len(ids), bool)
        ),
    )
    run.write_json(
        SCORES,
        {
            **scores(matrix, classes).to_dict(),
            "params": 100 * int(cell.config["model"]["base_channels"]),
            "best_epoch": 2,
            "epochs": 3,
            "chance": at_chance(matrix),
        },
    )
    run.write_status(state="done", chance=at_chance(matrix))
    run.finish()
    return run


def _epoch(number: int) -> dict[str, float]:
    losses = {"train_loss": 1 / number, "validation_loss": 1 + (number - 2) ** 2}
    return {"epoch": number, **losses, "validation_accuracy": 0.3 * number, "seconds": 1.5}


@pytest.fixture
def sound_run(tmp_path: Path) -> MakeRun:
    """`sound_run(classes=…, **model)`: a run on tones, four clips a class."""

    def make(classes: Sequence[str] = ("bed", "bird", "cat"), **model: Any) -> Run:
        ids = [f"{name}/{i}0_nohash_0.wav" for name in classes for i in range(4)]
        for i, id in enumerate(ids):
            write_tone(tmp_path / "sounds" / id, 200 + 100 * i)
        cell = make_cell(_sound_recipe(tmp_path / "sounds", classes, model))
        return finish_run(tmp_path / "runs", cell, list(classes), ids)

    return make


def _sound_recipe(
    folder: Path, classes: Sequence[str], model: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    data = {"kind": "words", "folder": str(folder), "words": list(classes), "rate_hz": RATE_HZ}
    return {"data": data, "model": {"family": "custom", "conv_layers": 3, **model}, "train": {}}


@pytest.fixture
def image_run(tmp_path: Path) -> Run:
    """A run on images of 32×32 pixels, three a class."""
    classes = ["day", "night"]
    ids = [f"{name}/{i}.png" for name in classes for i in range(3)]
    for i, id in enumerate(ids):
        write_image(tmp_path / "images" / id, 40 * i)
    data = {"kind": "images", "folder": str(tmp_path / "images"), "image_size": 32}
    cell = make_cell({"data": data, "model": {"family": "image2d", "conv_layers": 2}})
    return finish_run(tmp_path / "runs", cell, classes, ids)


VOID = {"img", "meta", "link", "br", "hr", "input", "source", "col", "wbr"}

Tag: TypeAlias = tuple[str, dict[str, str]]


class Outline(HTMLParser):
    """The start tags and the text of a page; a tag that is not closed in order is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> does not close the innermost tag"
        if tag in ("td", "th"):
            self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each `tag` of the page."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def outline() -> Callable[[Path], Outline]:
    """`outline(path)`: a page's tags and text, after the checks that every page must pass."""

    def read(path: Path) -> Outline:
        text = path.read_text()
        found = Outline(text)
        assert not re.findall(r"https?:|//[a-z]+\.", text), "refers to another place"
        assert all(image["alt"] for image in found.all("img")), "a picture without words"
        assert all("scope" in cell for cell in found.all("th")), "a heading of nothing"
        addresses = [a["src"] for tag in ("img", "audio") for a in found.all(tag)]
        assert all(address.startswith("data:") for address in addresses)
        assert found.all("html") == [{"lang": "en"}]
        assert not found.all("script")
        return found

    return read


ReportRun: TypeAlias = Callable[..., Run]


@pytest.fixture
def report_run(tmp_path: Path) -> ReportRun:
    """`report_run(n_wrong=…, seed=…, classes=…, **model)`: a run on 60 clips a class, no files."""

    def make(
        n_wrong: int = 20,
        seed: int = 0,
        classes: Sequence[str] = ("bed", "bird", "cat"),
        first_wrong: int = 0,
        **model: Any,
    ) -> Run:
        data = {"kind": "words", "folder": str(tmp_path / "no_sounds"), "words": list(classes)}
        small = {"family": "custom", "conv_layers": 3, "base_channels": 8, "dropout": 0.0}
        cell = make_cell(
            {"data": data | {"rate_hz": RATE_HZ}, "model": small | model, "train": {"seed": seed}}
        )
        labels = np.arange(60 * len(classes)) % len(classes)
        wrong = np.isin(np.arange(len(labels)), np.arange(first_wrong, first_wrong + n_wrong))
        answers = np.where(wrong, (labels + 1) % len(classes), labels)
        return _write_answers(Run(tmp_path / "runs" / cell.name), cell, classes, labels, answers)

    return make


def _write_answers(run: Run, cell: Cell, classes: Sequence[str], labels: Any, answers: Any) -> Run:
    matrix = confusion_matrix(labels, answers, len(classes))
    counts = {"train": 100, "validation": 20, "test": 60}
    about = {
        "fingerprint": f"made up of {len(classes)}",
        "clips": {split: n * len(classes) for split, n in counts.items()},
        "by_class": dict.fromkeys(classes, counts),
    }
    run.write_config(cell.config)
    run.write_json(ENVIRONMENT, {"device": "cpu", "classes": list(classes), "data": about})
    run.write_epochs([_epoch(number) for number in (1, 2, 3)])
    run.write(MODEL, b"weights")
    logits = np.eye(len(classes), dtype=np.float32)[answers]
    ids = np.array([f"{classes[label]}/{i}.wav" for i, label in enumerate(labels)])
    run.write_with(
        PREDICTIONS,
        lambda file: np.savez(
            file, logits=logits, labels=labels, ids=ids, scored=np.ones(len(ids), bool)
        ),
    )
    params = 100 * int(cell.config["model"]["base_channels"])
    run.write_json(SCORES, {**scores(matrix, classes).to_dict(), "params": params, "epochs": 3})
    run.write_status(state="done", chance=False)
    run.finish()
    return run
