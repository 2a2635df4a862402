"""An explorer that answers on a free port, and runs without a training for it to show."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import soundfile
import uvicorn
from safetensors.torch import save

from convscope.models.cnn import build
from convscope.run import ENVIRONMENT, MODEL, PREDICTIONS, SCORES, Run
from convscope.scores.metrics import confusion_matrix, scores
from convscope.training.cell import make_cell
from convscope.web.app import make_app
from convscope.web.frame import news
from convscope.web.frame.security import Access
from convscope.web.serving import Server, listening

RATE_HZ = 4_000
CLASSES = ("bed", "bird", "cat")
N_CLIPS = 12

MakeRun: TypeAlias = Callable[..., Run]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Explorer:
    """A running explorer, and one that asks it."""

    def __init__(self, access: Access, app: Any) -> None:
        self.access = access
        self.app = app

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.access.port}"

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        """Header names are written with `_` for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.access.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body or None, named)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def post(self, path: str, body: bytes = b"", **headers: str) -> Answer:
        """From a page of the explorer's own, by somebody who was told the token."""
        own = {"Origin": self.url, "Cookie": f"{self.access.cookie}={self.access.token}"}
        return self.ask(path, "POST", body, **{**own, **headers})


@pytest.fixture
def explore(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Explorer]]:
    """`explore(folder, ...)`: an explorer of folders; `is_public=True`, `names=(…)`."""
    monkeypatch.setattr(news, "SECONDS_BETWEEN", 0.05)
    with ExitStack() as stack:

        def start(*folders: Path, **access: Any) -> Explorer:
            listener = stack.enter_context(listening("127.0.0.1", 0))
            found = Access(listener.getsockname()[1], **access)
            app = make_app(folders, found)
            app.app.state.catalogue._seconds_fresh = 0.0  # type: ignore[attr-defined]
            server = Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
            thread = threading.Thread(target=server.run, args=([listener],))
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.01)
            return Explorer(found, app.app)

        yield start


@pytest.fixture
def sound_run(tmp_path: Path) -> MakeRun:
    """`sound_run(seed=0, **model)`: a done run with a net; every third answer is wrong."""

    def make(seed: int = 0, **model: Any) -> Run:
        ids = [f"{name}/{i}_nohash_0.wav" for name in CLASSES for i in range(4)]
        for i, id in enumerate(ids):
            write_tone(tmp_path / "sounds" / id, 200 + 100 * i)
        return _finished(tmp_path, ids, seed, model)

    return make


def write_tone(path: Path, frequency_hz: float) -> None:
    times = np.arange(RATE_HZ) / RATE_HZ
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(2 * np.pi * frequency_hz * times) * np.exp(-3 * times)
    soundfile.write(path, tone, RATE_HZ, "PCM_16", format="WAV")


def _finished(root: Path, ids: list[str], seed: int, model: dict[str, Any]) -> Run:
    folder = str(root / "sounds")
    data = {"kind": "words", "folder": folder, "words": list(CLASSES), "rate_hz": RATE_HZ}
    spec = {"family": "custom", "conv_layers": 2, "base_channels": 4, "batch_norm": True, **model}
    cell = make_cell({"data": data, "model": spec, "train": {"seed": seed, "epochs": 3}})
    run = Run(root / "runs" / cell.name)
    labels = np.array([CLASSES.index(id.split("/")[0]) for id in ids])
    answers = np.where(np.arange(len(ids)) % 3 == 0, (labels + 1) % len(CLASSES), labels)
    logits = 4 * np.eye(len(CLASSES), dtype=np.float32)[answers]
    run.write_config(cell.config)
    environment = {"classes": list(CLASSES), "data": {"fingerprint": "tones"}, "device": "cpu"}
    run.write_json(ENVIRONMENT, environment)
    run.write_epochs([epoch(n) for n in (1, 2, 3)])
    net = build(cell.model, cell.data.shape, len(CLASSES))
    run.write(MODEL, save(net.state_dict()))
    arrays: dict[str, Any] = {"logits": logits, "labels": labels, "ids": np.array(ids)}
    scored = np.ones(len(ids), bool)
    run.write_with(PREDICTIONS, lambda file: np.savez(file, **arrays, scored=scored))
    matrix = confusion_matrix(labels, answers, len(CLASSES))
    n_params = sum(each.numel() for each in net.parameters())
    run.write_json(SCORES, {**scores(matrix, CLASSES).to_dict(), "params": n_params})
    run.write_status(state="done", chance=False)
    run.finish()
    return run


def epoch(number: int) -> dict[str, float]:
    losses = {"train_loss": 1 / number, "validation_loss": 1.5 / number}
    shares = {"train_accuracy": 0.3 * number, "validation_accuracy": 0.25 * number}
    return {"epoch": number, **losses, **shares, "seconds": 1.5}
