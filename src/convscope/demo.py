"""The whole tour without any data: words are synthesised, nets trained, a page is made."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeElapsedColumn

from convscope.data.dataset import Dataset
from convscope.data.load import load_dataset
from convscope.data.making.synthetic_words import REPORT_WORDS, make_words
from convscope.report.page import report_page
from convscope.run import Run
from convscope.score import score_on
from convscope.scores.board import board_rows
from convscope.scores.board_table import board_table
from convscope.scores.metrics import Scores, worst_confusions
from convscope.terminal import PlainConsole, WhatIsDone
from convscope.training.cell import Cell, make_cell
from convscope.training.checkpoint import load_trained
from convscope.training.fit import Watcher, fit

HOW_FAR = (
    "How far synthesised words carry: espeak-ng has few voices and speaks more evenly than people "
    "do, so the accuracies on this page are those on synthesised words. A net trained on 6,400 of "
    "them alone had 0.9863 on synthesised clips of speakers it did not know, and 0.6643 (95 % "
    "interval 0.6317 to 0.6954) on 840 real recordings of the same words: far above chance "
    "(0.0625), and far below the 0.95 of nets of that size trained on recordings (LOG.md)."
)
"""What the page says of the way from synthesised words to real ones; measured as LOG.md tells."""

N_CLIPS = 3_200
CHANNELS = (8, 16, 32)
EPOCHS = 16
N_CONFUSIONS = 6
LINE_PERCENT = 5
"""Where there is no bar, a line comes after so much more of the tour."""

Tell: TypeAlias = Callable[[str, int, int], None]
"""Called with the stage of the tour, how much of it is done, and how much there is in all."""


@dataclass(frozen=True)
class Demo:
    """What the tour comes to.

    Attributes:
        runs: a run for each net.
        page: the page of all of them.
        real: scores of the best net on real recordings, if there are any.
    """

    runs: list[Run]
    page: Path
    real: Scores | None


def run_demo(
    out: Path,
    seed: int = 0,
    n_clips: int = N_CLIPS,
    channels: Sequence[int] = CHANNELS,
    epochs: int = EPOCHS,
    real: Path | None = None,
) -> Path:
    """Make and print the tour; the same call again goes on where it stopped.

    Args:
        out: folder of the words, the runs and the page.
        seed: of the voices and of the trainings.
        n_clips: to synthesise.
        channels: first channels of each net.
        epochs: of each training.
        real: a folder of real recordings, `word/file`, on which the best net is scored as well.

    Returns:
        The page's path, which is also the last line on standard output.

    Raises:
        UserError: espeak-ng is missing, or `real` lacks one of the words.
    """
    cells = [_cell(out / "words", seed, n, epochs) for n in channels]
    stages = {"synthesise": n_clips / 160, "decode": n_clips / 1_600}
    stages |= {_stage(cell): n_clips * epochs / 2_000 for cell in cells}
    stages |= {"page": 4.0}
    with progress(stages) as tell:
        demo = make_demo(out, seed, n_clips, cells, real, tell)
    console = PlainConsole()
    for line in demo_lines(demo):
        console.print(line, highlight=False)
    print(demo.page)
    return demo.page


def make_demo(
    out: Path, seed: int, n_clips: int, cells: Sequence[Cell], real: Path | None, tell: Tell
) -> Demo:
    """Synthesise, train, score and write the page, without printing."""
    recordings = None if real is None else _recordings(cells[0], real)
    make_words(out / "words", n_clips, seed, progress=_part(tell, "synthesise"))
    data = load_dataset(cells[0].data, progress=_part(tell, "decode"))
    runs = [_train(cell, data, out / "runs", tell) for cell in cells]
    best = _best(runs)
    heard = None if recordings is None else score_on(load_trained(best), recordings, "all")
    notes = [_what(data), HOW_FAR]
    if heard is not None:
        notes.append(_on_real(best, heard, f"in {real}"))
    tell("page", 0, 1)
    page = report_page(runs, out / "demo.html", "convscope demo: 16 spoken words", notes)
    tell("page", 1, 1)
    return Demo(runs, page, heard)


def demo_lines(demo: Demo) -> Iterator[RenderableType]:
    """What the tour prints: board, confusion matrix and worst confusions of the best net."""
    best = _best(demo.runs)
    classes = [each["name"] for each in best.scores["classes"]]
    matrix = np.array(best.scores["confusion"])
    yield board_table(board_rows(demo.runs))
    yield f"\nconfusion matrix of {best.name}: rows actual, columns predicted"
    yield from confusion_lines(matrix, classes)
    yield "\nworst confusions"
    for each in worst_confusions(matrix, classes, N_CONFUSIONS):
        support = round(each.count / each.share)
        yield f"  {each.actual} heard as {each.predicted}, {each.count} of {support}"
    if demo.real is not None:
        yield f"\n{_on_real(best, demo.real)}"
    yield ""


def confusion_lines(matrix: np.ndarray[Any, Any], classes: Sequence[str]) -> Iterator[str]:
    """A confusion matrix as text; columns carry the first letters of their class."""
    margin = max(map(len, classes))
    width = 1 + max(3, len(str(matrix.max())))
    yield " " * margin + "".join(f"{name[: width - 1]:>{width}}" for name in classes)
    for name, row in zip(classes, matrix.tolist(), strict=True):
        yield f"{name:>{margin}}" + "".join(f"{count or '.':>{width}}" for count in row)


def _cell(words: Path, seed: int, channels: int, epochs: int) -> Cell:
    """A small residual net: of all families it learns most in half a minute.

    One thread: steps this small gain nothing by a second one, and where the machine has other work
    the two would wait for each other.
    """
    data = {"kind": "words", "folder": str(words), "words": REPORT_WORDS}
    model = {"family": "residual", "base_channels": channels}
    train = {"preset": "modern", "batch_size": 32, "warmup_epochs": 1, "threads": 1}
    return make_cell(
        {"data": data, "model": model, "train": {**train, "epochs": epochs, "seed": seed}}
    )


def _train(cell: Cell, data: Dataset, out: Path, tell: Tell) -> Run:
    run = fit(cell.model, data, cell.train, out, _Told(_stage(cell), cell.train.epochs, tell))
    tell(_stage(cell), 1, 1)
    return run


class _Told(Watcher):
    """Turns the steps of a training into a stage of the tour."""

    def __init__(self, stage: str, epochs: int, tell: Tell) -> None:
        self._stage, self._epochs, self._tell = stage, epochs, tell

    def step(self, epoch: int, done: int, total: int) -> None:
        self._tell(self._stage, (epoch - 1) * total + done, self._epochs * total)


def _stage(cell: Cell) -> str:
    return f"train {cell.config['model']['base_channels']} channels"


def _part(tell: Tell, stage: str) -> Callable[[int, int], None]:
    return lambda done, total: tell(stage, done, total)


def _recordings(cell: Cell, real: Path) -> Dataset:
    config = cell.data.model_copy(update={"folder": str(real)})
    return load_dataset(config, for_training=False)


def _best(runs: Sequence[Run]) -> Run:
    name = board_rows(runs)[0].run
    return next(run for run in runs if run.name == name)


def _what(data: Dataset) -> str:
    return (
        f"{len(data.labels):,} clips of {data.n_classes} words, synthesised by espeak-ng in many "
        f"voices, pitches and rates; {len(data.indices('train')):,} to train, "
        f"{len(data.indices('validation')):,} to validate, {len(data.indices('test')):,} to test. "
        "No speaker is in two of them."
    )


def _on_real(run: Run, real: Scores, where: str = "") -> str:
    low, high = real.interval
    return (
        f"The best net, {run.name}, on {real.n:,} real recordings{where and ' '}{where}: accuracy "
        f"{real.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f}); on synthesised test clips "
        f"{run.scores['accuracy']:.4f}."
    )


@contextmanager
def progress(stages: Mapping[str, float]) -> Iterator[Tell]:
    """One bar over all stages on standard error; a line now and then where that is no terminal."""
    starts = dict(zip(stages, np.cumsum([0, *stages.values()]), strict=False))
    whole = sum(stages.values())

    def percent(stage: str, done: int, total: int) -> float:
        return 100 * float(starts[stage] + stages[stage] * done / max(total, 1)) / whole

    console = PlainConsole(stderr=True)
    if not console.is_terminal:
        yield _line_teller(percent)
        return
    columns = WhatIsDone(), BarColumn(), TaskProgressColumn()
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("", total=100)
        yield lambda stage, done, total: bar.update(
            task, description=stage, completed=percent(stage, done, total)
        )


def _line_teller(percent: Callable[[str, int, int], float]) -> Tell:
    told = -LINE_PERCENT

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal told
        now = int(percent(stage, done, total) / LINE_PERCENT) * LINE_PERCENT
        if now > told:
            told = now
            print(f"{now:3} %  {stage}", file=sys.stderr, flush=True)

    return tell
