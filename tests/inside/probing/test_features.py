"""A layer's answers as features for other classifiers."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from convscope.errors import UserError
from convscope.inside.probing.features import chosen_layers, features, pooled, pooling_of
from convscope.inside.probing.part_features import look_features
from convscope.inside.results.labelled_clips import all_clips, at_most
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.subject import Choice, Examples, Subject


class Net(nn.Module):
    """Convolution, average, dense; of 1-D or 2-D input."""

    def __init__(self, n_axes: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        conv = nn.Conv1d if n_axes == 1 else nn.Conv2d
        self.conv = conv(1, 5, 3)
        self.dense = nn.Linear(5, 2)
        self.fails = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fails:
            raise RuntimeError("it fails")
        return self.dense(self.conv(x).relu().flatten(2).mean(2))  # type: ignore[no-any-return]


@pytest.fixture(params=[(400,), (9, 9)], ids=["sound", "image"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """150 clips of noise under two labels."""
    size = request.param
    rng = np.random.default_rng(0)
    clips = rng.normal(size=(150, 1, *size)).astype(np.float32)
    labels = np.arange(150) % 2
    return Subject(
        name="net",
        net=Net(len(size)),
        scale=lambda clips: clips,
        front=nn.Identity(),
        domain="waveform" if len(size) == 1 else "image",
        shape=(1, *size),
        clip_shape=(1, *size),
        classes=("no", "yes"),
        examples=Examples(clips, labels, np.array([f"{i}.wav" for i in range(150)])),
        rate_hz=400 if len(size) == 1 else None,
    )


def test_penultimate_is_what_the_logits_are_made_of(subject: Subject) -> None:
    assert subject.examples is not None
    found = features(subject, subject.examples, {"logits": subject.layers["logits"]})
    dense = subject.net.dense
    assert isinstance(dense, nn.Linear)
    expected = dense(torch.from_numpy(found["penultimate"].values)).detach().numpy()
    np.testing.assert_allclose(found["logits"].values, expected, atol=1e-5)


def test_features_are_those_of_one_clip_after_the_other(subject: Subject) -> None:
    assert subject.examples is not None
    found = features(subject, subject.examples, chosen_layers(subject, Choice()), "average")
    assert list(found) == ["act1", "penultimate", "logits"]
    assert isinstance(subject.net.conv, nn.Module)
    for i in (0, 70, 149):
        clip = torch.from_numpy(subject.examples.clips[i : i + 1])
        answer = subject.net.conv(clip).relu().flatten(2).mean(2)[0]
        np.testing.assert_allclose(found["act1"].values[i], answer.detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(found["penultimate"].values[i], answer.detach(), atol=1e-6)


def test_positions_are_averaged_or_kept() -> None:
    answer = torch.arange(12.0).reshape(1, 2, 2, 3)
    assert pooled(answer, "average").tolist() == [[2.5, 8.5]]
    assert pooled(answer, "flatten").tolist() == [list(range(12))]
    assert (pooling_of((64, 16)), pooling_of((64, 17))) == ("flatten", "average")


def test_the_net_is_left_as_found_also_when_it_fails(subject: Subject) -> None:
    subject.layers  # noqa: B018 (found before the net fails)
    net = subject.net.train()
    assert isinstance(net, Net)
    net.fails = True
    before = torch.get_rng_state()
    assert subject.examples is not None
    with pytest.raises(UserError, match="it fails"):
        features(subject, subject.examples, {})
    assert net.training
    assert all(each.requires_grad for each in net.parameters())
    assert not net._forward_hooks
    assert not net._forward_pre_hooks
    assert torch.equal(before, torch.get_rng_state())


def test_export_has_ids_labels_splits_and_says_how(subject: Subject, tmp_path: Path) -> None:
    look_features(subject, Choice(), ResultWriter(tmp_path))
    with np.load(tmp_path / "features_penultimate.npz") as file:
        assert file["values"].shape == (150, 5)
        assert file["ids"][3] == "3.wav"
        assert file["classes"][file["labels"][3]] == "yes"
        assert set(file["splits"]) == {"train", "test"}
        assert bool(file["splits_drawn"])
        values = file["values"]
    with (tmp_path / "features_penultimate.csv").open() as table:
        head, *rows = csv.reader(table)
    assert head[:4] == ["id", "label", "split", "penultimate flatten 0"]
    assert rows[3][:2] == ["3.wav", "yes"]
    np.testing.assert_allclose([float(each) for each in rows[3][3:]], values[3], rtol=1e-6)


def test_a_chosen_layer_is_exported_and_an_unknown_one_named(
    subject: Subject, tmp_path: Path
) -> None:
    look_features(subject, Choice(layer="act1"), ResultWriter(tmp_path / "a"))
    assert (tmp_path / "a" / "features_act1.npz").is_file()
    with pytest.raises(UserError, match=r"act9 is no layer of this net .*act1"):
        look_features(subject, Choice(layer="act9"), ResultWriter(tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_clips_of_no_known_class_are_not_learned_from(subject: Subject) -> None:
    examples = subject.examples
    assert examples is not None
    unknown = Examples(examples.clips, np.full(150, -1), examples.ids)
    object.__setattr__(subject, "examples", unknown)
    with pytest.raises(NotApplicable, match="no clips whose class is known"):
        all_clips(subject)
    some = Examples(examples.clips, np.where(examples.labels == 0, -1, 1), examples.ids)
    object.__setattr__(subject, "examples", some)
    assert len(all_clips(subject)) == 75


def test_at_most_so_many_clips_are_drawn_and_the_same_for_a_seed(subject: Subject) -> None:
    whole = all_clips(subject)
    some = at_most(whole, 20, 10, seed=1)
    assert (int((~some.is_test).sum()), int(some.is_test.sum())) == (20, 10)
    assert some.examples.ids.tolist() == at_most(whole, 20, 10, seed=1).examples.ids.tolist()
    assert len(at_most(whole, 999, 999, seed=1)) == 150
