"""Cells trained together are each the training that they are alone."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from convscope.data.config import ImagesConfig, MnistConfig, SoundConfig, WordsConfig
from convscope.data.dataset import Dataset
from convscope.errors import RunFailed
from convscope.models.families import FAMILIES
from convscope.models.spec import make_spec
from convscope.run import MODEL, Run
from convscope.training.augment import AugmentConfig
from convscope.training.cell import Cell
from convscope.training.config import TrainConfig
from convscope.training.engine import Engine
from convscope.training.fit import SILENT, Watcher, fit
from convscope.training.together.epoch import JointEpoch
from convscope.training.together.fit_together import Outcome, fit_together, likeness
from tests.training.random_clips import Doubled, dataset_of

Tones = Callable[..., Dataset]
Settings = dict[str, Any]

N_CLIPS = 11
"""In batches of 4: the last of them is smaller."""

FAMILY: dict[str, Settings] = {
    "mnist": {},
    "baseline2d": {"conv_layers": 2, "fc_hidden": 0},
    "baseline1d": {"conv_layers": 2, "fc_hidden": 0},
    "custom": {"conv_layers": 3},
    "image2d": {"conv_layers": 2},
    "residual": {"conv_layers": 6},
}

ITS_OWN: tuple[tuple[Settings, Settings], ...] = (
    (
        {"dropout": 0.2, "initializer": "glorot_uniform"},
        {"learning_rate": 0.01, "weight_decay": 0.1},
    ),
    (
        {"dropout": 0.5, "initializer": "he_normal"},
        {"seed": 1, "learning_rate": 0.003, "label_smoothing": 0.1, "warmup_epochs": 1},
    ),
    (
        {"dropout": 0.7, "initializer": "he_uniform"},
        {"seed": 2, "learning_rate": 0.002, "schedule": "cosine", "epochs": 3},
    ),
)
"""The net's and the training's settings of three cells that are trained together."""


def random_data(family: str, balance: Any = "none") -> Dataset:
    """Random clips of what a family takes, in lengths that no pool divides."""
    rng = np.random.default_rng(0)
    config: SoundConfig | ImagesConfig | MnistConfig
    if family == "mnist":
        config = MnistConfig(folder="none", balance=balance)
    elif FAMILIES[family].n_dims == 2:
        config = ImagesConfig(folder="none", image_size=19, balance=balance)
    else:
        config = WordsConfig(folder="none", rate_hz=1531, balance=balance)
    most = 255 if FAMILIES[family].n_dims == 2 else 9999
    kind: Any = np.uint8 if most == 255 else np.int16
    return dataset_of(config, rng.integers(0, most, (3 * N_CLIPS, *config.shape)).astype(kind))


def engines(
    data: Dataset, model: Settings, train: Settings | None = None, double: bool = True
) -> list[Engine]:
    made = []
    for own_model, own_train in ITS_OWN:
        common = {"batch_size": 4, "optimizer": "sgd", "threads": 1, "device": "cpu"}
        config = TrainConfig(**{**common, **own_train, **(train or {})})
        engine = Engine(make_spec({"base_channels": 3, **own_model, **model}), data, config)
        if double:
            engine.net.double()
            engine.front = Doubled(engine.front)  # type: ignore[assignment]
            if engine.class_weights is not None:
                engine.class_weights = engine.class_weights.double()
        made.append(engine)
    return made


def silent(*_: int) -> None:
    pass


def flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([each.detach().double().flatten() for each in tensors])


def loss_of(row: dict[str, float] | RunFailed) -> float:
    assert not isinstance(row, RunFailed)
    return row["train_loss"]


def assert_as_alone(
    data: Dataset, model: Settings, train: Settings | None = None, n_epochs: int = 2
) -> None:
    """Weights, batch statistics and rows after some epochs, relative to how far they moved."""
    alone, together = engines(data, model, train), engines(data, model, train)
    start = [flat(list(each.net.parameters())) for each in alone]
    for epoch in range(1, n_epochs + 1):
        rows = [each.train_epoch(epoch, silent) for each in alone]
        others = JointEpoch(together, [epoch] * len(together)).train(silent)
    for one, other, before in zip(alone, together, start, strict=True):
        weights, theirs = (flat(list(each.net.parameters())) for each in (one, other))
        assert (weights - theirs).norm() < 1e-9 * (weights - before).norm()
        if buffers := list(one.net.buffers()):
            torch.testing.assert_close(
                flat(list(other.net.buffers())), flat(buffers), rtol=1e-9, atol=1e-12
            )
    for row, theirs_row in zip(rows, others, strict=True):
        assert theirs_row == pytest.approx(row, rel=1e-6)  # losses are told in float32


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("family", FAMILY)
def test_every_family(family: str, batch_norm: bool) -> None:
    model = {"family": family, "batch_norm": batch_norm, **FAMILY[family]}
    assert_as_alone(random_data(family), model)


@pytest.mark.parametrize(
    "activation", ["relu", "tanh", "rrelu", "leaky_relu", "elu", "gelu", "silu"]
)
@pytest.mark.parametrize("family", ["image2d", "custom"])
def test_every_activation(family: str, activation: str) -> None:
    model = {"family": family, "activation": activation, "batch_norm": True, **FAMILY[family]}
    assert_as_alone(random_data(family), {**model, "pool": "before"})


def test_slopes_and_masks_of_a_hidden_layer_are_drawn_in_the_order_of_the_net() -> None:
    model = {"family": "image2d", "conv_layers": 2, "activation": "rrelu", "fc_hidden": 1}
    assert_as_alone(random_data("image2d"), model, n_epochs=1)


def test_classes_that_weigh_unequally() -> None:
    model = {"family": "custom", **FAMILY["custom"]}
    assert_as_alone(random_data("custom", "weights"), model)


def test_clips_that_are_augmented_and_mixed_each_cell_in_its_own_way() -> None:
    model = {"family": "custom", **FAMILY["custom"]}
    augment = {"augment": AugmentConfig(shift_seconds=0.05, gain_db=6, noise=0.05, mixup=0.5)}
    assert_as_alone(random_data("custom"), model, augment)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adam(optimizer: str) -> None:
    """Without batch norm, before which a bias has a gradient of rounding errors alone."""
    model = {"family": "custom", **FAMILY["custom"]}
    assert_as_alone(random_data("custom"), model, {"optimizer": optimizer})


def test_batch_norm_and_adam_with_other_constants() -> None:
    constants = {"batch_norm_momentum": 0.01, "batch_norm_epsilon": 0.05}
    model = {"family": "custom", "batch_norm": True, **constants, **FAMILY["custom"]}
    assert_as_alone(random_data("custom"), model, {"optimizer": "adam", "adam_epsilon": 1e-3})


@pytest.mark.parametrize("family", FAMILY)
def test_loss_curves_in_float32_with_adam(family: str) -> None:
    data, model = random_data(family), {"family": family, **FAMILY[family]}
    curves = []
    for together in (False, True):
        made = engines(data, model, {"optimizer": "adam"}, double=False)
        rows = [
            JointEpoch(made, [epoch] * 3).train(silent)
            if together
            else [each.train_epoch(epoch, silent) for each in made]
            for epoch in (1, 2, 3)
        ]
        curves.append([[loss_of(row) for row in of_epoch] for of_epoch in rows])
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4)


@pytest.mark.parametrize("family", ["residual", "custom", "image2d"])
def test_bfloat16(family: str) -> None:
    """One step from the same weights: the products are in bfloat16, as alone."""
    data = random_data(family)
    model = {"family": family, "batch_norm": True, **FAMILY[family]}
    train = {"precision": "bf16", "batch_size": N_CLIPS, "momentum": 0.0}
    alone, together = (engines(data, model, train, double=False) for _ in range(2))
    start = [flat(list(each.net.parameters())) for each in alone]
    for each in alone:
        each.train_epoch(2, silent)
    JointEpoch(together, [2, 2, 2]).train(silent)
    for one, other, before in zip(alone, together, start, strict=True):
        step = flat(list(one.net.parameters())) - before
        other_step = flat(list(other.net.parameters())) - before
        assert (other_step - step).norm() < 5e-2 * step.norm()


def test_a_loss_that_explodes_is_told_of_its_own_cell_alone() -> None:
    data, model = random_data("custom"), {"family": "custom", **FAMILY["custom"]}
    alone, together = engines(data, model), engines(data, model)
    for made in (alone, together):
        next(made[1].net.parameters()).data[0] = torch.inf
    with pytest.raises(RunFailed) as error:
        alone[1].train_epoch(1, silent)
    first, exploded, last = JointEpoch(together, [1, 1, 1]).train(silent)
    assert str(exploded) == str(error.value)
    assert first == pytest.approx(alone[0].train_epoch(1, silent), rel=1e-6)
    assert last == pytest.approx(alone[2].train_epoch(1, silent), rel=1e-6)


# Whole trainings ---------------------------------------------------------------------------


def three_cells(data: Dataset, **train: Any) -> list[Cell]:
    model = {"family": "custom", "conv_layers": 2, "base_channels": 4, "activation": "rrelu"}
    common = {"epochs": 4, "patience": 0, "batch_size": 32, "threads": 1, "device": "cpu", **train}
    return [
        Cell(data.config, make_spec({**model, "dropout": rate}), TrainConfig(**common, seed=seed))
        for seed, rate in enumerate((0.1, 0.5, 0.8))
    ]


def outcomes(
    cells: Sequence[Cell], data: Dataset, out: Path, watchers: Sequence[Watcher] | None = None
) -> list[Outcome]:
    ended = dict(fit_together(cells, data, out, watchers))
    return [ended[i] for i in range(len(cells))]


def assert_same_curves(run: Run, other: Run, rtol: float = 1e-4) -> None:
    rows, others = run.epochs, other.epochs
    assert len(rows) == len(others)
    for row, other_row in zip(rows, others, strict=True):
        for key in ("train_loss", "validation_loss", "learning_rate"):
            assert other_row[key] == pytest.approx(row[key], rel=rtol), key


def test_run_folders_are_those_of_fit(tones: Tones, tmp_path: Path) -> None:
    data = tones()
    cells = three_cells(data)
    together = outcomes(cells, data, tmp_path / "together")
    for cell, run in zip(cells, together, strict=True):
        alone = fit(cell.model, data, cell.train, tmp_path / "alone")
        assert isinstance(run, Run)
        run.verify()
        assert_same_curves(alone, run)
        assert {path.name for path in run.folder.iterdir()} == {
            path.name for path in alone.folder.iterdir()
        }
        assert run.config == alone.config
        assert run.environment == alone.environment
        assert run.scores.keys() == alone.scores.keys()
        assert run.status["state"] == "done"


class Until(Watcher):
    """Raises after an epoch."""

    def __init__(self, last: int, error: BaseException) -> None:
        self.last, self.error = last, error

    def epoch(self, row: dict[str, float]) -> None:
        if row["epoch"] == self.last:
            raise self.error


def test_what_was_stopped_goes_on_as_if_it_had_not_been(tones: Tones, tmp_path: Path) -> None:
    data = tones()
    cells = three_cells(data)
    for run in outcomes(cells, data, tmp_path / "whole"):
        assert isinstance(run, Run)
    watchers = [SILENT, Until(2, KeyboardInterrupt()), SILENT]
    with pytest.raises(KeyboardInterrupt):
        outcomes(cells, data, tmp_path / "stopped", watchers)
    half = [Run(tmp_path / "stopped" / cell.name) for cell in cells]
    assert [run.status["state"] for run in half] == ["interrupted"] * 3
    assert [len(run.epochs) for run in half] == [2, 2, 1]
    for cell, run in zip(cells, outcomes(cells, data, tmp_path / "stopped"), strict=True):
        assert isinstance(run, Run)
        whole = Run(tmp_path / "whole" / cell.name)
        assert [row["epoch"] for row in run.epochs] == [1, 2, 3, 4]
        assert_same_curves(whole, run, 1e-5)


def test_what_was_begun_together_goes_on_alone_and_the_other_way_round(
    tones: Tones, tmp_path: Path
) -> None:
    data = tones()
    cells = three_cells(data)
    alone = [fit(cell.model, data, cell.train, tmp_path / "alone") for cell in cells]
    stop = RunFailed("enough")
    outcomes(cells, data, tmp_path / "a", [Until(2, stop)] * 3)
    for cell, run in zip(cells, alone, strict=True):
        assert_same_curves(run, fit(cell.model, data, cell.train, tmp_path / "a"))
        with pytest.raises(RunFailed):
            fit(cell.model, data, cell.train, tmp_path / "b", Until(2, stop))
    for run, other in zip(alone, outcomes(cells, data, tmp_path / "b"), strict=True):
        assert isinstance(other, Run)
        assert_same_curves(run, other)


def test_each_stops_early_by_its_own_losses(tones: Tones, tmp_path: Path) -> None:
    """A learning rate that is far too large brings no gain; the others go on without that cell."""
    data = tones()
    cells = three_cells(data, epochs=6)
    wild = cells[1].train.model_copy(update={"learning_rate": 0.3, "patience": 1})
    cells[1] = Cell(cells[1].data, cells[1].model, wild)
    order = [i for i, _ in fit_together(cells, data, tmp_path)]
    runs = [Run(tmp_path / cell.name) for cell in cells]
    assert order[0] == 1
    assert len(runs[1].epochs) < 6
    assert [len(runs[0].epochs), len(runs[2].epochs)] == [6, 6]
    for i in (0, 1):
        alone = fit(cells[i].model, data, cells[i].train, tmp_path / "alone")
        assert_same_curves(alone, runs[i], 1e-3)


def test_one_that_fails_leaves_the_others(tones: Tones, tmp_path: Path) -> None:
    data = tones()
    cells = three_cells(data)
    first, failed, last = outcomes(
        cells, data, tmp_path, [SILENT, Until(1, RunFailed("no more")), SILENT]
    )
    assert str(failed) == "no more"
    assert Run(tmp_path / cells[1].name).status["state"] == "failed"
    for run in (first, last):
        assert isinstance(run, Run)
        assert run.is_done


def test_what_does_not_fit_at_once_is_trained_in_smaller_groups(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory for two cells: of three, one is then trained alone, from the same epoch."""
    data = tones()
    cells = three_cells(data)
    at_once = []
    step = JointEpoch._step

    def step_of_two(self: JointEpoch, *batch: Any) -> Any:
        at_once.append(len(self._engines))
        if len(self._engines) > 2 and len(at_once) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return step(self, *batch)

    monkeypatch.setattr(JointEpoch, "_step", step_of_two)
    runs = outcomes(cells, data, tmp_path / "together")
    assert max(at_once) == 3
    for cell, run in zip(cells, runs, strict=True):
        assert isinstance(run, Run)
        assert_same_curves(fit(cell.model, data, cell.train, tmp_path / "alone"), run)


def test_a_run_that_is_done_is_not_trained_again(tones: Tones, tmp_path: Path) -> None:
    data = tones()
    cells = three_cells(data, epochs=1)
    outcomes(cells, data, tmp_path)
    before = [(tmp_path / cell.name / MODEL).stat().st_mtime_ns for cell in cells]
    for run in outcomes(cells, data, tmp_path):
        assert isinstance(run, Run)
    assert [(tmp_path / cell.name / MODEL).stat().st_mtime_ns for cell in cells] == before


def test_torchs_own_random_numbers_and_threads_are_as_before(tones: Tones, tmp_path: Path) -> None:
    data = tones()
    torch.manual_seed(5)
    expected = torch.rand(3)
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    outcomes(three_cells(data, epochs=1, threads=threads + 1), data, tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_which_cells_can_be_trained_together(tones: Tones) -> None:
    data = tones()
    cell = three_cells(data)[0]

    def like(model: Settings | None = None, train: Settings | None = None) -> str | None:
        spec = cell.model.model_copy(update=model or {})
        return likeness(Cell(cell.data, spec, cell.train.model_copy(update=train or {})))

    same = like()
    assert like({"dropout": 0.9, "initializer": "he_normal"}, {"seed": 7, "patience": 3}) == same
    assert like({}, {"learning_rate": 1.0, "schedule": "cosine", "weight_decay": 0.1}) == same
    others = [
        like({"dropout": 0.0}),
        like({"activation": "relu"}),
        like({"base_channels": 8}),
        like({}, {"batch_size": 16}),
        like({}, {"precision": "bf16"}),
        like({}, {"optimizer": "sgd"}),
    ]
    assert all(one != other for one, other in pairwise([same, *others]))
    assert like({}, {"micro_batch": 4}) is None
    assert like({}, {"average": 0.9}) is None
