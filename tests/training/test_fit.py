"""A training is decided by its cell alone, whatever interrupts it."""

import errno
import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convscope.data.dataset import Dataset
from convscope.errors import RunFailed, UserError
from convscope.models.spec import ModelSpec, make_spec
from convscope.run import EPOCHS, MODEL, PREDICTIONS, SCORES, STATE, Run
from convscope.training import checkpoint
from convscope.training.augment import AugmentConfig
from convscope.training.config import TrainConfig
from convscope.training.engine import Engine
from convscope.training.fit import Watcher, fit

Tones = Callable[..., Dataset]


@pytest.fixture
def spec() -> ModelSpec:
    """Dropout, batch norm and a random activation: all that draws numbers while it trains."""
    return make_spec(
        {
            "family": "custom",
            "conv_layers": 3,
            "base_channels": 4,
            "batch_norm": True,
            "activation": "rrelu",
        }
    )


@pytest.fixture
def config() -> TrainConfig:
    augment = AugmentConfig(shift_seconds=0.05, gain_db=6, noise=0.05, mixup=0.2)
    return TrainConfig(epochs=4, patience=0, batch_size=32, augment=augment, threads=1)


class StopAt(Watcher):
    """Raises, or kills its own process, at a step."""

    def __init__(self, epoch: int, step: int, action: Callable[[], Any]) -> None:
        self.at = epoch, step
        self.action = action

    def step(self, epoch: int, done: int, total: int) -> None:
        if (epoch, done) == self.at:
            self.action()


def interrupt() -> None:
    raise KeyboardInterrupt


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kept(run: Run) -> tuple[bytes, list[dict[str, float]]]:
    """What must not depend on interruptions."""
    rows = [{k: v for k, v in row.items() if "seconds" not in k} for row in run.epochs]
    return run.path(MODEL).read_bytes(), rows


def test_the_same_cell_gives_the_same_bytes(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    first = fit(spec, tones(), config, tmp_path / "a")
    second = fit(spec, tones(), config, tmp_path / "b")
    assert kept(first) == kept(second)
    for name in (PREDICTIONS, SCORES):
        assert first.path(name).read_bytes() == second.path(name).read_bytes()


def test_another_seed_gives_another_net(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    other = config.model_copy(update={"seed": 1})
    first, second = fit(spec, tones(), config, tmp_path), fit(spec, tones(), other, tmp_path)
    assert first.folder != second.folder
    assert kept(first) != kept(second)


@pytest.mark.parametrize("step", [(1, 1), (2, 3), (4, 5)])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path, step: tuple[int, int]
) -> None:
    whole = fit(spec, tones(), config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tones(), config, tmp_path / "cut", StopAt(*step, interrupt))
    assert Run(tmp_path / "cut" / whole.name).status["state"] == "interrupted"
    run = fit(spec, tones(), config, tmp_path / "cut")
    assert kept(run) == kept(whole)
    assert run.status["attempts"] == 2
    assert not run.path(STATE).exists()


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_killed_run_goes_on_to_the_same_bytes(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path, average: float
) -> None:
    config = config.model_copy(update={"average": average})
    whole = fit(spec, tones(), config, tmp_path / "whole")
    arguments = (spec, tones(), config, tmp_path / "cut", StopAt(3, 2, kill))
    process = multiprocessing.get_context("spawn").Process(target=fit, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    run = fit(spec, tones(), config, tmp_path / "cut")
    assert kept(run) == kept(whole)


def test_averaged_weights_follow_their_equation_and_are_what_is_validated(
    tones: Tones, spec: ModelSpec, config: TrainConfig
) -> None:
    engine = Engine(spec, tones(), config.model_copy(update={"average": 0.5}))
    assert engine.average is not None
    seen: list[dict[str, torch.Tensor]] = []
    update = engine.average.update_parameters

    def record(net: torch.nn.Module) -> None:
        update(net)
        seen.append({key: value.clone() for key, value in net.state_dict().items()})

    engine.average.update_parameters = record  # type: ignore[assignment, method-assign]
    engine.train_epoch(1, lambda *_: None)
    expected = seen[0]["conv1.weight"].double()
    for step, weights in enumerate(seen[1:], start=1):
        kept = min(0.5, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * weights["conv1.weight"].double()
    averaged = engine.kept.state_dict()["conv1.weight"]
    assert torch.allclose(averaged.double(), expected, atol=1e-6)
    assert not torch.allclose(averaged, engine.net.state_dict()["conv1.weight"], atol=1e-6)
    loss = engine.validate(1)["validation_loss"]
    assert loss != engine.evaluate("validation").loss
    engine.net.load_state_dict(engine.kept.state_dict())
    assert loss == engine.evaluate("validation").loss


def test_a_run_killed_while_it_concludes_is_finished_by_the_next_call(
    tones: Tones,
    spec: ModelSpec,
    config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = fit(spec, tones(), config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Run, "finish", lambda run: interrupt())
        with pytest.raises(KeyboardInterrupt):
            fit(spec, tones(), config, tmp_path / "cut")
    cut = Run(tmp_path / "cut" / whole.name)
    assert not cut.is_done
    assert cut.path(STATE).exists()
    assert kept(fit(spec, tones(), config, tmp_path / "cut")) == kept(whole)


def test_a_finished_run_is_not_trained_again(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    fit(spec, tones(), config, tmp_path)
    run = fit(spec, tones(), config, tmp_path, StopAt(1, 1, interrupt))
    assert run.status == run.status | {"state": "done", "attempts": 1}


def test_a_finished_folder_holds_what_it_should_and_no_more(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    run = fit(spec, tones(), config, tmp_path)
    run.path(f".{STATE}.left").write_bytes(b"half")
    fit(spec, tones(), config, tmp_path)
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "config.yaml",
        "environment.json",
        "epochs.csv",
        "manifest.json",
        "model.safetensors",
        "predictions.npz",
        "scores.json",
        "status.json",
    ]


def test_the_number_of_threads_of_the_first_attempt_is_kept(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tones(), config, tmp_path, StopAt(2, 1, interrupt))
    used = []
    watcher = StopAt(2, 1, lambda: used.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    run = fit(spec, tones(), config.model_copy(update={"threads": 2}), tmp_path, watcher)
    assert used == [1]
    assert run.environment["threads"] == 1
    assert torch.get_num_threads() == before


def test_the_weights_are_those_of_the_least_validation_loss(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    run = fit(spec, tones(), config, tmp_path)
    losses = [row["validation_loss"] for row in run.epochs]
    assert run.scores["best_epoch"] == 1 + int(np.argmin(losses))
    trained = checkpoint.load_trained(run)
    data = tones()
    scaled = trained.front.scale(torch.from_numpy(data.clips[data.indices("validation")]))
    labels = torch.from_numpy(data.labels[data.indices("validation")])
    with torch.inference_mode():
        loss = torch.nn.functional.cross_entropy(trained.net(trained.front(scaled)), labels)
    assert float(loss) == pytest.approx(min(losses), rel=1e-5)


def test_patience_ends_a_run_that_gains_no_more(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    still = config.model_copy(update={"learning_rate": 1e-12, "patience": 2, "epochs": 50})
    plain = spec.model_copy(update={"batch_norm": False})
    run = fit(plain, tones(), still, tmp_path)
    assert len(run.epochs) == run.scores["best_epoch"] + 2 < 50


def test_it_learns_what_is_easy(tones: Tones, tmp_path: Path) -> None:
    easy = make_spec({"family": "custom", "conv_layers": 3, "base_channels": 8, "batch_norm": True})
    run = fit(easy, tones(), TrainConfig(epochs=12, batch_size=16, threads=1), tmp_path)
    assert run.scores["accuracy"] > 0.9
    assert run.status["chance"] is False


def test_a_net_that_learns_nothing_is_done_and_marked_chance(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    run = fit(spec, tones(), config.model_copy(update={"learning_rate": 1e-12}), tmp_path)
    assert run.is_done
    assert run.status["chance"] is True


def test_an_exploding_loss_fails_with_epoch_step_and_rate_and_keeps_the_last_epoch(
    tones: Tones, tmp_path: Path
) -> None:
    plain = make_spec({"family": "custom", "conv_layers": 3, "base_channels": 4})
    wild = TrainConfig(epochs=9, batch_size=32, optimizer="sgd", threads=1, learning_rate=1e18)
    with pytest.raises(RunFailed, match=r"epoch 1, step \d+, learning rate 1e\+18: try a smaller"):
        fit(plain, tones(), wild, tmp_path)
    [folder] = tmp_path.iterdir()
    status = Run(folder).status
    assert status["state"] == "failed"
    assert "the loss became" in status["reason"]


def test_other_data_in_the_same_folder_are_refused(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    fit(spec, tones(seed=0), config, tmp_path)
    with pytest.raises(UserError, match=r"was made for other data .*; as many clips, with other"):
        fit(spec, tones(seed=1), config, tmp_path)
    fewer = replace(tones(seed=1).without(["clip0.wav", "clip3.wav"]), config=tones().config)
    with pytest.raises(UserError, match=r"; 45 low train clips in place of 47\): give another"):
        fit(spec, fewer, config, tmp_path)


def test_a_run_without_a_kept_epoch_begins_anew_with_other_data(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tones(seed=0), config, tmp_path, StopAt(1, 1, interrupt))
    run = fit(spec, tones(seed=1), config, tmp_path)
    assert run.environment["data"]["fingerprint"] == tones(seed=1).fingerprint


@pytest.mark.parametrize("batch_size", [1, 139, 140, 1000])
def test_every_batch_size_trains(
    tones: Tones, config: TrainConfig, tmp_path: Path, batch_size: int
) -> None:
    plain = make_spec({"family": "custom", "conv_layers": 2, "base_channels": 2})
    steps = []

    class Count(Watcher):
        def step(self, epoch: int, done: int, total: int) -> None:
            steps.append((done, total))

    short = config.model_copy(update={"epochs": 1, "batch_size": batch_size})
    fit(plain, tones(), short, tmp_path, Count())
    assert steps[-1] == {1: (140, 140), 139: (1, 1), 140: (1, 1), 1000: (1, 1)}[batch_size]


def test_a_folder_that_cannot_be_written_is_named(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written \(Not a directory\): give another"):
        fit(spec, tones(), config, tmp_path / "file")


def test_a_net_of_ones_own_that_fails_in_training_is_a_failed_run(
    tones: Tones, config: TrainConfig, tmp_path: Path
) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    n_calls = 0\n"
        "    def forward(self, x):\n"
        "        self.n_calls += self.training and x.shape[0] > 20\n"
        "        if self.n_calls > 3: raise RuntimeError('boom\\nsecond line')\n"
        "        return super().forward(x)\n"
        "def make_net(shape, n_classes):\n"
        "    return Net(nn.Flatten(), nn.Linear(400, n_classes))\n"
    )
    own = make_spec({"family": f"{file}:make_net"})
    with pytest.raises(RunFailed, match=r"make_net failed in training: RuntimeError: boom: mend"):
        fit(own, tones(), config, tmp_path / "runs")
    [folder] = (tmp_path / "runs").iterdir()
    assert Run(folder).status["state"] == "failed"


def test_a_folder_in_use_is_refused_and_named(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    refusals = []

    def start_another() -> None:
        with pytest.raises(UserError, match=rf"is being trained by process {os.getpid()}") as error:
            fit(spec, tones(), config, tmp_path)
        refusals.append(error)

    fit(spec, tones(), config, tmp_path, StopAt(1, 1, start_another))
    assert len(refusals) == 1


def test_a_damaged_state_is_named_with_what_to_do(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tones(), config, tmp_path, StopAt(2, 1, interrupt))
    [folder] = tmp_path.iterdir()
    (folder / STATE).write_bytes(b"not a state")
    with pytest.raises(UserError, match=r"state\.pt cannot be read .* delete it"):
        fit(spec, tones(), config, tmp_path)


def test_a_full_disk_ends_with_a_message_and_an_intact_last_epoch(
    tones: Tones,
    spec: ModelSpec,
    config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = fit(spec, tones(), config, tmp_path / "whole")
    original = Run.write_with

    def full(run: Run, name: str, writer: Callable[..., Any]) -> None:
        def cut_off(file: Any) -> None:
            file.write(b"half a state")
            raise OSError(errno.ENOSPC, "No space left on device")

        third_state = name == STATE and len(run.epochs) == 2
        original(run, name, cut_off if third_state else writer)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "write_with", full)
        with pytest.raises(
            RunFailed,
            match=r"is full: free some space .* goes on after the last epoch that was kept",
        ):
            fit(spec, tones(), config, tmp_path / "cut")
    cut = Run(tmp_path / "cut" / whole.name)
    assert cut.status["state"] == "failed"
    assert not list(cut.folder.glob(".*"))
    assert kept(fit(spec, tones(), config, tmp_path / "cut")) == kept(whole)


def test_the_global_random_state_is_left_as_found(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    expected = torch.get_rng_state()
    fit(spec, tones(), config, tmp_path)
    assert torch.equal(torch.get_rng_state(), expected)


def test_only_full_second_scores_only_exact_clips(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    data = tones(only_full_second=True)
    data.exact[data.indices("test")[:10]] = False
    assert fit(spec, data, config, tmp_path).scores["n"] == 20


@pytest.mark.parametrize("balance", ["undersample", "oversample", "weights"])
def test_every_balance_trains(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path, balance: str
) -> None:
    short = config.model_copy(update={"epochs": 1})
    assert fit(spec, tones(balance=balance), short, tmp_path).is_done


def test_bfloat16_and_a_spectrogram_train(tones: Tones, tmp_path: Path) -> None:
    net = make_spec({"family": "baseline2d", "conv_layers": 2, "base_channels": 2, "fc_hidden": 0})
    data = tones(spectrogram={"window": 64, "stride": 16, "fft_size": 64})
    run = fit(net, data, TrainConfig(epochs=1, precision="bf16", threads=1), tmp_path)
    assert run.is_done


def test_the_files_of_a_run_are_plain_data(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path
) -> None:
    run = fit(spec, tones(), config, tmp_path)
    json.loads(run.path(SCORES).read_text())
    with np.load(run.path(PREDICTIONS), allow_pickle=False) as predictions:
        assert predictions["logits"].shape == (30, 3)
    header = run.path(EPOCHS).read_text().splitlines()[0].split(",")
    assert [name for name in header if "time" in name or "host" in name] == []


@pytest.mark.parametrize("kept_epochs", [0, 2])
def test_that_batch_norm_was_divided_stays_marked_when_a_run_goes_on_with_room_enough(
    tones: Tones, spec: ModelSpec, config: TrainConfig, tmp_path: Path, kept_epochs: int
) -> None:
    little = config.model_copy(update={"micro_batch": 8, "divide_batch_norm": True})
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tones(), little, tmp_path, StopAt(kept_epochs + 1, 2, interrupt))
    run = fit(spec, tones(), config, tmp_path)
    assert run.status.get("divided", False) is (kept_epochs > 0)


def test_the_peak_of_memory_is_known_after_the_first_epoch_of_every_attempt(
    tones: Tones,
    spec: ModelSpec,
    config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peaks = iter([1_000, 2_000, 3_000, 4_000])
    monkeypatch.setattr("convscope.training.fit.peak_memory", lambda device: next(peaks))
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tones(), config, tmp_path, StopAt(2, 1, interrupt))
    [folder] = tmp_path.iterdir()
    run = Run(folder)
    assert run.status["peak_memory_bytes"] == 1_000
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tones(), config, tmp_path, StopAt(4, 1, interrupt))
    assert run.status["peak_memory_bytes"] == 2_000
    assert fit(spec, tones(), config, tmp_path).status["peak_memory_bytes"] == 4_000


def test_a_single_step_of_huge_loss_is_no_explosion(
    tones: Tones,
    spec: ModelSpec,
    config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = Engine._step
    spikes = iter([5000.0])

    def spiking(self: Engine, *arguments: Any) -> torch.Tensor:
        loss, right = step(self, *arguments)
        return torch.stack([torch.tensor(next(spikes, float(loss))), right])

    monkeypatch.setattr(Engine, "_step", spiking)
    run = fit(spec, tones(), config, tmp_path)
    assert run.is_done
    assert run.epochs[0]["train_loss"] > 100
