"""Ray for real: a head and two nodes as processes of this machine."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import convscope
from convscope.errors import UserError
from convscope.run import EPOCHS, MANIFEST, MODEL, PREDICTIONS, RESULTS, SCORES, STATUS, Run
from convscope.sweeps.cluster.agent import Agent, Share
from convscope.sweeps.cluster.head_node import connect

RATE_HZ = 2000
RECIPE = """
data: {kind: words, words: [low, high], rate_hz: 2000, seconds: 0.25}
model: {family: custom, conv_layers: 3, base_channels: 4, batch_norm: true}
train: {epochs: 40, batch_size: 16, threads: 1}
grid: {seeds: 4}
"""
DEADLINE_SECONDS = 120.0
WORKER = "convscope.sweeps.local.worker"


def wait_until(holds: Callable[[], Any], what: str) -> Any:
    """Look again and again until something holds; fail with `what` where it never does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := holds()):
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE_SECONDS:.0f} s"
        time.sleep(0.05)
    return value


def arguments_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return []
    return children + [each for child in children for each in descendants(child)]


class Machines:
    """Ray's processes, and the folder that they take for that of temporary files."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "t"
        self.temporary.mkdir()
        self._folder = folder
        self._said = folder / "said.txt"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._env = {
            **os.environ,
            "TMPDIR": str(self.temporary),
            "CONVSCOPE_CACHE": str(folder / "cache"),
            "PYTHONPATH": str(Path(convscope.__file__).parents[1]),
            "OMP_NUM_THREADS": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",  # nobody else can send work to this cluster
            "RAY_AUTH_TOKEN": os.urandom(32).hex(),
        }

    def begin(self) -> None:
        """Start the head and two nodes, one after the other: else they may choose one port."""
        with socket.create_server(("127.0.0.2", 0)) as server:
            port = server.getsockname()[1]
        self.address = f"127.0.0.2:{port}"
        temporary = f"--temp-dir={self._folder / 'r'}"
        head = ("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false", temporary)
        self._ray(2, *head)
        node = (f"--address={self.address}", "--num-cpus=1")
        self.nodes = [self._ray(3, *node), self._ray(4, *node)]

    def _ray(self, host: int, *arguments: str) -> "subprocess.Popen[bytes]":
        log = self._folder / f"{host}.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
                    *arguments,
                    *(f"--node-ip-address=127.0.0.{host}", "--object-store-memory=80000000"),
                    *("--include-log-monitor=false", "--disable-usage-stats"),
                ],
                env=self._env,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._processes.append(process)

        def is_up() -> bool:
            assert process.poll() is None, log.read_text()
            return "Ray runtime started" in log.read_text()

        wait_until(is_up, "Ray is up")
        return process

    def sweep(self, *arguments: object) -> "subprocess.Popen[bytes]":
        """Start `convscope sweep`; `said` is what it prints."""
        command = [sys.executable, "-m", "convscope", "sweep", *map(str, arguments)]
        with self._said.open("wb") as said:
            driver = subprocess.Popen(command, env=self._env, stdout=said, stderr=said)
        self._processes.append(driver)
        return driver

    @property
    def said(self) -> str:
        return self._said.read_text()

    @property
    def workers(self) -> list[int]:
        """Our workers, of whichever parent."""
        token = self._env["RAY_AUTH_TOKEN"].encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = token in (path / "environ").read_bytes()
            except OSError:
                continue
            if is_ours and WORKER in arguments_of(int(path.name)):
                found.append(int(path.name))
        return found

    def kill_node(self, node: "subprocess.Popen[bytes]") -> None:
        """End all of a node at once but its workers: they end with their agent."""
        for pid in [node.pid, *descendants(node.pid)]:
            if WORKER not in arguments_of(pid):
                os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        for process in self._processes:
            pids = [*descendants(process.pid), process.pid] if process.poll() is None else []
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def machines() -> Iterator[Machines]:
    pytest.importorskip("ray.scripts.scripts", reason="needs Ray: pip install 'convscope[cluster]'")
    if not Path("/proc/self/environ").exists():
        pytest.skip("needs Linux, to see which processes there are")
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:  # Ray wants it short
        machines = Machines(Path(folder))
        try:
            machines.begin()
            yield machines
        finally:
            machines.end()


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two words of 60 speakers each, 0.25 s of a noisy tone."""
    rng = np.random.default_rng(0)
    times = np.arange(RATE_HZ // 4) / RATE_HZ
    for word, pitch_hz in {"low": 100, "high": 400}.items():
        folder = tmp_path / "recordings" / word
        folder.mkdir(parents=True)
        for speaker in range(60):
            tone = 0.3 * np.sin(2 * np.pi * pitch_hz * (times + rng.random()))
            wave = tone + rng.normal(0, 0.05, len(times))
            soundfile.write(folder / f"{speaker:08x}_nohash_0.wav", wave, RATE_HZ)
    return tmp_path / "recordings"


def runs_in(out: Path) -> dict[str, Run]:
    return {path.name: Run(path) for path in out.glob("*") if path.name != "sweeps"}


def epochs_without_times(run: Run) -> list[dict[str, str]]:
    with run.path(EPOCHS).open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def is_under_way(run: Run) -> bool:
    return not run.is_done and len(run.epochs) > 0


def is_half_trained_by(run: Run, pids: list[int], before: dict[str, list[Any]]) -> bool:
    """Whether one of some processes trains it, and has added an epoch to those before."""
    more = len(run.epochs) > len(before.get(run.name, []))
    return more and is_under_way(run) and run.status.get("pid") in pids


def test_sweep_outlives_its_driver_and_a_node_and_scores_as_on_one_machine(
    machines: Machines, recordings: Path, tmp_path: Path
) -> None:
    recipe, here, far = tmp_path / "tones.yaml", tmp_path / "here", tmp_path / "far"
    recipe.write_text(RECIPE)
    grid = (recipe, f"data.folder={recordings}", "--json")
    local = machines.sweep(*grid, "--out", here, "--workers", 1)
    assert local.wait(DEADLINE_SECONDS) == 0, machines.said

    cluster = (*grid, "--out", far, "--ray", machines.address)
    driver = machines.sweep(*cluster)
    wait_until(lambda: any(map(is_under_way, runs_in(far).values())), "an epoch is kept")
    driver.kill()
    driver.wait()
    wait_until(lambda: not machines.workers, "the workers of a killed driver are gone")
    left = {name: run.epochs for name, run in runs_in(far).items() if is_under_way(run)}
    assert left

    driver = machines.sweep(*cluster)
    node = machines.nodes[1]
    wait_until(
        lambda: any(
            is_half_trained_by(run, descendants(node.pid), left) for run in runs_in(far).values()
        ),
        "the node has kept an epoch",
    )
    machines.kill_node(node)
    assert driver.wait(DEADLINE_SECONDS) == 0, machines.said
    assert json.loads(machines.said.splitlines()[-1])["done"] == 4

    log = next((far / "sweeps").iterdir()) / "log.txt"
    told = log.read_text()
    assert "does not answer any more" in told
    assert "was lost" in told
    assert told.count("starts after epoch") >= 2, "after the driver's death, and after the node's"
    assert not machines.workers
    assert not list(machines.temporary.glob("convscope-*")), "no scratch folder is left"
    expected, found = runs_in(here), runs_in(far)
    assert set(found) == set(expected)
    for name, run in found.items():
        assert {path.name for path in run.folder.iterdir()} == {*RESULTS, STATUS, MANIFEST}
        run.verify()
        for file in (MODEL, PREDICTIONS, SCORES):
            assert run.path(file).read_bytes() == expected[name].path(file).read_bytes(), file
        assert run.epochs[: len(left.get(name, []))] == left.get(name, []), "no epoch is made twice"
        assert epochs_without_times(run) == epochs_without_times(expected[name])
        assert "failures" not in run.status


def test_node_with_another_version_is_refused() -> None:
    with pytest.raises(UserError, match=r"is .* on .*, but 0\.0 where the sweep was started: inst"):
        Agent("0.0", Share("gpu7", cpus=1, gpus=0))


def test_missing_ray_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"not installed: .* pip install 'convscope\[cluster\]'"):
        connect("auto")


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "http://head:8265/x"])
def test_address_that_is_none_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", object())
    with pytest.raises(UserError, match=r"expected HOST:PORT of a Ray cluster's head.* got '"):
        connect(address)


def test_address_where_nothing_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", object())
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(UserError, match=f"--ray {address}: no Ray cluster .* ray start --head"):
        connect(address)
