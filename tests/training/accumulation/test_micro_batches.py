"""A step over pieces of its batch is the undivided step; what cannot be divided says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.data.config import ImagesConfig, SoundConfig, WordsConfig
from convscope.data.dataset import Dataset
from convscope.errors import NoRoom, UserError
from convscope.models.families import FAMILIES
from convscope.models.modules import RReLU
from convscope.models.spec import ModelSpec, make_spec
from convscope.run import MODEL
from convscope.training.accumulation.heap import keep_freed_memory
from convscope.training.accumulation.memory import is_out_of_memory, peak_memory, reset_peak
from convscope.training.accumulation.micro_batches import even
from convscope.training.accumulation.noise import WholeBatchNoise
from convscope.training.augment import AugmentConfig, mixup
from convscope.training.cell import make_cell
from convscope.training.config import TrainConfig
from convscope.training.engine import Engine, logits_of
from convscope.training.fit import fit
from tests.training.random_clips import Doubled, dataset_of

N_CLIPS = 10
SMALL: dict[str, dict[str, Any]] = {
    "baseline1d": {"conv_layers": 2, "fc_hidden": 0},
    "baseline2d": {"conv_layers": 2, "fc_hidden": 0},
    "custom": {"conv_layers": 3},
    "vgg": {"conv_layers": 4},
    "long_filter": {"conv_layers": 3, "kernel": 12},
    "image2d": {"conv_layers": 2},
    "mnist": {"conv_layers": 2},
    "residual": {"conv_layers": 6},
}
"""A small net of each family."""


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small_net(family: str, **keys: Any) -> ModelSpec:
    plain = {"batch_norm": False, "dropout": 0.4, "base_channels": 3, "activation": "rrelu"}
    return make_spec({"family": family, **plain, **SMALL[family], **keys})


def data_for(family: str, balance: Any = "none") -> Dataset:
    """Random clips of what a family takes, the classes 0, 1 and 2 unequally often."""
    rng = np.random.default_rng(0)
    config: SoundConfig | ImagesConfig
    if FAMILIES[family].n_dims == 2:
        config = ImagesConfig(folder="none", image_size=16, balance=balance)
        clips: Any = rng.integers(0, 256, (3 * N_CLIPS, 3, 16, 16), dtype=np.uint8)
    else:
        config = WordsConfig(folder="none", rate_hz=2000, balance=balance)
        clips = rng.integers(-9999, 9999, (3 * N_CLIPS, 1, 2000), dtype=np.int16)
    return dataset_of(config, clips)


def gradient(
    spec: ModelSpec, data: Dataset, config: TrainConfig, micro_batch: int | None
) -> tuple[Tensor, float, Tensor]:
    """Of one step on all training clips in float64: gradient, loss, and torch's state after it."""
    engine = Engine(spec, data, config.model_copy(update={"micro_batch": micro_batch}))
    engine.net.double()
    engine.front = Doubled(engine.front)  # type: ignore[assignment]
    if engine.class_weights is not None:
        engine.class_weights = engine.class_weights.double()
    engine.net.train()
    torch.manual_seed(3)
    loss = step(engine, data.indices("train"))
    gradients = [p.grad.flatten() for p in engine.net.parameters() if p.grad is not None]
    return torch.cat(gradients), loss, torch.get_rng_state()


def step(engine: Engine, indices: NDArray[np.int64]) -> float:
    """One step on the clips of some indices; its loss."""
    engine.generator.manual_seed(4)
    [(clips, labels)] = engine._fed([indices])
    return float(engine._step(clips, labels)[0])


def assert_divides(
    spec: ModelSpec, data: Dataset, config: TrainConfig, sizes: tuple[int, ...] = (5, 4, 1)
) -> None:
    whole, whole_loss, whole_state = gradient(spec, data, config, None)
    assert whole.norm() > 1e-6
    for size in sizes:
        parts, loss, state = gradient(spec, data, config, size)
        assert (parts - whole).norm() < 1e-9 * whole.norm(), size
        assert loss == pytest.approx(whole_loss, rel=1e-12)
        assert torch.equal(state, whole_state)


PLAIN = TrainConfig(threads=1, optimizer="sgd")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("activation", ["relu", "rrelu"])
def test_pieces_have_the_gradient_of_the_undivided_batch(
    family: str, dropout: float, activation: str
) -> None:
    spec = small_net(family, dropout=dropout, activation=activation)
    assert_divides(spec, data_for(family), PLAIN)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("balance", ["none", "weights"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("mixup", [0.0, 0.5])
def test_pieces_weigh_their_losses_as_the_undivided_batch_does(
    family: str, balance: str, label_smoothing: float, mixup: float
) -> None:
    changed = AugmentConfig(mixup=mixup)
    config = PLAIN.model_copy(update={"label_smoothing": label_smoothing, "augment": changed})
    assert_divides(small_net(family), data_for(family, balance), config, sizes=(4,))


def test_the_loss_is_the_weighted_mean_over_smoothed_and_mixed_labels() -> None:
    data = data_for("mnist", "weights")
    changed = AugmentConfig(mixup=0.5)
    config = PLAIN.model_copy(update={"label_smoothing": 0.2, "augment": changed, "micro_batch": 4})
    spec = small_net("mnist", dropout=0.0, activation="relu")
    indices = data.indices("train")
    _, loss, _ = gradient(spec, data, config, micro_batch=4)

    engine = Engine(spec, data, config)
    clips = engine.front.scale(torch.from_numpy(data.clips[indices]))
    clips, partner, weight = mixup(clips, changed, torch.Generator().manual_seed(4))
    log_p = engine.net.double()(clips.double()).log_softmax(1).detach().numpy()
    labels = data.labels[indices]
    share, class_weights = float(weight), len(labels) / 3 / np.bincount(labels)
    expected = 0.0
    for i, j in enumerate(partner.tolist()):
        for label, part in ((labels[i], share), (labels[j], 1 - share)):
            target = 0.2 / 3 + 0.8 * np.eye(3)[label]
            expected -= part * (class_weights * target * log_p[i]).sum()
    assert 0.01 < share < 0.99
    assert loss == pytest.approx(expected / class_weights[labels].sum(), rel=1e-6)


class Noisy(nn.Module):
    """Draws in ways that user-defined nets do, in and out of place, and a number for all clips."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.attention = nn.Linear(4, 4)
        self.out = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.alpha_dropout(F.dropout2d(self.conv(x), 0.3), 0.2, self.training)
        kept = x.new_empty(len(x), 1, 1, 1).bernoulli_(0.7)  # whole clips: stochastic depth
        x = (x + 0.1 * torch.randn_like(x) * kept) * (1 + torch.rand(()))
        x = x + torch.randn(len(x), 1, 1, 1) + F.gumbel_softmax(x, dim=1)
        each = x.flatten(2).transpose(1, 2)  # (n_clips, n_places, n_channels): other memory order
        each = torch.native_dropout(each, 0.5, True)[0]  # what dropout is on a GPU
        each = each + torch.normal(each.detach(), 1.0)
        each = F.scaled_dot_product_attention(each, self.attention(each), each)
        logits: Tensor = self.out(each.mean(1))
        return logits


@pytest.mark.parametrize("size", [5, 4, 1])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_whatever_a_net_draws_for_each_clip_is_drawn_for_the_whole_batch(
    size: int, memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    clips = torch.randn(N_CLIPS, 3, 6, 7, dtype=torch.float64)
    net = Noisy().double().to(memory_format=memory_format)  # type: ignore[call-overload]
    torch.manual_seed(1)
    whole = net(clips)
    after = torch.get_rng_state()
    for rows in even(N_CLIPS, size):
        torch.manual_seed(1)
        with WholeBatchNoise(rows, N_CLIPS):
            piece = net(clips[rows])
        torch.testing.assert_close(piece, whole[rows], rtol=1e-12, atol=1e-12)
        assert torch.equal(torch.get_rng_state(), after)


def test_torchs_own_rrelu_is_sliced_where_its_numbers_depend_on_shapes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "convscope.training.accumulation.noise.DRAWS", frozenset({"rrelu_with_noise"})
    )
    below = -torch.rand(N_CLIPS, 4)  # on a CPU it draws for negative numbers alone
    torch.manual_seed(1)
    whole = F.rrelu(below, training=True)
    torch.manual_seed(1)
    piece = below[3:7].clone().requires_grad_()
    with WholeBatchNoise(slice(3, 7), N_CLIPS):
        answer = F.rrelu(piece, training=True)
    assert torch.equal(answer, whole[3:7])
    answer.sum().backward()
    torch.testing.assert_close(piece.grad, whole[3:7] / below[3:7])


@pytest.mark.parametrize(
    ("net", "shape", "operation"),
    [
        (nn.RReLU(), (2, 3, 4), "rrelu_with_noise"),
        (nn.Sequential(nn.Flatten(0, 1), nn.Dropout()), (2, 3, 4), "bernoulli_"),
        (nn.LSTM(4, 4, 2, dropout=0.5), (3, 2, 4), "bernoulli_"),  # times before clips
    ],
)
def test_draws_that_are_not_a_row_for_each_clip_are_refused(
    net: nn.Module, shape: tuple[int, ...], operation: str
) -> None:
    clips = torch.randn(shape)
    with (
        pytest.raises(NoRoom, match=rf"cannot be divided: .*{operation}.*train\.batch_size"),
        WholeBatchNoise(slice(0, 2), N_CLIPS),
    ):
        net(clips)


def test_slopes_are_drawn_uniformly_and_used_below_zero_alone() -> None:
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 20_001)[torch.arange(20_001) != 10_000].requires_grad_()
    y = RReLU().train()(x)
    assert torch.equal(y[x > 0], x[x > 0])
    slopes = (y / x)[x < 0].detach()
    assert 1 / 8 <= slopes.min() < 0.13
    assert 0.33 < slopes.max() <= 1 / 3
    assert slopes.mean().item() == pytest.approx((1 / 8 + 1 / 3) / 2, abs=2e-3)
    y.sum().backward()
    torch.testing.assert_close(x.grad, (y / x).detach())


def test_pieces_are_consecutive_even_and_no_larger_than_allowed() -> None:
    for n_clips in range(1, 20):
        for at_most in [None, *range(1, 25)]:
            rows = list(even(n_clips, at_most))
            lengths = [each.stop - each.start for each in rows]
            assert [i for each in rows for i in range(n_clips)[each]] == list(range(n_clips))
            assert max(lengths) <= (at_most or n_clips)
            assert max(lengths) - min(lengths) <= 1


class Small:
    """Memory that holds so many clips in training and in evaluation."""

    def __init__(self, at_most: int, modes: tuple[bool, ...] = (True, False)) -> None:
        self.at_most = at_most
        self.modes = modes
        self.seen: list[int] = []

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        if module.training in self.modes:
            self.seen.append(len(inputs[0]))
            if len(inputs[0]) > self.at_most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.fixture
def shrink(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Small]:
    """`shrink(k)`: from here on the last layer of every engine's net holds at most k clips."""

    def install(at_most: int, **keys: Any) -> Small:
        memory = Small(at_most, **keys)
        original = Engine.__init__

        def made(engine: Engine, *args: Any) -> None:
            original(engine, *args)
            list(engine.net.children())[-1].register_forward_hook(memory)

        monkeypatch.setattr(Engine, "__init__", made)
        return memory

    return install


TONES = TrainConfig(epochs=2, patience=0, batch_size=32, threads=1)


def tone_net(**keys: Any) -> ModelSpec:
    return small_net("custom", base_channels=4, **keys)


def test_a_step_that_does_not_fit_is_made_as_with_so_small_a_micro_batch(
    tones: Callable[..., Dataset], tmp_path: Path, shrink: Callable[..., Small]
) -> None:
    asked = TONES.model_copy(update={"micro_batch": 8})
    expected = fit(tone_net(), tones(), asked, tmp_path / "asked")
    memory = shrink(8, modes=(True,))
    run = fit(tone_net(), tones(), TONES, tmp_path / "small")
    assert memory.seen[:7] == [32, 16, 8, 8, 8, 8, 8]
    assert run.path(MODEL).read_bytes() == expected.path(MODEL).read_bytes()
    assert "divided" not in run.status


def test_a_divided_run_is_the_undivided_one_up_to_rounding(
    tones: Callable[..., Dataset], tmp_path: Path, shrink: Callable[..., Small]
) -> None:
    whole = fit(tone_net(), tones(), TONES, tmp_path / "whole")
    shrink(5)
    parts = fit(tone_net(), tones(), TONES, tmp_path / "parts")
    assert whole.name == parts.name
    for one, other in zip(whole.epochs, parts.epochs, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)
        assert one["validation_loss"] == pytest.approx(other["validation_loss"], rel=1e-4)


@pytest.mark.parametrize("divided", [False, True])
def test_the_random_state_after_a_step_does_not_depend_on_memory(
    tones: Callable[..., Dataset], shrink: Callable[..., Small], divided: bool
) -> None:
    whole, data = Engine(tone_net(), tones(), TONES), tones()
    if divided:
        shrink(5)
    engine = Engine(tone_net(), data, TONES)
    states = []
    for each in (whole, engine):
        each.net.train()
        torch.manual_seed(5)
        step(each, data.indices("train")[:32])
        states.append(torch.get_rng_state())
    assert torch.equal(*states)
    assert (engine.micro_batches.at_most is not None) is divided


def test_batch_norm_is_not_divided_but_waits_for_room(
    tones: Callable[..., Dataset], tmp_path: Path, shrink: Callable[..., Small]
) -> None:
    shrink(31)
    with pytest.raises(
        NoRoom,
        match=r"does not hold the 32 clips of a step.*wait until there is more room, take fewer "
        r"with train\.batch_size, or allow it with train\.divide_batch_norm=true",
    ):
        fit(tone_net(batch_norm=True), tones(), TONES, tmp_path)


def test_batch_norm_is_divided_and_marked_where_that_is_allowed(
    tones: Callable[..., Dataset], tmp_path: Path, shrink: Callable[..., Small]
) -> None:
    allowed = TONES.model_copy(update={"divide_batch_norm": True})
    spec = tone_net(batch_norm=True)
    asked = allowed.model_copy(update={"micro_batch": 16})
    expected = fit(spec, tones(), asked, tmp_path / "asked")
    shrink(16, modes=(True,))
    run = fit(spec, tones(), allowed, tmp_path / "small")
    assert run.status["divided"] is True
    # A try that did not fit has changed no running mean.
    assert run.path(MODEL).read_bytes() == expected.path(MODEL).read_bytes()


def test_with_room_enough_divide_batch_norm_changes_and_marks_nothing(
    tones: Callable[..., Dataset], tmp_path: Path
) -> None:
    spec = tone_net(batch_norm=True)
    plain = fit(spec, tones(), TONES, tmp_path / "a")
    allowed = TONES.model_copy(update={"divide_batch_norm": True, "micro_batch": 32})
    run = fit(spec, tones(), allowed, tmp_path / "b")
    assert run.path(MODEL).read_bytes() == plain.path(MODEL).read_bytes()
    assert run.name == plain.name
    assert "divided" not in run.status


def test_a_micro_batch_with_batch_norm_is_refused_at_the_start() -> None:
    def cell(**train: Any) -> None:
        data = {"kind": "words", "folder": "none", "words": ["a", "b"]}
        model = {"family": "custom", "batch_norm": True}
        make_cell({"data": data, "model": model, "train": {"batch_size": 32, **train}})

    with pytest.raises(UserError, match=r"train\.micro_batch=8 divides the 32 clips of a step"):
        cell(micro_batch=8)
    cell(micro_batch=8, divide_batch_norm=True)
    cell(micro_batch=32)


def test_a_net_of_ones_own_with_batch_norm_is_refused_likewise(
    tones: Callable[..., Dataset], tmp_path: Path
) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "from torch import nn\n"
        "def make_net(shape, n_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(400, n_classes),"
        " nn.BatchNorm1d(n_classes))\n"
    )
    config = TONES.model_copy(update={"micro_batch": 8})
    with pytest.raises(UserError, match=r"with batch norm that is another training"):
        fit(make_spec({"family": f"{file}:make_net"}), tones(), config, tmp_path)


def test_one_clip_that_does_not_fit_is_no_room_in_training_and_evaluation(
    tones: Callable[..., Dataset], tmp_path: Path, shrink: Callable[..., Small]
) -> None:
    words = r"the memory of cpu does not hold the net and one clip: wait until there is more room"
    shrink(0, modes=(True,))
    with pytest.raises(NoRoom, match=words):
        fit(tone_net(), tones(), TONES, tmp_path)
    shrink(0, modes=(False,))
    engine = Engine(tone_net(), tones(), TONES)
    with pytest.raises(NoRoom, match=words):
        engine.evaluate("test")


def test_memory_too_small_outside_of_a_step_is_no_room_in_words(
    tones: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("convscope.training.engine.augment", full)
    with pytest.raises(NoRoom, match=r"memory is too small .* \(CUDA out of memory"):
        fit(tone_net(), tones(), TONES, tmp_path)


def test_evaluation_halves_its_batches_and_gives_the_same_answers(
    tones: Callable[..., Dataset],
) -> None:
    data = tones()
    engine = Engine(tone_net(), data, TONES)
    indices = np.arange(len(data.labels))
    expected = logits_of(engine.net, engine.front, data.clips, indices)
    memory = Small(60)
    list(engine.net.children())[-1].register_forward_hook(memory)
    logits = logits_of(engine.net, engine.front, data.clips, indices)
    assert memory.seen == [200, 100, 50, 50, 50, 50]
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("anything"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("boom"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_that_say_that_memory_is_too_small_are_told_from_others(
    error: Exception, expected: bool
) -> None:
    assert is_out_of_memory(error) is expected


def test_the_peak_counts_what_was_held_and_let_go_of() -> None:
    device = torch.device("cpu")
    keep_freed_memory()
    torch.ones(50_000_000)  # of a training before, and kept
    reset_peak(device)
    before = peak_memory(device)
    if before is None:
        pytest.skip("needs /proc/self/status with VmHWM")
    torch.ones(50_000_000)  # 200 MB, let go of at once
    after = peak_memory(device)
    assert after is not None
    assert after - before > 100_000_000
