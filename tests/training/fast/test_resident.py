"""Clips held, read ahead or fetched: the same bytes; losses that stay where they are computed."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from convscope.data.config import MnistConfig
from convscope.data.dataset import Dataset
from convscope.errors import RunFailed
from convscope.models.spec import make_spec
from convscope.training import engine as engines
from convscope.training.augment import AugmentConfig
from convscope.training.config import TrainConfig
from convscope.training.engine import Engine
from convscope.training.fast import resident
from convscope.training.fast.resident import Feed
from convscope.training.fit import fit
from convscope.types import Clips

Tones = Callable[..., Dataset]
CPU = torch.device("cpu")
SPEC = make_spec({"family": "custom", "conv_layers": 3, "base_channels": 3, "dropout": 0.3})
CONFIG = TrainConfig(epochs=1, batch_size=32, threads=1)


@pytest.fixture(params=[np.int16, np.uint8])
def mapped(request: pytest.FixtureRequest, tmp_path: Path) -> Clips:
    """A memory map of 23 clips, read-only."""
    info = np.iinfo(request.param)
    numbers = np.random.default_rng(0).integers(
        info.min, info.max, (23, 2, 5), request.param, endpoint=True
    )
    numbers.tofile(tmp_path / "clips")
    return np.memmap(tmp_path / "clips", request.param, "r", shape=(23, 2, 5))


def feeds(clips: Clips) -> dict[str, Feed]:
    """The three ways, all on the CPU."""
    held, ahead, fetched = Feed(clips, CPU), Feed(clips, CPU), Feed(clips, CPU)
    held._held = resident._copied(clips, CPU)
    ahead.reads_ahead = True
    return {"held": held, "ahead": ahead, "fetched": fetched}


def test_all_ways_give_the_bytes_that_are_stored(mapped: Clips) -> None:
    batches = np.array_split(np.random.default_rng(1).permutation(23), 7)
    for name, feed in feeds(mapped).items():
        got = list(feed.each(batches))
        assert len(got) == 7, name
        for clips, rows in zip(got, batches, strict=True):
            assert clips.is_contiguous()
            np.testing.assert_array_equal(clips.numpy(), mapped[rows], strict=True)
            np.testing.assert_array_equal(feed.take(rows).numpy(), mapped[rows], strict=True)


def test_a_copy_made_in_pieces_is_whole(mapped: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_AT_ONCE", 4)
    assert np.array_equal(resident._copied(mapped, CPU).numpy(), mapped)


def test_reading_ahead_stops_when_no_one_asks_any_more(mapped: Clips) -> None:
    reading = feeds(mapped)["ahead"].each([np.arange(3)] * 50)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert not [each for each in threading.enumerate() if "read-ahead" in each.name]


def test_what_fails_in_the_reading_thread_reaches_the_training(mapped: Clips) -> None:
    bad = [np.arange(3), np.array(["no row"])]
    reading = feeds(mapped)["ahead"].each(bad)
    next(reading)
    with pytest.raises(TypeError):
        next(reading)


@pytest.mark.parametrize(("share_of_need", "held"), [(0.99, False), (1.0, True)])
def test_clips_are_held_where_they_take_no_more_than_their_share(
    mapped: Clips, monkeypatch: pytest.MonkeyPatch, share_of_need: float, held: bool
) -> None:
    free = share_of_need * mapped.nbytes / resident.MOST_SHARE
    monkeypatch.setattr(resident, "_free_bytes", lambda device: free)
    monkeypatch.setattr(resident, "_copied", lambda clips, device: torch.from_numpy(clips.copy()))
    feed = Feed(mapped, torch.device("cuda"))
    assert (str(feed), feed.reads_ahead) == (
        ("clips on the cuda", False) if held else ("clips read ahead", True)
    )
    assert feed.let_go() is held
    assert feed.reads_ahead
    assert feed.let_go() is False


def test_a_copy_that_does_not_fit_after_all_is_read_ahead(
    mapped: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(resident, "_free_bytes", lambda device: 1e9)
    monkeypatch.setattr(resident, "_copied", full)
    assert Feed(mapped, torch.device("cuda")).reads_ahead


def test_an_epoch_is_the_same_bytes_however_the_clips_come(tones: Tones) -> None:
    weights = []
    for name in ("held", "ahead", "fetched"):
        data = tones()
        engine = Engine(SPEC, data, CONFIG)
        engine.feed = feeds(data.clips)[name]
        row = engine.train_epoch(1, lambda *_: None) | engine.validate(1)
        weights.append((row, [p.detach().numpy().tobytes() for p in engine.net.parameters()]))
    assert weights[0] == weights[1] == weights[2]


def test_clips_on_the_device_make_room_before_a_step_is_divided(
    tones: Tones, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tones()
    engine = Engine(make_spec({**SPEC.model_dump(), "batch_norm": True}), data, CONFIG)
    engine.feed._held = resident._copied(data.clips, CPU)
    logits = list(engine.net.children())[-1]

    def full(*_: Any) -> None:
        if engine.feed._held is not None:
            raise torch.OutOfMemoryError("CUDA out of memory")

    logits.register_forward_hook(full)
    engine.train_epoch(1, lambda *_: None)
    assert engine.micro_batches.at_most is None


class NoWaiting(TorchDispatchMode):
    """Refuses what makes Python wait for numbers that a GPU computes."""

    waits = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero")

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = func._schema.name.removeprefix("aten::")
        assert name not in self.waits, name
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", ["sound", "spectrogram", "images"])
@pytest.mark.parametrize("balance", ["none", "weights"])
def test_no_step_waits_for_what_it_computes(tones: Tones, kind: str, balance: str) -> None:
    changes = AugmentConfig(shift_seconds=0.1, gain_db=3, noise=0.1, mixup=0.3)
    spectrogram = {"spectrogram": {"window": 64, "stride": 16, "fft_size": 64}}
    data = tones(balance=balance, **(spectrogram if kind == "spectrogram" else {}))
    family = {"sound": "custom", "spectrogram": "baseline2d", "images": "mnist"}[kind]
    if kind == "images":
        data, changes = _images(data), AugmentConfig(flip=True, crop_pixels=2, jitter=0.1, mixup=1)
    spec = make_spec({"family": family, "conv_layers": 2, "base_channels": 2, "batch_norm": True})
    config = CONFIG.model_copy(update={"augment": changes, "label_smoothing": 0.1})
    engine = Engine(spec, data, config)
    [(clips, labels)] = engine._fed([data.indices("train")[:32]])
    engine.net.train()
    for step in (engine._step_undivided, engine._step_in_pieces):
        with NoWaiting():  # type: ignore[no-untyped-call]
            loss, n_right = step(clips, labels)
        assert loss.isfinite()
        assert 0 <= n_right <= 32


def _images(data: Dataset) -> Dataset:
    """Random images in the place of the sounds."""
    clips = np.random.default_rng(0).integers(0, 256, (len(data.labels), 1, 28, 28), np.uint8)
    config = MnistConfig(folder="none", balance=data.config.balance)
    return replace(data, config=config, clips=clips, classes=tuple("0123456789"))


@pytest.mark.parametrize("looked_at", [1, 2, 100])
def test_the_first_bad_step_is_named_whenever_it_is_found(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    original, steps = Engine._step, []

    def bad(self: Engine, *arguments: Any) -> Tensor:
        steps.append(original(self, *arguments))
        return steps[-1] * (torch.nan if len(steps) >= 3 else 1)

    monkeypatch.setattr(engines, "LOOKED_AT", looked_at)
    monkeypatch.setattr(Engine, "_step", bad)
    warming = CONFIG.model_copy(update={"warmup_epochs": 1, "learning_rate": 0.5})
    with pytest.raises(RunFailed, match=r"became nan at epoch 1, step 3, learning rate 0\.2:"):
        fit(SPEC, tones(), warming, tmp_path)
    assert len(steps) == {1: 3, 2: 4, 100: 5}[looked_at]
