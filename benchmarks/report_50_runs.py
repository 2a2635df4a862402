"""How long a report of many runs takes, and how large its files are.

    python benchmarks/report_50_runs.py RUN          half a minute: 50 runs, copies of one
    python benchmarks/report_50_runs.py RUN --runs 200

RUN is a finished run. The copies have other channels, depths and seeds, and answers some of which
are wrong at random, so that each section has what it has of real runs; the clips that the page lets
hear are read from where RUN says that they lie. Allowed: 30 s and 10 MB for 50 runs on 2 cores.
"""

import time
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE
from rich.table import Table

from convscope.cli.show import print_table
from convscope.report.document.catalogue import catalogue
from convscope.report.making import Wanted, make_report, told_of
from convscope.run import ENVIRONMENT, EPOCHS, MODEL, PREDICTIONS, SCORES, Run
from convscope.scores.metrics import confusion_matrix, scores
from convscope.scores.predictions import read_predictions
from convscope.training.cell import make_cell

ALLOWED_SECONDS, ALLOWED_BYTES = 30.0, 10_000_000


def copies(run: Run, n_runs: int, out: Path) -> list[Run]:
    """So many runs like one, each of other settings and with other mistakes."""
    answers = read_predictions(run, len(run.classes))
    settings = product((8, 16, 32, 64, 128), (0.0, 0.25, 0.5, 0.75), range(1_000))
    return [
        _copy(run, answers, channels, dropout, seed, out)
        for channels, dropout, seed in islice(_mixed(list(islice(settings, 20_000))), n_runs)
    ]


def _mixed(points: list[Any]) -> list[Any]:
    """All channels and dropouts before the next seed."""
    return sorted(points, key=lambda point: point[2])


def _copy(
    run: Run, answers: dict[str, Any], channels: int, dropout: float, seed: int, out: Path
) -> Run:
    config = run.config
    cell = make_cell(
        {
            "data": config["data"],
            "model": {**config["model"], "base_channels": channels, "dropout": dropout},
            "train": {**config["train"], "seed": seed},
        }
    )
    copy = Run(out / cell.name)
    rng = np.random.default_rng([channels, seed, round(100 * dropout)])
    logits = answers["logits"].copy()
    wrong = rng.random(len(logits)) < 0.5 / channels**0.5
    logits[wrong] = np.roll(logits[wrong], 1, axis=1)
    copy.write_config(cell.config)
    for name in (ENVIRONMENT, EPOCHS):
        copy.write(name, run.path(name).read_bytes())
    copy.write(MODEL, b"weights")
    copy.write_with(PREDICTIONS, lambda file: np.savez(file, **{**answers, "logits": logits}))
    kept = answers["scored"]
    matrix = confusion_matrix(
        answers["labels"][kept], logits[kept].argmax(axis=1), len(run.classes)
    )
    params = {"params": 500 * channels, "best_epoch": 1, "epochs": 1}
    copy.write_json(SCORES, {**scores(matrix, run.classes).to_dict(), **params})
    copy.write_status(state="done", chance=False)
    copy.finish()
    return copy


def main(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    runs: Annotated[int, typer.Option("--runs", help="How many copies.")] = 50,
) -> None:
    """Print seconds and bytes of a page, and of a page with all other forms."""
    with TemporaryDirectory() as folder:
        out = Path(folder)
        made = copies(Run.existing(run), runs, out / "runs")
        table = Table(box=SIMPLE)
        for heading in ("form", "seconds", "MB", "allowed"):
            table.add_column(heading, justify="right")
        all_forms = Wanted(
            out / "all.html", out / "all.pptx", out / "all" / "tex", out / "all" / "csv"
        )
        for name, wanted in (("page", Wanted(out / "page.html")), ("all forms", all_forms)):
            begin = time.perf_counter()
            make_report(told_of(made, (), "2026-01-01", None), catalogue(), wanted)
            seconds = time.perf_counter() - begin
            size = wanted.page.stat().st_size
            is_right = seconds < ALLOWED_SECONDS and size < ALLOWED_BYTES
            allowed = "yes" if is_right else "NO"
            table.add_row(name, f"{seconds:.1f}", f"{size / 1e6:.2f}", allowed)
        print_table(table)


if __name__ == "__main__":
    typer.run(main)
