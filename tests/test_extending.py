"""What CONTRIBUTING says is all there is to do to add something: each is done here at run time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.data.config import DATA_KINDS, Names, SoundsConfig
from convscope.data.dataset import Dataset
from convscope.data.load import load_dataset
from convscope.inside.attribution.attributions import ATTRIBUTIONS, SIGNED
from convscope.inside.looks import PARTS
from convscope.inside.results.parts import Part
from convscope.inside.results.writer import Result, ResultWriter, axis
from convscope.inside.subject.subject import Choice, Examples, Subject
from convscope.inside.tracing.target import Attribution, Target
from convscope.looking import look
from convscope.models.cnn import build
from convscope.models.families import FAMILIES
from convscope.models.spec import make_spec
from convscope.scores.board_text import TEXTS
from convscope.scores.plain_table import Column, PlainTable, View
from convscope.scores.rows import BoardRow, read_row
from convscope.training.config import TrainConfig
from convscope.training.fit import fit

Tones = Callable[..., Dataset]


@pytest.fixture
def subject(tones: Tones) -> Subject:
    data = tones()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 3, 9), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 392, 3)).eval()
    return Subject(
        name="tiny",
        net=net,
        scale=lambda clips: clips.float() / 2**15,
        front=nn.Identity(),
        domain="waveform",
        shape=(1, 400),
        clip_shape=(1, 400),
        classes=data.classes,
        examples=Examples(np.asarray(data.clips[:9], np.int16), data.labels[:9], data.ids[:9]),
        rate_hz=400,
    )


def test_an_attribution_method_is_a_function_and_an_entry(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loudness(model: nn.Module, clips: Any, target: Target) -> Attribution:
        values = np.abs(np.asarray(clips, np.float32))
        return Attribution(values, values.sum(axis=(1, 2)))

    monkeypatch.setitem(ATTRIBUTIONS, "loudness", loudness)
    assert "loudness" not in SIGNED
    [made] = look(subject, ["attributions"], Choice(n=3), tmp_path, lambda *_: None)
    assert "attributions_loudness.npz" in made.files
    assert "attributions_saliency.npz" in made.files
    with np.load(tmp_path / "attributions_loudness.npz") as file:
        assert (file["values"] >= 0).all()


def test_a_part_of_look_is_a_function_and_an_entry(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_norms(subject: Subject, choice: Choice, writer: ResultWriter) -> None:
        norms = [float(each.detach().norm()) for each in subject.net.parameters()]
        axes = (axis("parameter", [name for name, _ in subject.net.named_parameters()]),)
        writer.array("norms", Result(np.array(norms), axes, "norm"))

    monkeypatch.setitem(PARTS, "norms", Part("the size of the weights", look_norms, False))
    [made] = look(subject, ["norms"], Choice(), tmp_path, lambda *_: None)
    assert set(made.files) == {"norms.npz", "norms.csv"}
    with pytest.raises(cs.UserError, match=r"--what norm is no part \(did you mean 'norms'"):
        look(subject, ["norm"], Choice(), tmp_path, lambda *_: None)


def test_a_family_is_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = replace(
        FAMILIES["custom"], blocks_per_doubling=0, defaults={"conv_layers": 2, "kernel": 3}
    )
    defaults = {**FAMILIES["custom"].defaults, "conv_layers": 2, "kernel": 3, "base_channels": 4}
    flat = replace(FAMILIES["custom"], blocks_per_doubling=0, defaults=defaults)
    monkeypatch.setitem(FAMILIES, "flat", flat)
    spec = make_spec({"family": "flat"})
    net = build(spec, (1, 100), 3)
    n_params = (3 * 4 + 4) + (3 * 4 * 4 + 4) + (4 * 33 * 3 + 3)  # one pool of 3: 33 of 100
    assert sum(p.numel() for p in net.parameters()) == n_params
    assert cs.describe(spec, input_shape=(1, 100), n_classes=3).params == n_params
    logits: Tensor = net(torch.zeros(2, 1, 100))
    assert logits.shape == (2, 3)


def test_a_kind_of_data_is_its_settings_and_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lists its files as another kind does needs no branch in `load_dataset`."""

    class BirdsConfig(SoundsConfig):
        kind: Literal["birds"] = "birds"  # type: ignore[assignment]
        classes: Names = ("owl", "wren")

    rng = np.random.default_rng(0)
    for name in ("owl", "wren"):
        (tmp_path / name).mkdir()
        for i in range(20):
            soundfile.write(tmp_path / name / f"{i}.wav", rng.normal(0, 0.1, 800), 8000)
    monkeypatch.setitem(DATA_KINDS, "birds", BirdsConfig)
    sections: dict[str, Any] = {
        "data": {"kind": "birds", "folder": str(tmp_path), "rate_hz": 8000, "seconds": 0.1},
        "model": {"family": "custom", "conv_layers": 2},
    }
    cell = cs.recipe(**sections)
    assert cell.data.names == ("owl", "wren")  # type: ignore[union-attr]
    assert len(load_dataset(cell.data).ids) == 40  # type: ignore[union-attr]


def test_a_view_of_the_board_is_a_function_that_every_format_prints(
    tones: Tones, tmp_path: Path
) -> None:
    def epochs_view(rows: list[BoardRow]) -> View:
        records = tuple({"run": row.run, "epochs": row.epochs} for row in rows)
        cells = tuple((row.run, str(row.epochs)) for row in rows)
        table = PlainTable((Column("run"), Column("epochs", right=True)), cells, "how long")
        return View((table,), records, ("run", "epochs"))

    spec = make_spec({"family": "custom", "conv_layers": 2, "base_channels": 2})
    run = fit(spec, tones(), TrainConfig(epochs=2, threads=1, device="cpu"), tmp_path)
    view = epochs_view([read_row(run)])
    for form, text_of in TEXTS.items():
        text = text_of(view).replace("\\_", "_")
        assert run.name in text, form
        assert "2" in text, form
