"""One graph a step: when it is taken, what it is fed, and that it is the step without it.

There is no GPU here: what captures and replays is stood in for.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from convscope.data.dataset import Dataset
from convscope.models.spec import make_spec
from convscope.training.augment import AugmentConfig
from convscope.training.config import TrainConfig
from convscope.training.engine import Engine
from convscope.training.fast import graph as graphs
from convscope.training.fast.graph import WARM_UP, StepGraph, capturable, why_no_graph
from convscope.training.fit import Watcher, fit

Tones = Callable[..., Dataset]
SPEC = make_spec({"family": "custom", "conv_layers": 3, "base_channels": 3, "dropout": 0.3})
CUDA = torch.device("cuda")


def adam(rate: float = 0.1) -> tuple[nn.Linear, torch.optim.Optimizer]:
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    return net, torch.optim.Adam(net.parameters(), rate, fused=True)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_captured_step_is_the_step_in_pieces(tones: Tones, batch_norm: bool) -> None:
    spec = make_spec({**SPEC.model_dump(), "batch_norm": batch_norm})
    changes = AugmentConfig(shift_seconds=0.1, noise=0.1, mixup=0.3)
    config = TrainConfig(batch_size=32, threads=1, augment=changes)
    states = []
    for name in ("_step_in_pieces", "_step_undivided"):
        engine = Engine(spec, tones(), config)
        engine.net.train()
        torch.manual_seed(1)
        batches = [engine.train_indices[:32], engine.train_indices[32:64]]
        answers = [getattr(engine, name)(*batch).tolist() for batch in engine._fed(batches)]
        weights = [value.numpy().tobytes() for value in engine.net.state_dict().values()]
        states.append((answers, weights, torch.get_rng_state().tolist()))
    assert states[0] == states[1]


def test_a_rate_on_the_device_makes_the_same_step_and_leaves_no_trace() -> None:
    steps = []
    for tensor in (False, True):
        net, optimizer = adam()
        for rate in (0.3, 0.02):
            optimizer.zero_grad()
            net(torch.ones(4, 3)).square().sum().backward()
            optimizer.param_groups[0]["lr"] = rate
            context = capturable(optimizer, torch.tensor(rate)) if tensor else nullcontext()
            with context:
                optimizer.step()
        steps.append((net.weight.detach(), optimizer.state_dict()["param_groups"]))
    torch.testing.assert_close(steps[0][0], steps[1][0], rtol=1e-6, atol=1e-7)
    assert steps[0][1] == steps[1][1]


def test_a_capture_that_fails_leaves_the_optimizer_as_it_was() -> None:
    _, optimizer = adam()
    with pytest.raises(RuntimeError), capturable(optimizer, torch.tensor(1.0)):
        raise RuntimeError
    group = optimizer.param_groups[0]
    assert (group["lr"], group["capturable"]) == (0.1, False)


def test_it_is_said_why_there_is_no_graph(tmp_path: Path) -> None:
    net, optimizer = adam()
    (tmp_path / "own.py").write_text("def make_net(shape, n_classes): ...")
    own = make_spec({"family": f"{tmp_path}/own.py:make_net"})
    sgd = torch.optim.SGD(net.parameters(), 0.1)
    assert why_no_graph(SPEC, optimizer, torch.device("cpu")) == "no CUDA"
    assert why_no_graph(own, optimizer, CUDA) == "a user-defined net"
    assert why_no_graph(SPEC, sgd, CUDA) == "for Adam alone"
    assert why_no_graph(SPEC, optimizer, CUDA) is None
    assert why_no_graph(SPEC, torch.optim.AdamW(net.parameters()), CUDA) is None


class FakeGenerator:
    """Knows whether a capture that failed has been forgotten."""

    marked = True

    def clone_state(self) -> str:
        return "unmarked"

    def graphsafe_set_state(self, state: str) -> None:
        self.marked = state != "unmarked"


DEFAULT_GENERATOR = FakeGenerator()


class FakeGraph:
    """Repeats what was recorded last, on the memory it was recorded on."""

    def register_generator_state(self, generator: FakeGenerator) -> None:
        self.generator = generator

    def replay(self) -> None:
        clips, labels, rate, answer = Recorded.last
        answer.copy_(torch.stack([clips.float().sum() * rate, labels.sum().float()]))


class Recorded:
    """A step that only notes what it was given."""

    last: tuple[Tensor, Tensor, Tensor, Tensor]

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def __call__(self, clips: Tensor, labels: Tensor) -> Tensor:
        group = self.optimizer.param_groups[0]
        assert group["capturable"]
        answer = torch.zeros(2)
        Recorded.last = clips, labels, group["lr"], answer
        return answer


class FakeStream:
    def wait_stream(self, other: Any) -> None: ...


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def capture(graph: FakeGraph, **_: Any) -> Iterator[None]:
        assert isinstance(graph.generator, FakeGenerator)
        yield

    parts = {
        "Stream": FakeStream,
        "current_stream": FakeStream,
        "stream": lambda _: nullcontext(),
        "CUDAGraph": FakeGraph,
        "graph": capture,
        "default_generators": {None: DEFAULT_GENERATOR},
    }
    for name, part in parts.items():
        monkeypatch.setattr(torch.cuda, name, part)


def batch(i: int) -> tuple[Tensor, Tensor]:
    return torch.full((4, 1, 5), i, dtype=torch.int16), torch.full((4,), i)


@pytest.mark.usefixtures("fake_cuda")
def test_after_the_warm_up_every_batch_and_rate_goes_through_the_graph() -> None:
    _, optimizer = adam()
    warm: list[int] = []

    def warm_step(clips: Tensor, labels: Tensor) -> Tensor:
        warm.append(int(labels[0]))
        return torch.zeros(2)

    steps = StepGraph(warm_step, Recorded(optimizer), optimizer, FakeGenerator())  # type: ignore[arg-type]
    for i in range(1, WARM_UP + 1):
        assert steps(*batch(i)).tolist() == [0, 0]
    for i, rate in ((7, 0.5), (8, 0.25)):
        optimizer.param_groups[0]["lr"] = rate
        assert steps(*batch(i)).tolist() == [20 * i * rate, 4 * i]
        assert optimizer.param_groups[0]["lr"] == rate
    assert warm == [1, 2, 3]


@pytest.mark.usefixtures("fake_cuda")
def test_where_the_capture_fails_steps_go_on_without_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, optimizer = adam()
    warm: list[int] = []

    def warm_step(clips: Tensor, labels: Tensor) -> Tensor:
        warm.append(int(labels[0]))
        return torch.zeros(2)

    def failing(clips: Tensor, labels: Tensor) -> Tensor:
        raise RuntimeError("operation not permitted when stream is capturing\nsecond line")

    generator = FakeGenerator()
    steps = StepGraph(warm_step, failing, optimizer, generator)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, graphs.__name__):
        for i in range(WARM_UP + 3):
            steps(*batch(i))
    assert warm == [0, 1, 2, 3, 4, 5]
    assert not generator.marked
    assert not DEFAULT_GENERATOR.marked
    assert [each.getMessage() for each in caplog.records] == [
        "steps run without a CUDA graph: operation not permitted when stream is capturing"
    ]
    assert steps.why_not == "operation not permitted when stream is capturing"


def test_batches_of_another_size_and_divided_ones_do_not_go_through_the_graph(
    tones: Tones,
) -> None:
    engine = Engine(SPEC, tones(), TrainConfig(batch_size=32, threads=1))
    sizes: list[int] = []

    def graph(clips: Tensor, labels: Tensor) -> Tensor:
        sizes.append(len(labels))
        return torch.zeros(2)

    engine.graph = graph  # type: ignore[assignment]
    engine.train_epoch(1, lambda *_: None)
    assert sizes == [32] * 4  # of 140 clips
    engine.micro_batches.at_most = 8
    engine.train_epoch(2, lambda *_: None)
    assert sizes == [32] * 4


def test_how_steps_are_executed_is_told_and_kept(tones: Tones, tmp_path: Path) -> None:
    told: list[str] = []

    class Told(Watcher):
        def start(self, execution: str) -> None:
            told.append(execution)

    config = TrainConfig(threads=1, device="cpu", precision="bf16", epochs=1)
    run = fit(SPEC, tones(), config, tmp_path, Told())
    assert told == ["cpu, bf16, channels last, clips in memory"]
    assert run.status["execution"] == told[0]
    fit(SPEC, tones(), config, tmp_path, Told())  # done: no step is made
    assert len(told) == 1
