"""How fast the explorer is: a board of many runs, pages of runs, memory, and its start.

    python benchmarks/explorer.py [--runs 2000] [--requests 10000]

It makes the runs, serves them in a process of its own, and prints a line for each figure beside
what is wanted. Two processes ask for pages of runs at once, each with four connections.
"""

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil

from convscope.run import ENVIRONMENT, MODEL, PREDICTIONS, SCORES, Run
from convscope.scores.metrics import scores
from convscope.training.cell import make_cell

CLASSES = ("zero", "one", "two", "three", "four", "five", "bed", "cat", "up", "down")
N_CLIENTS = 8


def make_runs(folder: Path, n: int) -> None:
    """Finished runs that differ in channels, depth, dropout and seed; their answers are made up."""
    rng = np.random.default_rng(0)
    for i in range(n):
        model = {
            "family": "custom",
            "conv_layers": 2 + i % 5,
            "base_channels": 2 ** (i // 5 % 6),
            "dropout": round(0.1 * (i // 30 % 4), 1),
        }
        data = {"kind": "words", "folder": "words", "words": list(CLASSES)}
        cell = make_cell({"data": data, "model": model, "train": {"seed": i // 120, "epochs": 30}})
        _finish(Run(folder / cell.name), cell.config, rng)


def _finish(run: Run, config: dict[str, object], rng: np.random.Generator) -> None:
    n = len(CLASSES)
    matrix = rng.integers(0, 12, (n, n)) + np.diag(rng.integers(60, 240, n))
    labels = rng.integers(0, n, 50)
    run.folder.mkdir(parents=True)
    run.write_config(config)
    run.write_json(ENVIRONMENT, {"classes": list(CLASSES), "data": {"fingerprint": "made up"}})
    run.write_epochs([{"epoch": e, "train_loss": 2 / e, "seconds": 9.0} for e in range(1, 31)])
    run.write(MODEL, b"")
    run.write_with(
        PREDICTIONS,
        lambda file: np.savez(
            file,
            logits=rng.normal(size=(50, n)).astype(np.float32),
            labels=labels,
            ids=np.array([f"{CLASSES[k]}/{i}.wav" for i, k in enumerate(labels)]),
            scored=np.ones(50, bool),
        ),
    )
    made = scores(matrix, CLASSES).to_dict()
    run.write_json(SCORES, {**made, "params": int(rng.integers(1_000, 900_000))})
    run.write_status(state="done", chance=False)
    run.finish()


@contextmanager
def explorer(folder: Path) -> Iterator[tuple[int, int, float]]:
    """An explorer in a process of its own: its port, its process, seconds until it answered."""
    command = [sys.executable, "-m", "convscope", "serve", str(folder), "--port", "0"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        port = urlsplit(process.stdout.readline().decode().strip()).port
        assert port is not None
        ask(port, "/sweeps")
        yield port, process.pid, time.perf_counter() - began
        process.terminate()


def ask(port: int, path: str) -> float:
    """Seconds that a page took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200, f"{path}: {answer.status}"
    return time.perf_counter() - began


def page_times(port: int, keys: list[str], n: int) -> tuple[float, float]:
    """Requests a second, and the time in s that 95 % of them stay below."""
    began = time.perf_counter()
    with ThreadPoolExecutor(N_CLIENTS) as pool:
        times = list(pool.map(lambda i: ask(port, f"/run/{keys[i % len(keys)]}"), range(n)))
    return n / (time.perf_counter() - began), float(np.quantile(times, 0.95))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--requests", type=int, default=10_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        few, many = Path(place) / "few", Path(place) / "many"
        make_runs(few, 50)
        make_runs(many, chosen.runs)
        with explorer(few) as (_, _, seconds):
            say("start with 50 runs", f"{seconds:.2f} s", "2 s")
        with explorer(many) as (port, pid, _):
            say(f"board of {chosen.runs} runs, cold", f"{ask(port, '/'):.2f} s", "3 s")
            warm = np.median([ask(port, "/") for _ in range(5)])
            say("board, warm", f"{warm:.2f} s", "1 s")
            keys = sorted(path.name for path in many.iterdir())
            page_times(port, keys, min(1000, chosen.requests))
            before = psutil.Process(pid).memory_info().rss
            rate, late = page_times(port, keys, chosen.requests)
            after = psutil.Process(pid).memory_info().rss
            say("pages of runs", f"{rate:.0f} a second", "200")
            say("95 % of them within", f"{1000 * late:.0f} ms", "200 ms")
            grown = f"{(after - before) / 2**20:+.1f} MiB of {before / 2**20:.0f}"
            say(f"memory over {chosen.requests} requests", grown, "flat")


def say(what: str, found: str, wanted: str) -> None:
    """A line of the table, for people and for machines."""
    print(f"{what:36} {found:>22}   wanted {wanted}", flush=True)
    print(json.dumps({"what": what, "found": found, "wanted": wanted}), file=sys.stderr)


if __name__ == "__main__":
    main()
