"""Run folders as a training leaves them, without a training; and sweeps that really train."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from convscope.run import ENVIRONMENT, EPOCHS, MANIFEST, STATE, Run
from convscope.sweeps.driving.cells import Standing
from convscope.sweeps.driving.driver import View
from convscope.sweeps.planning.grid import make_sweep
from convscope.sweeps.run_sweep import Where, run_sweep
from convscope.training.cell import Cell

RECIPE: dict[str, Any] = {
    "data": {"kind": "words", "words": ["zero", "one", "two"], "rate_hz": 1000},
    "model": {"family": "custom", "conv_layers": 2, "base_channels": 4},
    "train": {"epochs": 10},
}


def _cells(**axes: list[Any]) -> tuple[Cell, ...]:
    product = {key.replace("__", "."): values for key, values in axes.items()}
    return make_sweep([{**RECIPE, "grid": {"product": product}}]).cells


@pytest.fixture
def cells() -> Callable[..., tuple[Cell, ...]]:
    """`cells(model__kernel=[3, 5], ...)`: the product of some axes over one small recipe."""
    return _cells


@pytest.fixture
def leave_run(tmp_path: Path) -> Callable[..., Run]:
    """`leave_run(cell, seconds=[1.0, 1.0], done=True, ...)`: its folder below tmp_path."""

    def leave(
        cell: Cell,
        seconds: Sequence[float] = (),
        done: bool = False,
        n_clips: int = 100,
        device: str = "cpu",
        **status: Any,
    ) -> Run:
        run = Run(tmp_path / cell.name)
        run.write_config(cell.config)
        clips = {"train": n_clips, "validation": 10, "test": 10}
        environment = {"device": device, "threads": 1, "data": {"clips": clips}}
        run.write(ENVIRONMENT, json.dumps(environment))
        if seconds:
            run.write_epochs([{"epoch": i, "seconds": s} for i, s in enumerate(seconds, 1)])
            assert run.path(EPOCHS).is_file()
        if status:
            run.write_status(**status)
        run.write(MANIFEST if done else STATE, "{}")
        return run

    return leave


# Sweeps that really train --------------------------------------------------------------------

STORM = Path(__file__).parents[2] / "benchmarks" / "sweep_storm.py"

NETS = """
import ctypes, os, resource, signal, sys, time
from pathlib import Path
from torch import nn

HERE = Path(__file__).parent
IS_WORKER = "convscope.sweeps.local.worker" in sys.orig_argv  # elsewhere every net is well


class Net(nn.Module):
    def __init__(self, shape, n_classes, harm):
        super().__init__()
        self.layer = nn.Linear(shape[-1], n_classes)
        self.harm = harm

    def forward(self, clips):
        if IS_WORKER and self.training and len(clips) > 4 and not (HERE / "be well").exists():
            self.harm()
        return self.layer(clips.flatten(1))


def hang_with_the_interpreter_held():
    (HERE / "hangs").touch()
    ctypes.PyDLL(None).sleep(1000)


def wait():
    (HERE / "waits").touch()
    while not (HERE / "be well").exists():
        time.sleep(0.01)


def die():
    if (HERE / "died").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    (HERE / "died").touch()
    ctypes.string_at(0)


def fail():
    raise ValueError("a layer too many")


def miss_a_file():
    open("/nowhere/weights")


def refuse_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))


def net_that(harm):
    return lambda shape, n_classes: Net(shape, n_classes, harm)


dies = net_that(die)
hangs = net_that(hang_with_the_interpreter_held)
waits = net_that(wait)
fails = net_that(fail)
misses_a_file = net_that(miss_a_file)
fills_the_disk = net_that(refuse_files)
is_well = net_that(lambda: None)
"""
"""Nets of a user's own that do harm where they are trained by a worker."""


@pytest.fixture(scope="session")
def storm() -> ModuleType:
    """The script of the storm, whose functions tests call."""
    spec = importlib.util.spec_from_file_location(STORM.stem, STORM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[STORM.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def until(storm: ModuleType) -> Callable[..., None]:
    """`until(condition, seconds)`: waits for what another process does, by looking again."""
    wait: Callable[..., None] = storm.until
    return wait


@pytest.fixture(scope="session")
def recordings(storm: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two words of 60 speakers each, 0.25 s of a noisy tone."""
    folder = tmp_path_factory.mktemp("tones") / "recordings"
    storm.make_recordings(folder)
    return folder


@pytest.fixture(scope="session")
def small_recipe(recordings: Path) -> dict[str, Any]:
    """Three epochs of about 20 ms."""
    return {
        "data": {
            "kind": "words",
            "folder": str(recordings),
            "words": ["low", "high"],
            "rate_hz": 2000,
            "seconds": 0.25,
        },
        "model": {"family": "custom", "conv_layers": 2, "base_channels": 4},
        "train": {
            "epochs": 3,
            "patience": 0,
            "batch_size": 16,
            "threads": 1,
            "device": "cpu",
        },
    }


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    """A file of nets that do harm, until a file `be well` stands beside it."""
    path = tmp_path / "nets" / "nets.py"
    path.parent.mkdir()
    path.write_text(NETS)
    return path


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded clips go to a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


class Heard(View):
    """Keeps the lines of a sweep, and calls a function with each."""

    def __init__(self, on_line: Callable[[str], Any]) -> None:
        self.lines: list[str] = []
        self._on_line = on_line

    def line(self, text: str) -> None:
        self.lines.append(text)
        self._on_line(text)


def _train(
    recipes: Sequence[Mapping[str, Any]],
    out: Path,
    on_line: Callable[[str], Any] = lambda _: None,
    workers: int = 1,
) -> tuple[Standing, list[str]]:
    heard = Heard(on_line)
    sweep = make_sweep(recipes, "test")
    return run_sweep(sweep, out, Where(workers=workers), heard), heard.lines


@pytest.fixture
def train() -> Callable[..., tuple[Standing, list[str]]]:
    """`train(recipes, out, on_line, workers)`: a sweep, in worker processes, and its lines."""
    return _train
