"""The same net on the same clips, trained by what people use, in one run: clips a second.

    python benchmarks/peers.py --folder DIR --python OTHER/bin/python     a Python that has Keras
    python benchmarks/peers.py --batch 64 --threads 1 --cpu-time          on a CPU that is busy

- torch, files: a loop with a DataLoader that reads each file anew, as the torchaudio tutorial does.
- torch, memory: the same loop over decoded clips.
- Keras 3 with TensorFlow on the CPU, with JAX on a GPU, over decoded clips; where they are there.
- ours: `Engine`.
"""

import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import soundfile
import torch
import typer
from cases import case
from executions import EXECUTIONS, Plain
from measure import Meter, Row, alone, tell
from recordings import words_folder
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from convscope.data.config import WordsConfig
from convscope.data.dataset import Dataset
from convscope.data.load import load_dataset
from convscope.models.spec import ConvNetSpec
from convscope.training.cell import Cell, make_cell
from convscope.training.engine import Engine, pick_device

BACKENDS = {"cpu": "tensorflow", "cuda": "jax"}


class Files(TorchDataset[tuple[Tensor, int]]):
    """Sound files, each read when it is asked for, padded to one length."""

    def __init__(self, data: Dataset) -> None:
        folder = Path(str(data.config.folder))
        self.paths = [folder / str(id) for id in data.ids]
        self.labels = data.labels.tolist()
        self.n_times = data.clips.shape[-1]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        wave, _ = soundfile.read(self.paths[i], dtype="int16")
        clip = np.zeros((1, self.n_times), np.int16)
        clip[0, : len(wave)] = wave[: self.n_times]
        return torch.from_numpy(clip), self.labels[i]


def main(
    folder: Annotated[Path | None, typer.Option(help="Words.")] = None,
    nets: Annotated[str, typer.Option(help="Of the family custom.")] = "ch32,ch64",
    python: Annotated[str, typer.Option(help="A Python that has Keras.")] = sys.executable,
    batch: Annotated[int, typer.Option(help="Clips a step; 0: 256 on a GPU, 64 without.")] = 0,
    steps: Annotated[int, typer.Option(help="Of an epoch; 0: 40 on a GPU, 2 without.")] = 0,
    seconds: Annotated[float, typer.Option(help="Of measuring, each.")] = 4.0,
    threads: Annotated[int | None, typer.Option(help="Of the CPU.")] = None,
    cpu_time: Annotated[bool, typer.Option("--cpu-time", help="Count CPU seconds.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Time every peer and ours, print a table, write it as JSON."""
    on_gpu = torch.cuda.is_available()
    meter = Meter(seconds, threads, cpu_time)
    train: dict[str, Any] = {"batch_size": batch or (256 if on_gpu else 64)}
    train |= {"precision": "bf16" if on_gpu else "fp32"}
    n_clips = train["batch_size"] * (steps or (40 if on_gpu else 2))
    rows: list[Row] = []
    with words_folder(folder) as (words, what), TemporaryDirectory() as scratch:
        stored = Path(scratch) / "clips.npz"
        for net in nets.split(","):
            cell = on_words(case(net, **train), words)
            alone(store, cell, n_clips, stored)
            speeds = {
                "torch, files": alone(torch_loop, cell, n_clips, True, meter),
                "torch, memory": alone(torch_loop, cell, n_clips, False, meter),
                f"Keras, {BACKENDS['cuda' if on_gpu else 'cpu']}": keras_speed(
                    cell, stored, python, meter
                ),
                "ours": alone(our_loop, cell, n_clips, meter),
            }
            rows += rows_of(net, speeds)
    tell(f"training on {what}, batch {train['batch_size']}, {train['precision']}", rows, json_file)


def on_words(cell: Cell, folder: Path) -> Cell:
    """The cell on a folder's own words."""
    data = {"kind": "words", "folder": str(folder), "words": "all"}
    names = load_dataset(WordsConfig(**data)).classes
    return make_cell({**cell.config, "data": {**data, "words": list(names)}})


def clips_of(cell: Cell, n_clips: int) -> Dataset:
    """Training clips, evenly from all classes, and two each to validate and to test."""
    data = load_dataset(cell.data)
    chosen = {split: data.indices(split) for split in ("train", "validation", "test")}
    train = chosen["train"][np.linspace(0, len(chosen["train"]) - 1, n_clips).astype(int)]
    kept = {*train.tolist(), *chosen["validation"][:2].tolist(), *chosen["test"][:2].tolist()}
    return data.without({str(data.ids[i]) for i in range(len(data.ids)) if i not in kept})


def store(cell: Cell, n_clips: int, path: Path) -> None:
    """The training clips as arrays, for Keras."""
    data = clips_of(cell, n_clips)
    train = data.indices("train")
    np.savez(path, clips=data.clips[train], labels=data.labels[train])


def torch_loop(cell: Cell, n_clips: int, from_files: bool, meter: Meter) -> float:
    """A plain loop in fp32: what a tutorial gives."""
    meter.begin()
    device = pick_device(cell.train.device)
    data = clips_of(cell, n_clips)
    train = data.indices("train")
    memory = TensorDataset(torch.from_numpy(data.clips[:]), torch.from_numpy(data.labels))
    every: TorchDataset[Any] = Files(data) if from_files else memory
    workers = min(8, os.cpu_count() or 1) if from_files and device.type == "cuda" else 0
    loader = DataLoader(
        torch.utils.data.Subset(every, train.tolist()),
        cell.train.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )
    plain = Plain(cell, EXECUTIONS["fp32"], device)

    def run() -> int:
        for clips, labels in loader:
            plain.step(clips.to(device), labels.to(device)).item()
        return len(train)

    return meter.clips_per_second(run)


def our_loop(cell: Cell, n_clips: int, meter: Meter) -> float:
    """Epochs of `Engine` on the same clips."""
    meter.begin()
    engine = Engine(cell.model, clips_of(cell, n_clips), cell.train)
    epochs = count(1)

    def run() -> int:
        engine.train_epoch(next(epochs), lambda *_: None)
        return len(engine.data.indices("train"))

    return meter.clips_per_second(run)


def keras_speed(cell: Cell, stored: Path, python: str, meter: Meter) -> float | None:
    """Of Keras in its own Python; None, and a line that says why, where it cannot run."""
    backend = BACKENDS[pick_device(cell.train.device).type]
    assert isinstance(cell.model, ConvNetSpec)
    given = cell.model.model_dump(include={"conv_layers", "kernel", "base_channels", "dropout"})
    given |= {"n_classes": len(cell.data.names or ()), "batch_size": cell.train.batch_size}
    given |= {"precision": cell.train.precision, **vars(meter)}
    script = Path(__file__).with_name("peers_keras.py")
    command = [python, str(script), str(stored), json.dumps(given)]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(f"Keras with {backend} is left out: {done.stderr.strip().splitlines()[-1]:.150}")
        return None
    return float(json.loads(done.stdout.splitlines()[-1])["training"])


def rows_of(net: str, speeds: dict[str, float | None]) -> list[Row]:
    """A row for each that was measured; ours by how many times it is faster than each."""
    ours = speeds["ours"]
    return [
        {"net": net, "by": by, "clips_per_second": speed, "ours_over_this": ours / speed}
        for by, speed in speeds.items()
        if speed and ours
    ]


if __name__ == "__main__":
    typer.run(main)
