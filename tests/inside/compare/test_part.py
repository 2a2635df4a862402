"""How alike two nets are: layers, units, filters and errors."""

from collections.abc import Callable
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.data.dataset import Dataset
from convscope.errors import UserError
from convscope.inside.compare.cka import Alignment, cka, unbiased_hsic
from convscope.inside.compare.disagreement import by_class, differing, joined, mcnemar
from convscope.inside.compare.matching import (
    Correlation,
    filter_likeness,
    matches,
    response_likeness,
)
from convscope.inside.compare.part import Side, likeness, look_compare
from convscope.inside.results.parts import NotApplicable
from convscope.inside.results.writer import ResultWriter
from convscope.inside.subject.run_subject import subject_of_run
from convscope.inside.subject.subject import Choice, Examples, Subject
from convscope.inside.tracing.layers import layers_of
from convscope.run import Run
from convscope.training.cell import make_cell
from convscope.training.fit import fit

Tones = Callable[..., Dataset]
RNG = np.random.default_rng(0)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def slow_hsic(k: NDArray[np.float64], m: NDArray[np.float64]) -> float:
    """The mean over all quadruples of different clips of K_ij (M_ij + M_qr - 2 M_iq)."""
    n, total, count = len(k), 0.0, 0
    for i in range(n):
        for j in set(range(n)) - {i}:
            for q in set(range(n)) - {i, j}:
                for r in set(range(n)) - {i, j, q}:
                    total += k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])
                    count += 1
    return total / count


def test_hsic_is_the_mean_over_quadruples_of_different_clips() -> None:
    x, y = RNG.normal(size=(2, 7, 4))
    k, m = x @ x.T, y @ y.T
    assert unbiased_hsic(k[None], m[None])[0, 0] == pytest.approx(slow_hsic(k, m))


def test_cka_is_one_for_a_rotated_scaled_and_shifted_layer() -> None:
    x = noise(40, 6)
    rotation = torch.linalg.qr(noise(6, 6, seed=1))[0]
    assert cka(x, 3 * x @ rotation + 100) == pytest.approx(1, abs=1e-5)


def test_cka_of_independent_layers_is_zero_in_the_mean_though_they_are_wide() -> None:
    each = [cka(noise(16, 200, seed=s), noise(16, 200, seed=s + 500)) for s in range(60)]
    assert abs(np.mean(each)) < 0.03


def test_batches_give_what_one_batch_gives() -> None:
    x = noise(400, 5)
    y = x @ noise(5, 8, seed=1) + noise(400, 8, seed=2)
    parts = Alignment()
    for start in range(0, 400, 50):
        rows = slice(start, start + 50)
        parts.add({"x": x[rows]}, {"y": y[rows]})
    assert parts.n_clips == 400
    assert parts.cka[0, 0] == pytest.approx(cka(x, y), abs=0.02)


def test_a_layer_that_never_changes_has_no_cka() -> None:
    assert np.isnan(cka(torch.ones(8, 3), noise(8, 3)))


def test_correlation_in_batches_is_that_of_numpy() -> None:
    x, y = noise(60, 3), noise(60, 4, seed=1)
    y[:, 2] = -x[:, 1]
    found = Correlation()
    for rows in (slice(0, 25), slice(25, 60)):
        found.add(x[rows], y[rows])
    np.testing.assert_allclose(found.r, np.corrcoef(x.T, y.T)[:3, 3:], atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 5, 64), (6, 5, 12, 12)])
def test_permuted_units_find_each_other(shape: tuple[int, ...]) -> None:
    x, order = noise(*shape), [3, 0, 4, 1, 2]
    found = Correlation()
    found.add(x, 2 * x[:, order])
    assert matches(found.r).best.tolist() == matches(found.r).partner.tolist() == [1, 3, 4, 0, 2]


def test_a_dead_unit_correlates_with_nothing() -> None:
    x = noise(30, 2)
    x[:, 0] = 0.1
    found = Correlation()
    found.add(x, noise(30, 2, seed=1))
    assert found.r[0].tolist() == [0, 0]


def test_one_to_one_gives_each_partner_once_and_best_may_not() -> None:
    found = matches(np.array([[0.9, 0.8], [0.7, 0.1], [0.2, 0.1]]))
    assert found.best.tolist() == [0, 0, 0]
    assert found.partner.tolist() == [1, 0, -1]


@pytest.mark.parametrize("shape", [(4, 2, 21), (4, 2, 7, 9)])
def test_filters_are_alike_wherever_they_lie_and_whatever_their_sign(
    shape: tuple[int, ...],
) -> None:
    filters = noise(*shape).numpy()
    wider = np.pad(-5 * filters, [(0, 0), (0, 0), *[(2, 4)] * (len(shape) - 2)])
    found = filter_likeness(filters, wider)
    np.testing.assert_allclose(found.diagonal(), 1, atol=1e-5)
    assert found[~np.eye(4, dtype=bool)].max() < 0.9


def test_filter_likeness_is_the_largest_of_all_shifted_products() -> None:
    a, b = noise(3, 1, 9).numpy(), noise(5, 1, 6, seed=1).numpy()
    expected = [
        [np.abs(np.correlate(p[0], q[0], "full")).max() / np.linalg.norm(p) / np.linalg.norm(q)
         for q in b]
        for p in a
    ]  # fmt: skip
    np.testing.assert_allclose(filter_likeness(a, b), expected, rtol=1e-5)


def test_filters_of_the_same_band_in_another_phase_have_the_same_response() -> None:
    times = np.arange(128) / 128
    window = np.hanning(128)
    tone = [window * np.cos(2 * np.pi * f * times + p) for f, p in ((8, 0), (8, 1.5), (40, 0))]
    weight = np.array(tone, np.float32)[:, None]
    found = response_likeness(weight, weight)
    assert found[0, 1] > 0.99
    assert found[0, 2] < 0.01


def test_filters_over_other_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="over the same input"):
        filter_likeness(np.ones((2, 1, 5), np.float32), np.ones((2, 3, 5), np.float32))


def test_mcnemar_counts_throws_of_a_fair_coin() -> None:
    one = np.array([1] * 9 + [0] * 2 + [1] * 20 + [0] * 3, np.bool_)
    two = np.array([0] * 9 + [1] * 2 + [1] * 20 + [0] * 3, np.bool_)
    found = mcnemar(one, two)
    assert (found.both, found.only_one, found.only_two, found.neither) == (20, 9, 2, 3)
    assert found.p == pytest.approx(2 * sum(comb(11, k) for k in range(3)) / 2**11)
    assert mcnemar(one, one).p == 1.0


def predictions(
    ids: list[str], labels: list[int], said: list[int], n: int = 2
) -> dict[str, object]:
    scored = np.ones(len(ids), np.bool_)
    scored[-1] = False
    return {
        "ids": np.array(ids),
        "labels": np.array(labels),
        "logits": np.eye(n, dtype=np.float32)[said],
        "scored": scored,
    }


def test_answers_are_joined_by_id_and_class_name() -> None:
    one = predictions(["a", "b", "c", "x"], [0, 1, 0, 0], [0, 0, 1, 0])
    two = predictions(["c", "b", "d", "a", "x"], [2, 0, 0, 2, 0], [2, 0, 0, 1, 0], n=3)
    answers = joined(one, ("no", "yes"), two, ("yes", "up", "no"))  # type: ignore[arg-type]
    assert answers.ids.tolist() == ["a", "b", "c"]
    assert answers.two.tolist() == [-1, 1, 0]
    assert [(row["id"], row["one"], row["two"]) for row in differing(answers)] == [
        ("a", "no", "another class"),
        ("b", "no", "yes"),
        ("c", "yes", "no"),
    ]
    overall, no, yes = by_class(answers)
    assert (overall["n"], overall["only_one"], overall["only_two"]) == (3, 1, 2)
    assert (no["class"], no["n"], yes["accuracy_two"]) == ("no", 2, 1.0)


def test_runs_without_a_clip_in_common_are_refused() -> None:
    one, two = predictions(["a", "b"], [0, 0], [0, 0]), predictions(["c", "d"], [0, 0], [0, 0])
    with pytest.raises(UserError, match="scored on no clip in common"):
        joined(one, ("no", "yes"), two, ("no", "yes"))  # type: ignore[arg-type]


class Net(nn.Module):
    def __init__(self, order: list[int]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(1, 4, 9)
        self.dense = nn.Linear(4, 2)
        with torch.no_grad():
            self.conv.weight.copy_(self.conv.weight[order])
            self.conv.bias.copy_(self.conv.bias[order])  # type: ignore[index, union-attr]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(self.conv(x).relu().mean(2))  # type: ignore[no-any-return]


def side(net: nn.Module) -> Side:
    layers = {k: v for k, v in layers_of(net, torch.zeros(1, 1, 50)).items() if v.kind == "act"}
    return Side(net, torch.from_numpy, layers)


def test_two_nets_with_their_units_in_another_order_are_alike() -> None:
    found = likeness(side(Net([0, 1, 2, 3])), side(Net([2, 3, 0, 1])), noise(80, 1, 50).numpy())
    assert found.alignment.cka[0, 0] == pytest.approx(1, abs=1e-5)
    assert matches(found.units["act1"].r).best.tolist() == [2, 3, 0, 1]


@pytest.fixture
def runs(tones: Tones, tmp_path: Path) -> tuple[Run, Run, Dataset]:
    """Two small nets on tones, of two seeds."""
    data = tones()

    def trained(seed: int) -> Run:
        cell = make_cell(
            {
                "data": data.config.model_dump(mode="json"),
                "model": {"family": "custom", "conv_layers": 2, "base_channels": 4, "kernel": 9},
                "train": {"epochs": 1, "seed": seed, "learning_rate": 0.01, "threads": 1},
            }
        )
        return fit(cell.model, data, cell.train, tmp_path / "runs")

    return trained(0), trained(1), data


def subject(run: Run, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> Subject:
    monkeypatch.setattr("convscope.inside.subject.run_subject.load_dataset", lambda *_a, **_k: data)
    return subject_of_run(run, None, 64)


def test_comparing_two_runs_leaves_tables_and_pictures(
    runs: tuple[Run, Run, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, data = runs
    writer = ResultWriter(tmp_path / "look")
    own = subject(one, data, monkeypatch)
    before = {name: each.clone() for name, each in own.net.state_dict().items()}
    look_compare(own, Choice(other=two.folder, n=3), writer)
    assert {path.stem for path in writer.made} == {
        "compare_cka", "compare_units", "compare_filters", "compare_confusions", "compare_clips"
    }  # fmt: skip
    assert all(torch.equal(before[name], each) for name, each in own.net.state_dict().items())
    rows = (tmp_path / "look" / "compare_confusions.csv").read_text().splitlines()
    assert rows[1].startswith("all,30,")


def test_a_run_is_like_itself(
    runs: tuple[Run, Run, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _, data = runs
    look_compare(
        subject(one, data, monkeypatch), Choice(other=one.folder), ResultWriter(tmp_path / "look")
    )
    with np.load(tmp_path / "look" / "compare_cka.npz") as file:
        np.testing.assert_allclose(file["values"].diagonal(), 1, atol=1e-5)


def test_comparing_needs_another_run_and_the_same_clips(
    runs: tuple[Run, Run, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, data = runs
    own, writer = subject(one, data, monkeypatch), ResultWriter(tmp_path / "look")
    with pytest.raises(NotApplicable, match="needs another run: give its folder as --with RUN"):
        look_compare(own, Choice(), writer)
    few = Examples(data.clips[:2], data.labels[:2], data.ids[:2])
    with pytest.raises(NotApplicable, match="at least 4 clips are needed"):
        look_compare(replace(own, examples=few), Choice(other=two.folder), writer)
    with pytest.raises(
        UserError, match=r"takes clips of shape \(1, 400\) at 400 Hz, .* at 8000 Hz"
    ):
        look_compare(replace(own, rate_hz=8000), Choice(other=two.folder), writer)
    with pytest.raises(UserError, match="is no run"):
        look_compare(own, Choice(other=tmp_path), writer)
    assert writer.made == []
