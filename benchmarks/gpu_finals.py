"""Train the recipes of the small nets to their end, and keep their runs as one archive in OUT.

    python benchmarks/gpu_finals.py OUT --words DIR --minutes 8

The archive is written anew each minute, so that a machine that is taken away leaves what there was;
a run in it goes on from its last epoch.
"""

import tarfile
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from measure import Row, tell

from convscope.api.training import load
from convscope.recipes import read_cell
from convscope.training.fit import Watcher, fit

RECIPES = Path(__file__).parents[1] / "recipes"
FINAL = ("words16_residual.yaml",)
ALL_WORDS = ("data.words=all", "data.only_full_second=false")
ARCHIVE = "runs.tar"
KEPT_EVERY_SECONDS = 60.0


class OutOfTime(Exception):
    """The time for trainings is over."""


class Clock(Watcher):
    """Ends a training once its time is over; the epochs until then are kept."""

    def __init__(self, ends: float) -> None:
        self._ends = ends

    def epoch(self, _: dict[str, float]) -> None:
        if time.monotonic() > self._ends:
            raise OutOfTime


def main(
    out: Annotated[Path, typer.Argument(help="Folder for the archive.")],
    words: Annotated[Path, typer.Option(help="Folder of words.")],
    minutes: Annotated[float, typer.Option(help="For all of it.")] = 8.0,
    tiny: Annotated[bool, typer.Option("--tiny", help="One epoch of a smaller net.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Train each, print a table, write it as JSON."""
    ends = time.monotonic() + 60 * minutes - 15  # to write the last archive
    small = ["train.epochs=1", "model.base_channels=4"] if tiny else ["train.precision=bf16"]
    with TemporaryDirectory() as folder:
        over = threading.Event()
        keeper = threading.Thread(target=_keep, args=(Path(folder), out, over))
        keeper.start()
        try:
            rows = [_trained(recipe, words, small, Path(folder), ends) for recipe in FINAL]
        finally:
            over.set()
            keeper.join()
    tell("final trainings", rows, json_file)


def _trained(recipe: str, words: Path, small: list[str], runs: Path, ends: float) -> Row:
    cell = read_cell(RECIPES / recipe, [f"data.folder={words}", *ALL_WORDS, *small])
    try:
        run = fit(cell.model, load(cell.data), cell.train, runs, Clock(ends))
    except OutOfTime:
        return {"recipe": recipe, "ended": "out of time"}
    seconds = sum(row["seconds"] for row in run.epochs)
    return {"recipe": recipe, "accuracy": run.scores["accuracy"], "seconds": seconds}


def _keep(runs: Path, out: Path, over: threading.Event) -> None:
    last = False
    while not last:
        last = over.wait(KEPT_EVERY_SECONDS)
        with tarfile.open(out / f".{ARCHIVE}", "w") as archive:
            archive.add(runs, "runs")
        (out / f".{ARCHIVE}").replace(out / ARCHIVE)


if __name__ == "__main__":
    typer.run(main)
