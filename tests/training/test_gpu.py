"""What a GPU does with a training: each test needs one, and is skipped elsewhere.

`python benchmarks/gpu_check.py` runs these, and much more, on the first machine that has one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convscope.data.dataset import Dataset
from convscope.errors import NoRoom
from convscope.models.spec import make_spec
from convscope.run import MODEL
from convscope.training.augment import AugmentConfig
from convscope.training.config import TrainConfig
from convscope.training.engine import Engine
from convscope.training.fast.pooling import kernels
from convscope.training.fit import fit
from convscope.training.together.epoch import JointEpoch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA"),
]

Tones = Callable[..., Dataset]
MODEL_KEYS: dict[str, Any] = {"family": "custom", "conv_layers": 3, "base_channels": 8}
N_EPOCHS = 4


def silent(*_: int) -> None:
    pass


def engine(data: Dataset, train: dict[str, Any] | None = None, **model: Any) -> Engine:
    config = TrainConfig(**{"batch_size": 16, "device": "cuda", **(train or {})})
    return Engine(make_spec({**MODEL_KEYS, **model}), data, config)


def losses(engine: Engine, n_epochs: int = N_EPOCHS) -> list[float]:
    return [engine.train_epoch(i, silent)["train_loss"] for i in range(1, n_epochs + 1)]


def weights(engine: Engine) -> torch.Tensor:
    return torch.cat([p.detach().double().flatten() for p in engine.net.parameters()])


def test_triton_is_there_and_its_kernels_have_run() -> None:
    assert kernels().module is not None, kernels().why_not


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_captured_step_learns_what_an_uncaptured_one_does(
    tones: Tones, batch_norm: bool, precision: str
) -> None:
    """Dropout, shifts, noise and mixup are drawn at each replay as they are without a graph."""
    changes = AugmentConfig(shift_seconds=0.1, noise=0.1, mixup=0.3)
    train = {"precision": precision, "augment": changes}
    captured, plain = (engine(tones(), train, batch_norm=batch_norm) for _ in range(2))
    plain.graph = None
    np.testing.assert_allclose(losses(captured), losses(plain), rtol=2e-3)
    assert captured.graph is not None
    assert captured.graph.why_not is None
    assert captured.graph._graph is not None
    distance = (weights(captured) - weights(plain)).norm() / weights(plain).norm()
    assert distance < 2e-3


def test_replays_draw_new_random_numbers(tones: Tones) -> None:
    """The same clips with a rate of 0: only the dropout tells two steps apart."""
    only = engine(tones(), {"learning_rate": 1e-12}, dropout=0.5)
    batch = only.train_indices[:16]
    clips, labels = next(iter(only._fed([batch])))
    only.net.train()
    answers = {float(only._step(clips, labels)[0]) for _ in range(8)}
    assert only.graph is not None
    assert only.graph._graph is not None
    assert len(answers) == 8


def test_a_training_that_was_broken_off_goes_on_to_the_same_scores(
    tones: Tones, tmp_path: Path
) -> None:
    config = TrainConfig(batch_size=16, device="cuda", epochs=4)
    whole = fit(make_spec(MODEL_KEYS), tones(), config, tmp_path / "whole")
    half = TrainConfig(batch_size=16, device="cuda", epochs=2)
    fit(make_spec(MODEL_KEYS), tones(), half, tmp_path / "half")
    again = fit(make_spec(MODEL_KEYS), tones(), config, tmp_path / "again")
    assert whole.status["peak_memory_bytes"] > 0
    assert "CUDA graph" in whole.status["execution"]
    assert again.scores["params"] == whole.scores["params"]
    one, other = (row["validation_loss"] for row in (whole.epochs[-1], again.epochs[-1]))
    np.testing.assert_allclose(one, other, rtol=1e-2)
    assert (tmp_path / "whole" / whole.folder.name / MODEL).exists()


def test_clips_read_ahead_train_as_clips_on_the_device(tones: Tones) -> None:
    held, streamed = engine(tones()), engine(tones())
    assert not held.feed.reads_ahead
    assert streamed.feed.let_go()
    np.testing.assert_allclose(losses(streamed), losses(held), rtol=1e-4)


def test_a_batch_that_does_not_fit_is_halved_and_learns_the_same(tones: Tones) -> None:
    whole, divided = engine(tones(), dropout=0.0), engine(tones(), dropout=0.0)
    backward, refused = divided._backward, []

    def too_much(batch: Any, rows: slice) -> torch.Tensor:
        if rows.stop - rows.start > 8:
            refused.append(rows)
            torch.empty(2**50, dtype=torch.uint8, device="cuda")
        return backward(batch, rows)

    divided._backward = too_much  # type: ignore[method-assign]
    divided.graph = None
    np.testing.assert_allclose(losses(divided, 1), losses(whole, 1), rtol=1e-3)
    assert divided.micro_batches.at_most == 8
    assert refused


def test_batch_norm_is_not_divided_behind_ones_back(tones: Tones) -> None:
    normed = engine(tones(), batch_norm=True)
    normed.graph = None

    def too_much(batch: Any, rows: slice) -> torch.Tensor:
        return torch.empty(2**50, dtype=torch.uint8, device="cuda")

    normed._backward = too_much  # type: ignore[method-assign]
    with pytest.raises(NoRoom, match="to divide them is another training with batch norm"):
        losses(normed, 1)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_cells_together_learn_what_each_learns_alone(tones: Tones, precision: str) -> None:
    data = tones()
    trains = [
        {"seed": i, "precision": precision, "learning_rate": 1e-3 * (i + 1)} for i in range(3)
    ]
    alone = [engine(data, each) for each in trains]
    together = [engine(data, each) for each in trains]
    expected = [losses(each, 2)[-1] for each in alone]
    for epoch in (1, 2):
        rows = JointEpoch(together, [epoch] * 3).train(silent)
    got = [row["train_loss"] for row in rows if isinstance(row, dict)]
    np.testing.assert_allclose(got, expected, rtol=5e-2 if precision == "bf16" else 1e-2)
